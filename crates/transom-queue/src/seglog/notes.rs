//! Notes: what must outlive messages. Their values are small and held in the index; the log keeps
//! them, and carries them forward, as it does messages.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::fields::{Fields, Malformed, put_octets, put_text, put_time};
use super::frame::Lsn;
use crate::spool::Note;

const KEY: u8 = 1;
const VALUE: u8 = 2;
const UNTIL: u8 = 3;

/// A note, and the record that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredNote {
    pub(super) lsn: Lsn,
    pub(super) octets: u64,
    pub(super) note: Note,
}

/// Notes by key. In changes none is one that was removed.
pub(super) type Notes<V> = BTreeMap<String, V>;

pub(super) fn put_note(out: &mut Vec<u8>, note: &Note) {
    put_text(out, KEY, Some(&note.key));
    if let Some(value) = &note.value {
        put_octets(out, VALUE, value);
    }
    if let Some(until) = note.until {
        put_time(out, UNTIL, until);
    }
}

pub(super) fn read_note(record: &[u8]) -> Result<Note, Malformed> {
    let (mut key, mut value, mut until) = (None, None, None);
    let mut fields = Fields::new(record);
    while let Some(field) = fields.next()? {
        match field.tag {
            KEY => key = Some(field.string()?),
            VALUE => value = Some(field.value.to_vec().into()),
            UNTIL => until = Some(field.time()?),
            _ => {}
        }
    }
    Ok(Note { key: key.ok_or(Malformed("a note without key"))?, value, until })
}

/// The notes whose keys begin with `prefix` and whose time is not over.
pub(super) fn find(notes: &Notes<StoredNote>, prefix: &str, now: SystemTime) -> Vec<Note> {
    let here = notes.range(prefix.to_owned()..).map(|(_, stored)| &stored.note);
    let here = here.take_while(|note| note.key.starts_with(prefix));
    here.filter(|note| !note.is_over(now)).cloned().collect()
}
