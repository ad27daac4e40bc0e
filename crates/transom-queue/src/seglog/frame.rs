//! The frame: what every record in the log is wrapped in.
//!
//! ```text
//! u32 magic | u32 len | u8 type | u8 flags | u16 version | u64 lsn | u64 batch | u64 message id
//! u64 prev lsn | u32 payload crc | u32 header crc | payload | zeros to a multiple of 8
//! ```
//!
//! All numbers are little-endian. Both checksums are CRC32C and seeded with the spool's uuid, the
//! segment's number and its epoch, so octets of another spool, segment or boot never verify. The
//! payload's checksum is joined with the seed by exclusive or: whoever encodes a record does not
//! know yet where it will stand. A payload with a body is `u32 length of the record | record |
//! body`, and its checksum covers all but the body, which the record has checksums for.

/// Size of a frame's header.
pub(crate) const HEADER_OCTETS: usize = 52;
/// Frames begin at multiples of this.
pub(crate) const ALIGNMENT: usize = 8;
/// The payload carries a body behind the record.
pub(crate) const FLAG_BODY: u8 = 1;
/// Version of the records.
const VERSION: u16 = 1;
const MAGIC: u32 = u32::from_le_bytes(*b"TrFr");
/// Octets that the header's checksum covers: all before it.
const CHECKED_OCTETS: usize = HEADER_OCTETS - 4;

/// A place in the log: segment number, then offset in its file. Grows with time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Lsn(pub(crate) u64);

impl Lsn {
    pub(crate) fn new(segment: u32, offset: u32) -> Self {
        Self(u64::from(segment) << 32 | u64::from(offset))
    }

    pub(crate) fn segment(self) -> u32 {
        u32::try_from(self.0 >> 32).unwrap_or(u32::MAX)
    }

    pub(crate) fn offset(self) -> u32 {
        u32::try_from(self.0 & 0xffff_ffff).unwrap_or(u32::MAX)
    }
}

/// What a record is. The numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordType {
    Boot,
    Stop,
    Accept,
    Categorized,
    Intent,
    Outcome,
    Complete,
    Admin,
    Note,
    BatchCommit,
    Edit,
    /// 10 is free: the end of a failed segment is voided by the header of the next one.
    Other(u8),
}

impl RecordType {
    fn octet(self) -> u8 {
        match self {
            Self::Boot => 1,
            Self::Stop => 2,
            Self::Accept => 3,
            Self::Categorized => 4,
            Self::Intent => 5,
            Self::Outcome => 6,
            Self::Complete => 7,
            Self::Admin => 8,
            Self::Note => 9,
            Self::BatchCommit => 11,
            Self::Edit => 12,
            Self::Other(octet) => octet,
        }
    }

    pub(crate) fn from_octet(octet: u8) -> Self {
        match octet {
            1 => Self::Boot,
            2 => Self::Stop,
            3 => Self::Accept,
            4 => Self::Categorized,
            5 => Self::Intent,
            6 => Self::Outcome,
            7 => Self::Complete,
            8 => Self::Admin,
            9 => Self::Note,
            11 => Self::BatchCommit,
            12 => Self::Edit,
            other => Self::Other(other),
        }
    }
}

/// Start value of all checksums in one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(u32);

impl Seed {
    pub(crate) fn new(spool: u128, segment: u32, epoch: u32) -> Self {
        let crc = crc32c::crc32c(&spool.to_le_bytes());
        let crc = crc32c::crc32c_append(crc, &segment.to_le_bytes());
        Self(crc32c::crc32c_append(crc, &epoch.to_le_bytes()))
    }

    /// The checksum of `octets` in this segment.
    pub(crate) fn checksum(self, octets: &[u8]) -> u32 {
        crc32c::crc32c_append(self.0, octets)
    }

    /// Ties the plain checksum of a payload to this segment, and unties it again.
    pub(crate) fn tie(self, crc: u32) -> u32 {
        crc ^ self.0
    }
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Octets of the payload, body included.
    pub(crate) len: u32,
    pub(crate) kind: RecordType,
    pub(crate) flags: u8,
    pub(crate) lsn: Lsn,
    pub(crate) batch: u64,
    /// The message; 0 where the record is about none.
    pub(crate) id: u64,
    /// The message's record before this one; 0 at an Accept.
    pub(crate) prev: Lsn,
    /// Plain checksum of the record, not tied to the segment.
    pub(crate) payload_crc: u32,
}

impl Header {
    /// Writes the header into the first octets of `frame` and gives its checksum.
    pub(crate) fn write_to(&self, frame: &mut [u8], seed: Seed) -> Option<u32> {
        let mut header = [0u8; HEADER_OCTETS];
        let mut filler = Filler::new(&mut header);
        filler.put(&MAGIC.to_le_bytes())?;
        filler.put(&self.len.to_le_bytes())?;
        filler.put(&[self.kind.octet(), self.flags])?;
        filler.put(&VERSION.to_le_bytes())?;
        filler.put(&self.lsn.0.to_le_bytes())?;
        filler.put(&self.batch.to_le_bytes())?;
        filler.put(&self.id.to_le_bytes())?;
        filler.put(&self.prev.0.to_le_bytes())?;
        filler.put(&seed.tie(self.payload_crc).to_le_bytes())?;
        let crc = seed.checksum(header.get(..CHECKED_OCTETS)?);
        header.get_mut(CHECKED_OCTETS..)?.copy_from_slice(&crc.to_le_bytes());
        frame.get_mut(..HEADER_OCTETS)?.copy_from_slice(&header);
        Some(crc)
    }

    /// The header at the start of `octets`, and its checksum; none unless it verifies.
    pub(crate) fn read(octets: &[u8], seed: Seed) -> Option<(Self, u32)> {
        let header: &[u8; HEADER_OCTETS] = octets.first_chunk()?;
        if u32_at(header, 0)? != MAGIC {
            return None;
        }
        let crc = u32_at(header, CHECKED_OCTETS)?;
        if seed.checksum(header.get(..CHECKED_OCTETS)?) != crc {
            return None;
        }
        let header = Self {
            len: u32_at(header, 4)?,
            kind: RecordType::from_octet(*header.get(8)?),
            flags: *header.get(9)?,
            lsn: Lsn(u64_at(header, 12)?),
            batch: u64_at(header, 20)?,
            id: u64_at(header, 28)?,
            prev: Lsn(u64_at(header, 36)?),
            payload_crc: seed.tie(u32_at(header, 44)?),
        };
        Some((header, crc))
    }

    /// Octets from this frame's start to the next frame's.
    pub(crate) fn frame_octets(&self) -> u64 {
        frame_octets(u64::from(self.len))
    }

    /// Whether a body follows the record.
    pub(crate) fn has_body(&self) -> bool {
        self.flags & FLAG_BODY != 0
    }
}

/// Octets of a frame with `len` octets of payload, padding included.
pub(crate) fn frame_octets(len: u64) -> u64 {
    let alignment = u64::try_from(ALIGNMENT).unwrap_or(8);
    let header = u64::try_from(HEADER_OCTETS).unwrap_or(52);
    len.saturating_add(header).checked_next_multiple_of(alignment).unwrap_or(u64::MAX)
}

/// Fills octets from the front.
pub(crate) struct Filler<'a> {
    rest: &'a mut [u8],
}

impl<'a> Filler<'a> {
    pub(crate) fn new(octets: &'a mut [u8]) -> Self {
        Self { rest: octets }
    }

    /// Puts `octets` next; none when there is no room.
    pub(crate) fn put(&mut self, octets: &[u8]) -> Option<()> {
        let (front, back) = std::mem::take(&mut self.rest).split_at_mut_checked(octets.len())?;
        front.copy_from_slice(octets);
        self.rest = back;
        Some(())
    }
}

pub(crate) fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*octets.get(at..)?.first_chunk()?))
}

pub(crate) fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*octets.get(at..)?.first_chunk()?))
}

pub(crate) fn u64_at(octets: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*octets.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(len: u32, kind: u8, id: u64) -> Header {
        Header {
            len,
            kind: RecordType::from_octet(kind),
            flags: FLAG_BODY,
            lsn: Lsn::new(7, 8192),
            batch: 3,
            id,
            prev: Lsn::new(6, 9000),
            payload_crc: 0xdead_beef,
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(len: u32, kind: u8, id: u64) {
            let (header, seed) = (header(len, kind, id), Seed::new(5, 7, 1));
            let mut octets = vec![0; HEADER_OCTETS];
            let crc = header.write_to(&mut octets, seed).unwrap();
            prop_assert_eq!(Header::read(&octets, seed), Some((header, crc)));
        }

        #[test]
        fn one_wrong_bit_is_seen(bit in 0..HEADER_OCTETS * 8) {
            let seed = Seed::new(5, 7, 1);
            let mut octets = vec![0; HEADER_OCTETS];
            header(10, 3, 1).write_to(&mut octets, seed).unwrap();
            octets[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Header::read(&octets, seed), None);
        }
    }

    #[test]
    fn octets_of_another_spool_segment_or_boot_do_not_verify() {
        let mut octets = vec![0; HEADER_OCTETS];
        header(10, 3, 1).write_to(&mut octets, Seed::new(5, 7, 1)).unwrap();
        for seed in [Seed::new(6, 7, 1), Seed::new(5, 8, 1), Seed::new(5, 7, 2)] {
            assert_eq!(Header::read(&octets, seed), None);
        }
    }

    #[test]
    fn frames_end_at_multiples_of_eight() {
        for len in 0..64 {
            let octets = frame_octets(len);
            assert!(
                octets.is_multiple_of(8) && (52 + len..60 + len).contains(&octets),
                "{len}: {octets}"
            );
        }
        assert_eq!(frame_octets(u64::MAX), u64::MAX);
    }
}
