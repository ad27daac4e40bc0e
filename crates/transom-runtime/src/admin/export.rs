//! Copying messages out.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use transom_queue::view::Verb;
use transom_queue::{Content, StoreError};
use transom_types::InternalMessageId;

use super::{VerbError, check_actor, journal};
use crate::transport::Transport;

/// Octets that are read and written at once.
const BLOCK: usize = 64 << 10;

impl Transport {
    /// Writes the content of a suspended message into a new file, which is durable when this
    /// returns; the message stays where it is. A file that could not be written to its end is
    /// removed. Gives the octets that were written. Exchange: `Export-Message`.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, but that the file may be written all the same.
    ///
    /// # Errors
    ///
    /// [`VerbError::Write`] names the file and what the system said: it is there already, the disk
    /// is full. [`VerbError`] otherwise names verb and message and says why not.
    pub async fn export_message(
        &self,
        id: InternalMessageId,
        path: impl Into<PathBuf>,
        actor: &str,
    ) -> Result<u64, VerbError> {
        let path = path.into();
        let place = path.display().to_string();
        self.export(id, place, actor, move |content| write_file(content, &path)).await
    }

    /// The same into a writer, which is flushed. What was written before an error stays written.
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
        check_actor(actor)?;
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
