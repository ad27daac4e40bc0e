//! Tagged fields: `u8 tag | u32 length | value`, one behind the other. A reader skips tags that it
//! does not know, so a later version may add some.

use std::time::{Duration, SystemTime};

use super::frame::{u32_at, u64_at};

/// Octets that do not have the form that they should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Octets of a field beside its value.
const TAG_OCTETS: usize = 5;

/// Appends a field whose value `write` appends.
pub(crate) fn put_field(out: &mut Vec<u8>, tag: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    let start = out.len();
    write(out);
    // No record reaches 4 GiB: commits are bounded far below.
    let octets = u32::try_from(out.len().saturating_sub(start)).unwrap_or(u32::MAX);
    if let Some(length) = out.get_mut(at..start) {
        length.copy_from_slice(&octets.to_le_bytes());
    }
}

pub(crate) fn put_octets(out: &mut Vec<u8>, tag: u8, octets: &[u8]) {
    put_field(out, tag, |out| out.extend_from_slice(octets));
}

pub(crate) fn put_text(out: &mut Vec<u8>, tag: u8, text: Option<&str>) {
    if let Some(text) = text {
        put_octets(out, tag, text.as_bytes());
    }
}

/// Numbers are written without their upper zeros; 0 has no octets.
pub(crate) fn put_number(out: &mut Vec<u8>, tag: u8, number: u64) {
    let zeros = usize::try_from(number.leading_zeros() / 8).unwrap_or(0);
    let octets = number.to_le_bytes();
    put_octets(out, tag, octets.get(..8usize.saturating_sub(zeros)).unwrap_or(&octets));
}

/// A flag is there or not.
pub(crate) fn put_flag(out: &mut Vec<u8>, tag: u8, flag: bool) {
    if flag {
        put_octets(out, tag, &[]);
    }
}

pub(crate) fn put_time(out: &mut Vec<u8>, tag: u8, time: SystemTime) {
    let (negative, distance) = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(distance) => (0u8, distance),
        Err(error) => (1, error.duration()),
    };
    put_field(out, tag, |out| {
        out.extend_from_slice(&distance.as_secs().to_le_bytes());
        out.extend_from_slice(&distance.subsec_nanos().to_le_bytes());
        out.push(negative);
    });
}

/// A list of 32-bit numbers.
pub(crate) fn put_list(out: &mut Vec<u8>, tag: u8, list: &[u32]) {
    put_field(out, tag, |out| {
        for number in list {
            out.extend_from_slice(&number.to_le_bytes());
        }
    });
}

/// Reads fields.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

/// One field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) tag: u8,
    pub(crate) value: &'a [u8],
    /// The field as it stands, tag and length included.
    pub(crate) whole: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    /// The next field; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Field<'a>>, Malformed> {
        let Some(&tag) = self.rest.first() else {
            return Ok(None);
        };
        let split = u32_at(self.rest, 1)
            .and_then(|octets| usize::try_from(octets).ok()?.checked_add(TAG_OCTETS))
            .and_then(|octets| self.rest.split_at_checked(octets));
        let Some((whole, rest)) = split else {
            return Err(Malformed("a field reaches beyond its record"));
        };
        self.rest = rest;
        let value = whole.get(TAG_OCTETS..).unwrap_or_default();
        Ok(Some(Field { tag, value, whole }))
    }
}

impl<'a> Field<'a> {
    pub(crate) fn number(&self) -> Result<u64, Malformed> {
        let mut octets = [0u8; 8];
        let target = octets.get_mut(..self.value.len());
        target.ok_or(Malformed("a number has more than 64 bits"))?.copy_from_slice(self.value);
        Ok(u64::from_le_bytes(octets))
    }

    pub(crate) fn number_u32(&self) -> Result<u32, Malformed> {
        u32::try_from(self.number()?).map_err(|_| Malformed("a number has more than 32 bits"))
    }

    pub(crate) fn text(&self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.value).map_err(|_| Malformed("a text is not UTF-8"))
    }

    pub(crate) fn string(&self) -> Result<String, Malformed> {
        self.text().map(str::to_owned)
    }

    pub(crate) fn time(&self) -> Result<SystemTime, Malformed> {
        let wrong = Malformed("a time is out of range");
        let seconds = u64_at(self.value, 0).ok_or(wrong)?;
        let nanos = u32_at(self.value, 8).filter(|&nanos| nanos < 1_000_000_000).ok_or(wrong)?;
        let distance = Duration::new(seconds, nanos);
        let time = match self.value.get(12) {
            Some(0) => SystemTime::UNIX_EPOCH.checked_add(distance),
            Some(1) => SystemTime::UNIX_EPOCH.checked_sub(distance),
            _ => None,
        };
        time.ok_or(wrong)
    }

    pub(crate) fn list(&self) -> Result<Vec<u32>, Malformed> {
        let (numbers, rest) = self.value.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(Malformed("a list ends within a number"));
        }
        Ok(numbers.iter().map(|octets| u32::from_le_bytes(*octets)).collect())
    }

    pub(crate) fn fields(&self) -> Fields<'a> {
        Fields::new(self.value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn only(octets: &[u8]) -> Field<'_> {
        let mut fields = Fields::new(octets);
        let field = fields.next().unwrap().unwrap();
        assert!(fields.next().unwrap().is_none());
        field
    }

    proptest! {
        #[test]
        fn numbers_times_and_lists_read_back(
            number: u64,
            list: Vec<u32>,
            seconds in 0u64..1 << 40,
            nanos in 0u32..1_000_000_000,
            before: bool,
        ) {
            let mut out = Vec::new();
            put_number(&mut out, 1, number);
            prop_assert_eq!(only(&out).number(), Ok(number));
            out.clear();
            put_list(&mut out, 2, &list);
            prop_assert_eq!(only(&out).list(), Ok(list));
            out.clear();
            let distance = Duration::new(seconds, nanos);
            let epoch = SystemTime::UNIX_EPOCH;
            let time = if before { epoch - distance } else { epoch + distance };
            put_time(&mut out, 3, time);
            prop_assert_eq!(only(&out).time(), Ok(time));
        }

        #[test]
        fn any_octets_are_read_without_panic(octets: Vec<u8>) {
            let mut fields = Fields::new(&octets);
            while let Ok(Some(field)) = fields.next() {
                let _ = (field.number(), field.text(), field.time(), field.list());
            }
        }
    }
}
