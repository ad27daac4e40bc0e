//! Bodies: their ids, their checksums, and where they lie.

use bytes::Bytes;

use super::fields::{Fields, Malformed, put_list, put_number};

/// Octets that one checksum covers.
pub(super) const BLOCK_OCTETS: usize = 64 << 10;

const MESSAGE: u8 = 1;
const GENERATION: u8 = 2;
const OCTETS: u8 = 3;
const CRCS: u8 = 4;
const PLACE: u8 = 5;

/// A body's own id: the message that it came with, and which body of that message it is. Forks
/// share the body of their parent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct BodyId {
    pub(super) message: u64,
    pub(super) generation: u32,
}

impl BodyId {
    pub(super) fn of_message(message: u64) -> Self {
        Self { message, generation: 0 }
    }

    /// The file of a body that has one.
    pub(super) fn path(self) -> String {
        format!("{}/{}", self.folder(), self.name())
    }

    /// The file's folder: one of 256, chosen by the id's last octet, which spreads them evenly.
    pub(super) fn folder(self) -> String {
        format!("blob/{:02x}", self.message & 0xff)
    }

    pub(super) fn name(self) -> String {
        format!("{:016x}-{}", self.message, self.generation)
    }

    /// The id that a file's name gives.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        let (message, generation) = name.split_once('-')?;
        let message = u64::from_str_radix(message, 16).ok()?;
        let id = Self { message, generation: generation.parse().ok()? };
        (id.name() == name).then_some(id)
    }
}

/// A body, as an Accept record names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) id: BodyId,
    pub(super) octets: u64,
    /// CRC32C of each block of 64 KiB.
    pub(super) crcs: Vec<u32>,
    pub(super) place: Place,
}

/// Where a body lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the frame that names it.
    Inline,
    /// In the frame of another message that shares it.
    Elsewhere,
    /// In a file of its own.
    Blob,
}

impl Body {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_number(out, MESSAGE, self.id.message);
        put_number(out, GENERATION, self.id.generation.into());
        put_number(out, OCTETS, self.octets);
        put_list(out, CRCS, &self.crcs);
        let place = match self.place {
            Place::Inline => 1,
            Place::Elsewhere => 2,
            Place::Blob => 3,
        };
        put_number(out, PLACE, place);
    }

    pub(super) fn read(mut fields: Fields<'_>) -> Result<Self, Malformed> {
        let (mut id, mut octets, mut crcs, mut place) = (BodyId::default(), None, None, None);
        while let Some(field) = fields.next()? {
            match field.tag {
                MESSAGE => id.message = field.number()?,
                GENERATION => id.generation = field.number_u32()?,
                OCTETS => octets = Some(field.number()?),
                CRCS => crcs = Some(field.list()?),
                PLACE => place = Some(field.number()?),
                _ => {}
            }
        }
        let place = match place {
            Some(1) => Place::Inline,
            Some(2) => Place::Elsewhere,
            Some(3) => Place::Blob,
            _ => return Err(Malformed("a body that lies nowhere")),
        };
        let (Some(octets), Some(crcs)) = (octets, crcs) else {
            return Err(Malformed("a body without size or checksums"));
        };
        Ok(Self { id, octets, crcs, place })
    }

    /// Whether `octets` are this body.
    pub(super) fn verifies(&self, octets: &[u8]) -> bool {
        u64::try_from(octets.len()) == Ok(self.octets) && block_crcs(octets) == self.crcs
    }
}

/// The checksum of each block.
pub(super) fn block_crcs(octets: &[u8]) -> Vec<u32> {
    octets.chunks(BLOCK_OCTETS).map(crc32c::crc32c).collect()
}

/// Octets of a body as the log keeps them.
pub(super) fn body_octets(body: Option<&Bytes>) -> u64 {
    body.map_or(0, |body| u64::try_from(body.len()).unwrap_or(u64::MAX))
}
