//! fjall 3, a log-structured tree.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode};

use crate::Fault;
use crate::group::{Group, Request};
use crate::mail::Message;
use crate::store::Store;

pub(crate) struct FjallStore(Group);

impl FjallStore {
    pub(crate) fn open(folder: &Path) -> Result<Self, Fault> {
        let (database, messages) = connect(folder)?;
        let mut value = Vec::new();
        Ok(Self(Group::start(move |batch| write(&database, &messages, &mut value, batch))))
    }
}

fn connect(folder: &Path) -> Result<(Database, Keyspace), Fault> {
    let database = Database::builder(folder).open()?;
    let options = || {
        let apart = KvSeparationOptions::default();
        KeyspaceCreateOptions::default().with_kv_separation(Some(apart))
    };
    let messages = database.keyspace("messages", options)?;
    Ok((database, messages))
}

fn write(
    database: &Database,
    messages: &Keyspace,
    value: &mut Vec<u8>,
    requests: &[Request],
) -> Result<(), Fault> {
    let mut batch = database.batch().durability(Some(PersistMode::SyncData));
    for request in requests {
        value.clear();
        value.extend_from_slice(&request.envelope);
        value.extend_from_slice(&request.body);
        batch.insert(messages, request.number.to_be_bytes(), &value[..]);
    }
    Ok(batch.commit()?)
}

impl Store for FjallStore {
    fn put(&self, number: u64, message: &Message) -> Result<(), Fault> {
        self.0.put(number, message)
    }

    fn close(self: Box<Self>) -> Result<u64, Fault> {
        self.0.close()
    }
}

pub(crate) fn count(folder: &Path, octets: usize) -> Result<u64, Fault> {
    let (_database, messages) = connect(folder)?;
    let mut found = 0;
    for entry in messages.iter() {
        found += u64::from(entry.size()? as usize == octets);
    }
    Ok(found)
}
