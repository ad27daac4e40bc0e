//! `SQLite`, as a queue of mail would use it with care.

use std::path::Path;

use rusqlite::Connection;

use crate::Fault;
use crate::group::{Group, Request};
use crate::mail::Message;
use crate::store::Store;

const NAME: &str = "mail.sqlite";

pub(crate) struct Sqlite(Group);

impl Sqlite {
    pub(crate) fn open(folder: &Path) -> Result<Self, Fault> {
        let mut connection = connect(folder)?;
        connection.execute_batch(
            "CREATE TABLE message (id INTEGER PRIMARY KEY, envelope BLOB NOT NULL, \
             body BLOB NOT NULL)",
        )?;
        Ok(Self(Group::start(move |batch| write(&mut connection, batch))))
    }
}

fn connect(folder: &Path) -> Result<Connection, Fault> {
    let connection = Connection::open(folder.join(NAME))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4096)?;
    connection.pragma_update(None, "cache_size", -65_536)?;
    Ok(connection)
}

fn write(connection: &mut Connection, batch: &[Request]) -> Result<(), Fault> {
    let transaction = connection.transaction()?;
    {
        let sql = "INSERT INTO message (id, envelope, body) VALUES (?1, ?2, ?3)";
        let mut insert = transaction.prepare_cached(sql)?;
        for request in batch {
            let id = i64::try_from(request.number)?;
            insert.execute((id, &request.envelope[..], &request.body[..]))?;
        }
    }
    Ok(transaction.commit()?)
}

impl Store for Sqlite {
    fn put(&self, number: u64, message: &Message) -> Result<(), Fault> {
        self.0.put(number, message)
    }

    fn close(self: Box<Self>) -> Result<u64, Fault> {
        self.0.close()
    }
}

pub(crate) fn count(folder: &Path, octets: usize) -> Result<u64, Fault> {
    let connection = connect(folder)?;
    let sql = "SELECT count(*) FROM message WHERE length(envelope) + length(body) = ?1";
    let count: i64 = connection.query_row(sql, [i64::try_from(octets)?], |row| row.get(0))?;
    Ok(u64::try_from(count)?)
}
