//! One pass over content as it arrives: what the server, the queue and the logs want to know of
//! it. Pieces may be cut anywhere; the facts are the same.
//!
//! The header section is kept until it is complete and then read; of the body only the size, 8-bit
//! octets and line lengths are seen.

use memchr::memchr_iter;
use transom_types::{Domain, InternetMessageId};

use crate::fold::is_unsafe;
use crate::header::{Fields, HeaderField};

#[cfg(test)]
mod tests;

/// How far [`ContentScan`] looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanLimits {
    /// How much of a header section is examined (256 KiB, Exchange's `MaxHeaderSize`). What lies
    /// behind it counts as body, and [`ContentScan::header_too_large`] says so.
    pub header_octets_max: usize,
}

impl Default for ScanLimits {
    fn default() -> Self {
        Self { header_octets_max: 256 * 1024 }
    }
}

impl ScanLimits {
    /// With another size of the header section.
    #[must_use]
    pub fn with_header_octets_max(self, header_octets_max: usize) -> Self {
        Self { header_octets_max }
    }
}

/// What a [`ContentScan`] found. A queue keeps it with the message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever accepts a message")]
pub struct ContentFacts {
    /// Length of the content.
    pub octets: u64,
    /// Length of the header section, the empty line behind it not included; the limit where it is
    /// too large.
    pub header_octets: u64,
    /// Whether an octet above 127 stands anywhere.
    pub eight_bit: bool,
    /// Length of the longest line, without its line end.
    pub line_octets_max: u64,
    /// How many Received fields there are: hops.
    pub received_count: u32,
    /// How many of them say that this host wrote them: rounds through us.
    pub own_received_count: u32,
    /// The first Message-ID that is one.
    pub message_id: Option<InternetMessageId>,
    /// The first Subject, at most [`ContentScan::SUBJECT_CHARACTERS_MAX`] characters, control
    /// characters as `?`. Encoded words stay encoded.
    pub subject: Option<String>,
}

/// Gathers [`ContentFacts`] from pieces of content.
#[derive(Clone)]
pub struct ContentScan {
    limits: ScanLimits,
    own_host: Option<Domain>,
    facts: ContentFacts,
    /// The header section as far as it came; none once it was read.
    header: Option<Vec<u8>>,
    header_too_large: bool,
    /// Length of the line that is not yet complete, a CR at its end included.
    line_octets: u64,
    last_is_cr: bool,
}

impl ContentScan {
    /// Longest subject that is kept, in characters.
    pub const SUBJECT_CHARACTERS_MAX: usize = 255;

    /// A scan that has seen nothing.
    pub fn new(limits: ScanLimits) -> Self {
        Self {
            limits,
            own_host: None,
            facts: ContentFacts::default(),
            header: Some(Vec::new()),
            header_too_large: false,
            line_octets: 0,
            last_is_cr: false,
        }
    }

    /// Counts the Received fields that `host` wrote, for [`ContentFacts::own_received_count`].
    #[must_use]
    pub fn with_own_host(self, host: Domain) -> Self {
        Self { own_host: Some(host), ..self }
    }

    /// Takes the next piece.
    pub fn push(&mut self, piece: &[u8]) {
        self.facts.octets = self.facts.octets.saturating_add(length(piece));
        if !self.facts.eight_bit && !piece.is_ascii() {
            self.facts.eight_bit = true;
        }
        self.measure_lines(piece);
        if let Some(header) = self.header.take() {
            self.header = self.push_header(header, piece);
        }
    }

    /// Whether the header section is larger than [`ScanLimits::header_octets_max`]; the facts then
    /// come from its beginning.
    pub fn header_too_large(&self) -> bool {
        self.header_too_large
    }

    /// Length of the header section, the empty line behind it not included; none while it is not
    /// complete.
    pub fn header_octets(&self) -> Option<u64> {
        self.header.is_none().then_some(self.facts.header_octets)
    }

    /// What was found, the last line included even without a line end.
    pub fn finish(mut self) -> ContentFacts {
        if let Some(header) = self.header.take() {
            self.read_header(&header, length(&header));
        }
        let last_line = self.line_octets;
        self.facts.line_octets_max = self.facts.line_octets_max.max(last_line);
        self.facts
    }

    /// This is the whole cost of a body: one search for LF, and a subtraction a line.
    fn measure_lines(&mut self, piece: &[u8]) {
        let mut start = 0usize;
        for lf in memchr_iter(b'\n', piece) {
            let ends_in_cr = match lf.checked_sub(1) {
                Some(before) => piece.get(before) == Some(&b'\r'),
                None => self.last_is_cr,
            };
            let octets = self.line_octets.saturating_add(to_u64(lf.saturating_sub(start)));
            let octets = octets.saturating_sub(u64::from(ends_in_cr));
            self.facts.line_octets_max = self.facts.line_octets_max.max(octets);
            self.line_octets = 0;
            start = lf.saturating_add(1);
        }
        self.line_octets =
            self.line_octets.saturating_add(to_u64(piece.len().saturating_sub(start)));
        if let Some(last) = piece.last() {
            self.last_is_cr = *last == b'\r';
        }
    }

    /// Adds to the header section until its end or the limit; gives back what is to be gone on
    /// with.
    fn push_header(&mut self, mut header: Vec<u8>, piece: &[u8]) -> Option<Vec<u8>> {
        let room = self.limits.header_octets_max.saturating_sub(header.len());
        let examined = piece.get(..room).unwrap_or(piece);
        if header.is_empty() {
            // The usual case: the first piece holds the whole section, and nothing is copied.
            if let Some(end) = header_end(examined, 0) {
                let section = examined.get(..end).unwrap_or_default();
                self.read_header(section, length(section));
                return None;
            }
            header.extend_from_slice(examined);
        } else {
            // The empty line may have begun up to two octets before this piece.
            let from = header.len().saturating_sub(2);
            header.extend_from_slice(examined);
            if let Some(end) = header_end(&header, from) {
                header.truncate(end);
                self.read_header(&header, length(&header));
                return None;
            }
        }
        if examined.len() == piece.len() {
            return Some(header);
        }
        self.header_too_large = true;
        // The last line is cut somewhere: no fact comes from it.
        let whole_lines = memchr::memrchr(b'\n', &header).map_or(0, |lf| lf.saturating_add(1));
        let octets = length(&header);
        header.truncate(whole_lines);
        self.read_header(&header, octets);
        None
    }

    fn read_header(&mut self, section: &[u8], octets: u64) {
        self.facts.header_octets = octets;
        for field in Fields::of(section) {
            self.read_field(&field);
        }
    }

    fn read_field(&mut self, field: &HeaderField<'_>) {
        // Names by length first: most fields are none of these.
        match field.name().len() {
            7 if field.is("Subject") && self.facts.subject.is_none() => {
                self.facts.subject = Some(subject(&field.value()));
            }
            8 if field.is("Received") => {
                self.facts.received_count = self.facts.received_count.saturating_add(1);
                let own = self.own_host.as_ref().is_some_and(|own| is_by(field.raw_value(), own));
                let count = self.facts.own_received_count.saturating_add(u32::from(own));
                self.facts.own_received_count = count;
            }
            10 if field.is("Message-ID") && self.facts.message_id.is_none() => {
                self.facts.message_id = message_id(&field.value());
            }
            _ => {}
        }
    }
}

impl std::fmt::Debug for ContentScan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContentScan").field("octets", &self.facts.octets).finish_non_exhaustive()
    }
}

/// Where the header section ends, if its empty line begins at `from` or later. `from` is 0, or it
/// lies at most two octets before the place where a line is known to be not empty.
fn header_end(octets: &[u8], from: usize) -> Option<usize> {
    if from == 0 && is_empty_line_at(octets, 0) {
        return Some(0);
    }
    let tail = octets.get(from..)?;
    memchr_iter(b'\n', tail)
        .map(|lf| from.saturating_add(lf).saturating_add(1))
        .find(|line| is_empty_line_at(octets, *line))
}

fn is_empty_line_at(octets: &[u8], at: usize) -> bool {
    let rest = octets.get(at..).unwrap_or_default();
    rest.starts_with(b"\r\n") || rest.starts_with(b"\n")
}

/// Whether the `by` clause of a Received field names `host`. Comments are skipped: they hold what
/// a peer said. Case does not count.
fn is_by(value: &[u8], host: &Domain) -> bool {
    let mut depth = 0usize;
    let mut is_next = false;
    let separator = |octet: &u8| octet.is_ascii_whitespace() || matches!(octet, b'(' | b')' | b';');
    for piece in value.split_inclusive(separator) {
        let (word, end) = match piece.split_last() {
            Some((last, word)) if separator(last) => (word, Some(*last)),
            _ => (piece, None),
        };
        if depth == 0 && !word.is_empty() {
            // A client may call itself "by", so the search goes on where the name is another.
            if is_next && str::from_utf8(word).is_ok_and(|word| host == word) {
                return true;
            }
            is_next = word.eq_ignore_ascii_case(b"by");
        }
        match end {
            Some(b'(') => depth = depth.saturating_add(1),
            Some(b')') => depth = depth.saturating_sub(1),
            Some(b';') if depth == 0 => return false,
            _ => {}
        }
    }
    false
}

fn subject(value: &str) -> String {
    let clean = |c: char| if is_unsafe(c) { '?' } else { c };
    value.chars().take(ContentScan::SUBJECT_CHARACTERS_MAX).map(clean).collect()
}

/// The first thing in angle brackets: some writers put comments around it.
fn message_id(value: &str) -> Option<InternetMessageId> {
    let (_, from) = value.split_once('<')?;
    let (inner, _) = from.split_once('>')?;
    format!("<{inner}>").parse().ok()
}

fn length(octets: &[u8]) -> u64 {
    to_u64(octets.len())
}

fn to_u64(octets: usize) -> u64 {
    u64::try_from(octets).unwrap_or(u64::MAX)
}
