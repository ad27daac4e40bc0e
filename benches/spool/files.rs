//! A file for each message: its octets and its name are synced before it counts.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Fault;
use crate::mail::Message;
use crate::store::Store;

pub(crate) struct Files {
    path: PathBuf,
    folder: File,
    syncs: AtomicU64,
}

impl Files {
    pub(crate) fn open(path: &Path) -> Result<Self, Fault> {
        let (folder, syncs) = (File::open(path)?, AtomicU64::new(0));
        Ok(Self { path: path.to_owned(), folder, syncs })
    }
}

impl Store for Files {
    fn put(&self, number: u64, message: &Message) -> Result<(), Fault> {
        let mut file = File::create_new(self.path.join(number.to_string()))?;
        file.write_all(&message.envelope)?;
        file.write_all(&message.body)?;
        file.sync_all()?;
        self.folder.sync_all()?;
        self.syncs.fetch_add(2, Ordering::Relaxed);
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<u64, Fault> {
        Ok(self.syncs.into_inner())
    }
}

pub(crate) fn count(folder: &Path, octets: usize) -> Result<u64, Fault> {
    let mut found = 0;
    for entry in fs::read_dir(folder)? {
        found += u64::from(entry?.metadata()?.len() == octets as u64);
    }
    Ok(found)
}
