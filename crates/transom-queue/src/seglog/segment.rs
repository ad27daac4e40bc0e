//! Segment files: their names and headers.

use super::frame::{Filler, Seed, u16_at, u32_at, u64_at};

/// Octets before the first frame: the header stands at 0 and, once more, in the middle.
pub(super) const DATA_START: u64 = 8192;
const SECOND_HEADER: usize = 4096;
const HEADER_OCTETS: usize = 60;
const CHECKED_OCTETS: usize = HEADER_OCTETS - 4;
const VERSION: u16 = 1;
const MAGIC: u32 = u32::from_le_bytes(*b"TrSg");

/// The header of a segment. It is written twice, because all octets of the segment are void
/// without it: one bad sector must not take them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) segment: u32,
    pub(super) epoch: u32,
    /// The segment before it, where the same boot wrote that too; else 0.
    pub(super) previous: u32,
    /// Where the segment before it ends. All there is durable.
    pub(super) previous_end: u64,
    /// Tells machine boots apart: changes when the machine restarts.
    pub(super) machine: u64,
}

impl SegmentHeader {
    /// The first [`DATA_START`] octets of the file.
    pub(super) fn encode(&self, spool: u128) -> Option<Vec<u8>> {
        let mut header = [0u8; HEADER_OCTETS];
        let mut filler = Filler::new(&mut header);
        filler.put(&MAGIC.to_le_bytes())?;
        filler.put(&VERSION.to_le_bytes())?;
        filler.put(&[0; 2])?;
        filler.put(&spool.to_le_bytes())?;
        filler.put(&self.segment.to_le_bytes())?;
        filler.put(&self.epoch.to_le_bytes())?;
        filler.put(&self.previous.to_le_bytes())?;
        filler.put(&[0; 4])?;
        filler.put(&self.previous_end.to_le_bytes())?;
        filler.put(&self.machine.to_le_bytes())?;
        let crc = crc32c::crc32c(header.get(..CHECKED_OCTETS)?);
        header.get_mut(CHECKED_OCTETS..)?.copy_from_slice(&crc.to_le_bytes());
        let mut octets = vec![0; usize::try_from(DATA_START).ok()?];
        octets.get_mut(..HEADER_OCTETS)?.copy_from_slice(&header);
        octets.get_mut(SECOND_HEADER..)?.get_mut(..HEADER_OCTETS)?.copy_from_slice(&header);
        Some(octets)
    }

    /// The header in the first octets of a file; none when neither copy is one of this spool.
    pub(super) fn read(octets: &[u8], spool: u128) -> Option<Self> {
        let second = octets.get(SECOND_HEADER..).unwrap_or_default();
        Self::read_one(octets, spool).or_else(|| Self::read_one(second, spool))
    }

    fn read_one(octets: &[u8], spool: u128) -> Option<Self> {
        let header = octets.get(..HEADER_OCTETS)?;
        let valid = u32_at(header, 0)? == MAGIC
            && crc32c::crc32c(header.get(..CHECKED_OCTETS)?) == u32_at(header, CHECKED_OCTETS)?
            && u16_at(header, 4)? == VERSION
            && header.get(8..24)? == spool.to_le_bytes();
        valid.then_some(())?;
        Some(Self {
            segment: u32_at(header, 24)?,
            epoch: u32_at(header, 28)?,
            previous: u32_at(header, 32)?,
            previous_end: u64_at(header, 40)?,
            machine: u64_at(header, 48)?,
        })
    }

    pub(super) fn seed(&self, spool: u128) -> Seed {
        Seed::new(spool, self.segment, self.epoch)
    }
}

/// The file of a segment.
pub(super) fn segment_path(segment: u32) -> String {
    format!("log/{segment:016}.seg")
}

/// The number in the name of a segment file.
pub(super) fn segment_number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".seg").filter(|digits| digits.len() == 16)?;
    digits.bytes().all(|octet| octet.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// A number for the text that names this boot of the machine.
pub(super) fn machine_number(boot_id: &str) -> u64 {
    // FNV-1a: two boots of one machine must differ, no more is asked for.
    boot_id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: SegmentHeader =
        SegmentHeader { segment: 7, epoch: 3, previous: 6, previous_end: 9_000, machine: 42 };

    #[test]
    fn either_copy_of_the_header_is_enough() {
        for bad in [0, SECOND_HEADER] {
            let mut octets = HEADER.encode(5).unwrap();
            octets[bad..bad + 512].fill(0xa5);
            assert_eq!(SegmentHeader::read(&octets, 5), Some(HEADER));
        }
    }

    #[test]
    fn header_of_another_spool_is_none() {
        let octets = HEADER.encode(5).unwrap();
        assert_eq!(SegmentHeader::read(&octets, 6), None);
        assert_eq!(SegmentHeader::read(&octets[..20], 5), None);
    }

    #[test]
    fn names_and_numbers_agree() {
        assert_eq!(segment_path(17), "log/0000000000000017.seg");
        assert_eq!(segment_number("0000000000000017.seg"), Some(17));
        for name in ["17.seg", "0000000000000017", "+000000000000017.seg", "9999999999999999.seg"] {
            assert_eq!(segment_number(name), None, "{name}");
        }
    }
}
