//! The file `FORMAT`: says that the folder is a spool, of which version, and which.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, IoSlice};

use super::frame::{Filler, u32_at};
use super::options::OpenError;
use crate::io::{OpenMode, SpoolIo};

/// The version of the format that this program reads and writes.
pub(super) const VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"TransomQ";
const OCTETS: usize = 32;
/// The content stands twice: one bad sector must not take the spool.
const SECOND: usize = 4096;
const PATH: &str = "FORMAT";
const NEW_PATH: &str = "FORMAT.new";
/// What a folder may hold before the spool in it is made: the traces of an attempt, and what a
/// file system keeps at its root.
const HARMLESS: [&str; 3] = ["LOCK", NEW_PATH, "lost+found"];

/// The spool's own number; none in a folder where a spool may be made. Changes nothing.
pub(super) fn read_format(io: &dyn SpoolIo) -> Result<Option<u128>, OpenError> {
    let file = match io.open(PATH, OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return check_empty(io).map(|()| None);
        }
        Err(error) => return Err(at(io, "read FORMAT", error)),
    };
    let mut octets = vec![0; SECOND.saturating_add(OCTETS)];
    let count = file.read_at(0, &mut octets).map_err(|error| at(io, "read FORMAT", error))?;
    octets.truncate(count);
    let first = parse(&octets);
    match first.or_else(|| parse(octets.get(SECOND..).unwrap_or_default())) {
        Some((VERSION, spool)) => Ok(Some(spool)),
        Some((version, _)) => Err(foreign(io, format!("FORMAT says version {version}"))),
        None => Err(foreign(io, "FORMAT is not one of a spool".into())),
    }
}

fn foreign(io: &dyn SpoolIo, found: String) -> OpenError {
    OpenError::ForeignFormat { spool: io.describe(), found, expected: VERSION }
}

/// Whether nothing is here that somebody could miss.
fn check_empty(io: &dyn SpoolIo) -> Result<(), OpenError> {
    let entries = io.list("").map_err(|error| at(io, "list the folder", error))?;
    match entries.into_iter().find(|entry| !HARMLESS.contains(&entry.name.as_str())) {
        None => Ok(()),
        Some(entry) => Err(OpenError::NotASpool { spool: io.describe(), found: entry.name }),
    }
}

/// Makes the file. All else in the folder comes after it is durable.
pub(super) fn write_format(io: &dyn SpoolIo) -> Result<u128, OpenError> {
    let spool = random_number();
    let octets = encode(spool).unwrap_or_default();
    // Left behind by an attempt that was cut off.
    drop(io.unlink(NEW_PATH));
    let written = io.open(NEW_PATH, OpenMode::CreateNew).and_then(|file| {
        file.write_all_at(0, &[IoSlice::new(&octets)])?;
        file.fdatasync()?;
        io.rename(NEW_PATH, PATH)?;
        io.fsync_dir("")
    });
    written.map_err(|error| at(io, "write FORMAT", error))?;
    Ok(spool)
}

/// 128 bits that no other store has: from the keys that the standard library takes from the
/// system for its hash tables.
pub(crate) fn random_number() -> u128 {
    let half = || u128::from(RandomState::new().build_hasher().finish());
    half() << 64 | half()
}

fn encode(spool: u128) -> Option<Vec<u8>> {
    let mut once = [0u8; OCTETS];
    let mut filler = Filler::new(&mut once);
    filler.put(MAGIC)?;
    filler.put(&VERSION.to_le_bytes())?;
    filler.put(&spool.to_le_bytes())?;
    let (checked, crc) = once.split_at_mut_checked(OCTETS - 4)?;
    crc.copy_from_slice(&crc32c::crc32c(checked).to_le_bytes());
    let mut octets = vec![0; SECOND];
    octets.get_mut(..OCTETS)?.copy_from_slice(&once);
    octets.extend_from_slice(&once);
    Some(octets)
}

fn parse(octets: &[u8]) -> Option<(u32, u128)> {
    let once = octets.get(..OCTETS)?;
    let valid = once.starts_with(MAGIC)
        && u32_at(once, OCTETS - 4)? == crc32c::crc32c(once.get(..OCTETS - 4)?);
    valid.then_some(())?;
    Some((u32_at(once, 8)?, u128::from_le_bytes(*once.get(12..)?.first_chunk()?)))
}

/// An error of the system, with what was tried.
pub(super) fn at(io: &dyn SpoolIo, action: &str, error: io::Error) -> OpenError {
    OpenError::Io { spool: io.describe(), action: action.to_owned(), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_copy_gives_version_and_number() {
        for bad in [0, SECOND] {
            let mut octets = encode(77).unwrap();
            octets[bad..bad + OCTETS].fill(0);
            let second = octets.get(SECOND..).unwrap();
            assert_eq!(parse(&octets).or_else(|| parse(second)), Some((VERSION, 77)));
        }
    }

    #[test]
    fn two_spools_have_two_numbers() {
        assert_ne!(random_number(), random_number());
    }
}
