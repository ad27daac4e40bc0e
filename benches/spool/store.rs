//! What all stores have in common.

use std::path::Path;

use crate::Fault;
use crate::files::Files;
use crate::fjall_store::FjallStore;
use crate::mail::Message;
use crate::ours::Ours;
use crate::sqlite::Sqlite;

/// Which store.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Ours,
    Files,
    Sqlite,
    Fjall,
    /// None: see [`crate::floor`].
    Floor,
}

/// A store that is open.
pub(crate) trait Store: Sync {
    /// Keeps a message; it is durable when this returns.
    fn put(&self, number: u64, message: &Message) -> Result<(), Fault>;

    /// Ends it, and says how often it synced: for `SQLite` and fjall once for each commit, their
    /// work in the background is not counted.
    fn close(self: Box<Self>) -> Result<u64, Fault>;
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Files => "files",
            Self::Sqlite => "sqlite",
            Self::Fjall => "fjall",
            Self::Floor => "floor",
        }
    }

    /// Opens it in an empty folder.
    pub(crate) fn open(self, folder: &Path) -> Result<Box<dyn Store>, Fault> {
        Ok(match self {
            Self::Ours => Box::new(Ours::open(folder)?),
            Self::Files => Box::new(Files::open(folder)?),
            Self::Sqlite => Box::new(Sqlite::open(folder)?),
            Self::Fjall => Box::new(FjallStore::open(folder)?),
            Self::Floor => return Err("the floor is no store".into()),
        })
    }

    /// Opens it again, and counts the messages of `octets` in envelope and body.
    pub(crate) fn count(self, folder: &Path, octets: usize) -> Result<u64, Fault> {
        match self {
            Self::Ours => crate::ours::count(folder),
            Self::Files => crate::files::count(folder, octets),
            Self::Sqlite => crate::sqlite::count(folder, octets),
            Self::Fjall => crate::fjall_store::count(folder, octets),
            Self::Floor => crate::floor::count(folder, octets),
        }
    }
}
