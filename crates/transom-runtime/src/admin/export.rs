//! Copying messages out.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use transom_queue::view::{Effect, Verb};
use transom_queue::{Content, StoreError};
use transom_types::InternalMessageId;

use super::{Done, MessageTarget, VerbError, check_actor, journal};
use crate::transport::Transport;

/// Octets that are read and written at once.
const BLOCK: usize = 64 << 10;

impl Transport {
    /// Writes the content of suspended messages into new files, which are durable when this
    /// returns; the messages stay where they are. `place` is the file for one message, or a folder,
    /// where each gets the name of its id and `.eml`. A file that could not be written to its end
    /// is removed, and ends the export. Exchange: `Export-Message`.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, but that the file at hand may be written all the same.
    ///
    /// # Errors
    ///
    /// [`VerbError::Write`] names the file and what the system said: it is there already, the disk
    /// is full. [`VerbError`] otherwise names verb and message and says why not; see [`Done`] for
    /// several.
    pub async fn export_message(
        &self,
        which: impl Into<MessageTarget> + Send,
        place: impl Into<PathBuf> + Send,
        actor: &str,
    ) -> Result<Done, VerbError> {
        check_actor(actor)?;
        let place = place.into();
        let looked = place.clone();
        let into_folder =
            tokio::task::spawn_blocking(move || looked.is_dir()).await.unwrap_or(false);
        let (ids, named) = self.meant_messages(Verb::Export, which.into()).await?;
        let mut done = Done::default();
        for id in ids {
            let path = if into_folder { place.join(format!("{id}.eml")) } else { place.clone() };
            let name = path.display().to_string();
            let written = self.export(id, name, actor, move |c| write_file(c, &path)).await;
            if let Err(VerbError::Write { .. }) = written {
                return written.map(|_| done);
            }
            done.add(written.map(|_| Effect::Now));
        }
        done.of(named)
    }

    /// Writes the content of one suspended message into a writer, which is flushed. Gives the
    /// octets. What was written before an error stays written.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, but that it may be written all the same.
    ///
    /// # Errors
    ///
    /// As [`export_message`](Self::export_message).
    pub async fn export_message_to(
        &self,
        id: InternalMessageId,
        mut writer: impl Write + Send + 'static,
        actor: &str,
    ) -> Result<u64, VerbError> {
        check_actor(actor)?;
        let write = move |content: &Content| {
            copy(content, &mut writer)?;
            writer.flush().map_err(Failed::Write)
        };
        self.export(id, "the writer".to_owned(), actor, write).await
    }

    async fn export(
        &self,
        id: InternalMessageId,
        place: String,
        actor: &str,
        write: impl FnOnce(&Content) -> Result<(), Failed> + Send + 'static,
    ) -> Result<u64, VerbError> {
        let (located, _) = self.judge(Verb::Export, id).await?;
        let Some(stored) = located.stored else {
            let what = "its content does not verify".to_owned();
            return Err(StoreError::Damaged { id, what }.into());
        };
        let content = stored.content;
        let octets = content.octets();
        let written = tokio::task::spawn_blocking(move || write(&content)).await;
        match written.unwrap_or_else(|panic| Err(Failed::Write(io::Error::other(panic)))) {
            Ok(()) => {}
            Err(Failed::Read(error)) => return Err(error.into()),
            Err(Failed::Write(error)) => return Err(VerbError::Write { id, place, error }),
        }
        journal::tell_message(&self.core, id, Verb::Export, actor);
        Ok(octets)
    }
}

/// Which side failed.
#[derive(Debug)]
enum Failed {
    Read(StoreError),
    Write(io::Error),
}

fn write_file(content: &Content, path: &Path) -> Result<(), Failed> {
    let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(Failed::Write)?;
    let written = copy(content, &file).and_then(|()| file.sync_all().map_err(Failed::Write));
    if written.is_err() {
        // What is left of it would look like a message.
        drop(std::fs::remove_file(path));
    }
    written
}

fn copy(content: &Content, mut writer: impl Write) -> Result<(), Failed> {
    let mut block = vec![0; BLOCK];
    let mut offset = 0u64;
    while offset < content.octets() {
        let count = content.read_at(offset, &mut block).map_err(Failed::Read)?;
        if count == 0 {
            break;
        }
        writer.write_all(block.get(..count).unwrap_or_default()).map_err(Failed::Write)?;
        offset = offset.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }
    Ok(())
}
