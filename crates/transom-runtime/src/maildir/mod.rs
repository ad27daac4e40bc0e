//! The Maildir delivery agent: one file a message and recipient, durable before it answers.
//!
//! Names and folders are decided in [`transom_agent::maildir`]; here they are made. A file is
//! written and synced in `tmp`, moved to `new`, and `new` is synced; only then is the recipient
//! delivered. The name comes from the idempotency key, so an attempt that follows a crash finds
//! the copy of the one before it and makes no second one.

use std::collections::HashSet;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use transom_agent::maildir::{FileName, MailboxFolder, NameTooLong};
use transom_agent::{ContentReader, ContentSource, DeliveryAgent, DeliveryItem, IdempotencyKey};
use transom_message::ReturnPath;
use transom_types::{
    AttemptStage, EnhancedStatusCode, ForwardPath, Outcome, RecipientResult, Reply, ReplyCode,
    Status,
};

#[cfg(test)]
mod tests;

/// How much is read from the content and written at once.
const COPY_OCTETS: usize = 64 * 1024;

/// How many mailboxes are remembered as having their folders; one more and all are forgotten,
/// which costs a few system calls a mailbox.
const KNOWN_MAX: usize = 64 * 1024;

/// Delivers into Maildirs at `<root>/<domain>/<local-part>/`. Missing folders are made.
///
/// Cloning shares the agent.
#[derive(Clone, Debug)]
pub struct Maildir {
    store: Arc<Store>,
}

impl Maildir {
    /// An agent below `root`, which it alone writes to.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let store = Store {
            root: root.into(),
            known: Mutex::new(HashSet::new()),
            running: Mutex::new(HashSet::new()),
        };
        Self { store: Arc::new(store) }
    }
}

#[async_trait]
impl DeliveryAgent for Maildir {
    /// # Cancel safety
    ///
    /// A delivery that has begun goes on when the future is dropped; while it does, another
    /// attempt at the same recipient is deferred.
    async fn deliver(&self, item: DeliveryItem<'_>) -> Vec<RecipientResult> {
        let jobs: Vec<Job> = item.recipients.iter().filter_map(|n| Job::new(&item, *n)).collect();
        let recipients: Vec<u32> = jobs.iter().map(|job| job.recipient).collect();
        let store = Arc::clone(&self.store);
        let worker = move || jobs.iter().map(|job| job.run(&store)).collect();
        tokio::task::spawn_blocking(worker).await.unwrap_or_else(|failure| {
            tracing::error!(%failure, "the Maildir worker ended without an answer");
            let lost =
                || Outcome::Deferred(local(ReplyCode::LOCAL_ERROR, 4, 3, 0, "worker failed"));
            let result = |recipient| RecipientResult { recipient, outcome: lost() };
            recipients.into_iter().map(result).collect()
        })
    }
}

/// One copy to be made.
struct Job {
    recipient: u32,
    path: ForwardPath,
    key: IdempotencyKey,
    return_path: String,
    content: Arc<dyn ContentSource>,
    first_attempt: bool,
}

impl Job {
    fn new(item: &DeliveryItem<'_>, recipient: u32) -> Option<Self> {
        let place = usize::try_from(recipient).ok()?;
        Some(Self {
            recipient,
            path: item.envelope.recipients.get(place)?.forward_path.clone(),
            key: item.key_for(recipient),
            // [RFC 5321 §4.4-g] final delivery puts Return-Path before all other fields.
            return_path: ReturnPath(&item.envelope.reverse_path).to_string(),
            content: Arc::clone(&item.content),
            first_attempt: item.first_attempt,
        })
    }

    fn run(&self, store: &Store) -> RecipientResult {
        let outcome = match self.try_run(store) {
            Ok(text) => Outcome::Delivered(local(ReplyCode::OK, 2, 1, 5, text)),
            Err(failure) => failure.outcome(&self.path),
        };
        RecipientResult { recipient: self.recipient, outcome }
    }

    fn try_run(&self, store: &Store) -> Result<&'static str, Failure> {
        let folder = MailboxFolder::new(&store.root, &self.path)?;
        let name = FileName::new(self.key);
        let _running = Running::begin(store, self.key).ok_or(Failure::Running)?;
        if self.exists(&folder, &name)? {
            return Ok("delivered by an earlier attempt");
        }
        store.ensure_folders(&folder)?;
        match self.write(&folder, &name) {
            // Somebody removed the folders since they were made.
            Err(failure) if failure.kind() == io::ErrorKind::NotFound => {
                store.forget(&folder);
                store.ensure_folders(&folder)?;
                self.write(&folder, &name)?;
            }
            result => result?,
        }
        Ok("delivered")
    }

    /// Whether an earlier attempt made the copy. What it found is synced: that attempt may have
    /// ended before its own sync. `new` is looked at first, since readers move from there to `cur`.
    fn exists(&self, folder: &MailboxFolder, name: &FileName) -> io::Result<bool> {
        if folder.new_mail().join(name.as_str()).try_exists()? {
            sync_folder(&folder.new_mail())?;
            return Ok(true);
        }
        // A mailbox may hold a hundred thousand files; a first attempt need not read their names.
        if self.first_attempt {
            return Ok(false);
        }
        let entries = match folder.cur().read_dir() {
            Ok(entries) => entries,
            Err(failure) if failure.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(failure) => return Err(failure),
        };
        for entry in entries {
            if entry?.file_name().to_str().is_some_and(|entry| name.matches(entry)) {
                sync_folder(&folder.cur())?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn write(&self, folder: &MailboxFolder, name: &FileName) -> io::Result<()> {
        let tmp = folder.tmp().join(name.as_str());
        let written = self.write_file(&tmp).and_then(|()| {
            std::fs::rename(&tmp, folder.new_mail().join(name.as_str()))?;
            sync_folder(&folder.new_mail())
        });
        if written.is_err() {
            // What stays behind would be overwritten by the next attempt; this saves the space.
            let _ = std::fs::remove_file(&tmp);
        }
        written
    }

    fn write_file(&self, path: &Path) -> io::Result<()> {
        let mut options = OpenOptions::new();
        // A file that a crash left under this name is no good; it is begun anew.
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
        let mut out = BufWriter::with_capacity(COPY_OCTETS, &file);
        out.write_all(self.return_path.as_bytes())?;
        let octets = io::copy(&mut ContentReader::new(&*self.content), &mut out)?;
        out.flush()?;
        if octets != self.content.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        drop(out);
        file.sync_all()
    }
}

/// The folders below one root.
#[derive(Debug)]
struct Store {
    root: PathBuf,
    /// Mailboxes whose folders were made or seen by this process, and synced.
    known: Mutex<HashSet<PathBuf>>,
    /// Keys that are being delivered.
    running: Mutex<HashSet<IdempotencyKey>>,
}

impl Store {
    /// Makes what is missing of `root/domain/local-part/{tmp,new,cur}`, and syncs the parents of
    /// what exists too: an earlier process may have made it and ended before its sync.
    fn ensure_folders(&self, folder: &MailboxFolder) -> io::Result<()> {
        let mailbox = folder.path();
        if self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(mailbox) {
            return Ok(());
        }
        let root = self.root.as_path();
        let is_there = |folder: &&Path| folder.as_os_str().is_empty() || folder.exists();
        let oldest = root.ancestors().find(is_there).unwrap_or(root);
        for inner in [folder.tmp(), folder.new_mail(), folder.cur()] {
            make_folder(&inner)?;
        }
        for parent in mailbox.ancestors().take_while(|parent| parent.starts_with(root)) {
            sync_folder(parent)?;
        }
        sync_above(root, oldest)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(mailbox.to_owned());
        Ok(())
    }

    fn forget(&self, folder: &MailboxFolder) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(folder.path());
    }
}

/// Makes a folder and those above it, readable for this user only.
fn make_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Err(failure) if failure.kind() == io::ErrorKind::AlreadyExists => {
            Err(io::ErrorKind::NotADirectory.into())
        }
        result => result,
    }
}

/// Syncs the folders above `root` up to `oldest`, the one that was there before; where the root
/// itself was there, the one that it stands in.
fn sync_above(root: &Path, oldest: &Path) -> io::Result<()> {
    for parent in root.ancestors().skip(1) {
        let folder = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        match sync_folder(folder) {
            // A folder that we may not read is none that we made.
            Err(failure) if failure.kind() == io::ErrorKind::PermissionDenied => {}
            result => result?,
        }
        if oldest.starts_with(parent) {
            break;
        }
    }
    Ok(())
}

/// Makes the names in a folder survive a power loss.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Holds a key while it is being delivered, so that two attempts never write one file.
struct Running<'s> {
    store: &'s Store,
    key: IdempotencyKey,
}

impl<'s> Running<'s> {
    fn begin(store: &'s Store, key: IdempotencyKey) -> Option<Self> {
        let mut running = store.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(key).then(|| Self { store, key })
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut running = self.store.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.remove(&self.key);
    }
}

/// Why there is no copy.
enum Failure {
    Io(io::Error),
    Name,
    Running,
}

impl From<io::Error> for Failure {
    fn from(failure: io::Error) -> Self {
        Self::Io(failure)
    }
}

impl From<NameTooLong> for Failure {
    fn from(_: NameTooLong) -> Self {
        Self::Name
    }
}

impl Failure {
    /// What the disk says may pass, so the mail waits for it; a name never gets shorter.
    fn outcome(&self, recipient: &ForwardPath) -> Outcome {
        match self {
            Self::Io(failure) => {
                tracing::warn!(%failure, %recipient, "cannot deliver into the Maildir");
                Outcome::Deferred(match failure.kind() {
                    io::ErrorKind::QuotaExceeded => {
                        local(ReplyCode::INSUFFICIENT_STORAGE, 4, 2, 2, "mailbox full")
                    }
                    io::ErrorKind::StorageFull => {
                        local(ReplyCode::INSUFFICIENT_STORAGE, 4, 3, 1, "mail store full")
                    }
                    _ => local(ReplyCode::LOCAL_ERROR, 4, 3, 0, "mail store not available"),
                })
            }
            Self::Name => Outcome::Failed(local(
                ReplyCode::MAILBOX_UNAVAILABLE,
                5,
                1,
                1,
                "mailbox name too long for this mail store",
            )),
            Self::Running => {
                Outcome::Deferred(local(ReplyCode::MAILBOX_BUSY, 4, 2, 0, "delivery in progress"))
            }
        }
    }
}

fn local(code: ReplyCode, class: u8, subject: u16, detail: u16, text: &'static str) -> Status {
    let enhanced = match class {
        2 => EnhancedStatusCode::success(subject, detail),
        5 => EnhancedStatusCode::permanent(subject, detail),
        _ => EnhancedStatusCode::transient(subject, detail),
    };
    Status::local(AttemptStage::Agent, Reply::new(code, enhanced, text))
}
