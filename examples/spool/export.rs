//! Messages as files: `ID.eml` holds the content as it is stored, octet for octet, `ID.smtp` the
//! envelope as the commands that would send it once more.
//!
//! The envelope comes last, so a content that has none beside it was cut off.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::SystemTime;

use transom_queue::{Inspection, StoreError, StoredMessage};
use transom_smtp::codec::Command;
use transom_types::{InternalMessageId, Timestamp};

use crate::list::{holds, printable, status};

/// Octets that are copied at once.
const PIECE_OCTETS: usize = 64 << 10;

/// Makes the folder `to`, which must not lie in the spool: nothing is changed there.
pub(crate) fn prepare(spool: &Path, to: &Path) -> Result<(), String> {
    let failed = |error: io::Error| format!("{}: {error}", to.display());
    let inside = |path: &Path| -> io::Result<bool> {
        Ok(fs::canonicalize(path)?.starts_with(fs::canonicalize(spool)?))
    };
    // Where it will be made, if it is not there.
    let known = to.ancestors().find(|path| path.exists()).unwrap_or_else(|| Path::new("."));
    if inside(known).map_err(failed)? {
        return Err(format!("{} lies in the spool, which is not written to", to.display()));
    }
    DirBuilder::new().recursive(true).mode(0o700).create(to).map_err(failed)
}

/// Why a message was not exported.
enum Failed {
    /// It cannot be read.
    Message(StoreError),
    /// A file of this name is there, or cannot be written.
    File(String, io::Error),
}

/// Exports `ids`, or all. Whether all of them are there now.
pub(crate) fn export(
    spool: &Inspection,
    to: &Path,
    ids: &[InternalMessageId],
    out: &mut dyn Write,
) -> io::Result<bool> {
    let ids = if ids.is_empty() { spool.ids() } else { ids.to_vec() };
    let (mut exported, mut left) = (0usize, 0usize);
    for (done, &id) in ids.iter().enumerate() {
        match export_one(spool, to, id) {
            Ok(()) => exported += 1,
            Err(Failed::Message(error)) => {
                writeln!(out, "not exported: {error}")?;
                left += 1;
            }
            Err(Failed::File(path, error)) => {
                writeln!(out, "not exported: message {id}: {path}: {error}")?;
                if error.kind() != io::ErrorKind::AlreadyExists {
                    // What keeps this one from being written keeps the others too.
                    left += ids.len() - done;
                    break;
                }
                left += 1;
            }
        }
    }
    writeln!(out, "{exported} messages exported to {}", to.display())?;
    if left > 0 {
        writeln!(out, "{left} were not")?;
    }
    Ok(left == 0)
}

fn export_one(spool: &Inspection, to: &Path, id: InternalMessageId) -> Result<(), Failed> {
    let message = spool.open_message(id).map_err(Failed::Message)?;
    let content = to.join(format!("{id}.eml"));
    write_new(&content, |file| write_content(file, &message))?;
    let envelope = write_new(&to.join(format!("{id}.smtp")), |file| {
        file.write_all(&envelope(&message)).map_err(Broken::File)
    });
    if envelope.is_err() {
        // The content was made here, just now. What cannot be removed has no envelope beside it.
        drop(fs::remove_file(&content));
    }
    envelope
}

/// What went wrong on the way into a file.
enum Broken {
    Message(StoreError),
    File(io::Error),
}

/// Makes a file that was not there, durable when this returns. None is left that is not whole.
fn write_new(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<(), Broken>,
) -> Result<(), Failed> {
    let failed = |error| Failed::File(path.display().to_string(), error);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.map_err(failed)?;
    let written = write(&mut file).and_then(|()| file.sync_all().map_err(Broken::File));
    written.map_err(|broken| {
        // The first error is the one to tell.
        drop(fs::remove_file(path));
        match broken {
            Broken::Message(error) => Failed::Message(error),
            Broken::File(error) => failed(error),
        }
    })
}

fn write_content(file: &mut File, message: &StoredMessage) -> Result<(), Broken> {
    let mut piece = vec![0; PIECE_OCTETS];
    let mut done = 0u64;
    loop {
        let count = message.content.read_at(done, &mut piece).map_err(Broken::Message)?;
        if count == 0 {
            return Ok(());
        }
        file.write_all(piece.get(..count).unwrap_or_default()).map_err(Broken::File)?;
        done += u64::try_from(count).unwrap_or(0);
    }
}

/// The commands; what a peer must not be told, and recipients that are done with, after a `#`.
fn envelope(stored: &StoredMessage) -> Vec<u8> {
    let StoredMessage { id, message, state, .. } = stored;
    let since = message.received_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let since = i64::try_from(since.as_secs()).ok().and_then(Timestamp::from_unix);
    let since = since.map(|since| format!(", received {since}")).unwrap_or_default();
    let connector = printable(&message.ingress.connector);
    let mut octets =
        format!("# message {id} ({}){since} by {connector}\r\n", message.network_id).into_bytes();
    for word in holds(state) {
        octets.extend_from_slice(format!("# {word}\r\n").as_bytes());
    }
    let reverse_path = message.envelope.reverse_path.clone();
    let parameters = message.envelope.parameters.clone();
    Command::Mail { reverse_path, parameters }.write_to(&mut octets);
    for (recipient, state) in message.envelope.recipients.iter().zip(&state.recipients) {
        let (status, done) = (status(state), if state.is_open() { "" } else { "# " });
        octets.extend_from_slice(format!("# {status}:\r\n{done}").as_bytes());
        let forward_path = recipient.forward_path.clone();
        let parameters = recipient.parameters.clone();
        Command::Rcpt { forward_path, parameters }.write_to(&mut octets);
    }
    octets
}
