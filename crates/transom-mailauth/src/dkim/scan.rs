//! The content, read once: what signatures there are, and the hashes that they and we need.

use transom_dns::DomainName;

use super::body::{BodyHash, BodyHasher, Wanted};
use super::header::{Canonicalization, HeaderFields};
use super::signature::{Kind, Signature, describe};
use super::tags::TagList;
use super::{DkimProblem, DkimVerdict};
use crate::arc::Chain;

/// Most signatures of one message that are verified; each costs a question to the DNS.
pub const SIGNATURES_MAX: usize = 10;
/// Longest header section that is looked at, in octets: four times what a session takes.
pub const HEADER_OCTETS_MAX: usize = 1024 * 1024;

/// What a signer hashes.
pub(crate) const SIGNED_BODY: Wanted = (Canonicalization::Relaxed, None);

/// Reads content in pieces of any size, as octets of the message format with CRLF. Keeps the header
/// section, and of the body hashes alone.
///
/// The result does not depend on how the content is cut into pieces.
#[derive(Debug)]
pub struct AuthenticationScan {
    wants_signing: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Header {
        octets: Vec<u8>,
        /// Where the last line begins.
        line: usize,
    },
    Body {
        content: Box<ScannedContent>,
        hashers: Vec<BodyHasher>,
    },
}

impl AuthenticationScan {
    /// A scan for those who verify.
    pub fn verifying() -> Self {
        Self { wants_signing: false, state: State::Header { octets: Vec::new(), line: 0 } }
    }

    /// A scan for those who sign or seal, and perhaps verify too.
    pub fn signing() -> Self {
        Self { wants_signing: true, ..Self::verifying() }
    }

    /// Reads the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        match &mut self.state {
            State::Body { hashers, .. } => {
                for hasher in hashers {
                    hasher.update(piece);
                }
            }
            State::Header { octets, line } => {
                let body = header_piece(octets, line, piece);
                let header = std::mem::take(octets);
                match body {
                    None if header.len() <= HEADER_OCTETS_MAX => *octets = header,
                    None => self.begin_body(header),
                    Some(body) => {
                        self.begin_body(header);
                        self.update(body);
                    }
                }
            }
        }
    }

    /// What was read. Content without an empty line has no body.
    pub fn finish(mut self) -> ScannedContent {
        if let State::Header { octets, .. } = &mut self.state {
            let header = std::mem::take(octets);
            self.begin_body(header);
        }
        let State::Body { mut content, hashers } = self.state else {
            return ScannedContent::default();
        };
        content.hashes = hashers.into_iter().flat_map(BodyHasher::finish).collect();
        *content
    }

    fn begin_body(&mut self, header: Vec<u8>) {
        let fields = Some(header).filter(|header| header.len() <= HEADER_OCTETS_MAX);
        let mut content = ScannedContent::default();
        if let Some(fields) = fields.and_then(HeaderFields::parse) {
            content.find_signatures(&fields);
            content.chain = Chain::parse(&fields);
            content.fields = Some(fields);
        }
        let mut wanted = content.wanted();
        if self.wants_signing && content.fields.is_some() && !wanted.contains(&SIGNED_BODY) {
            wanted.push(SIGNED_BODY);
        }
        let forms = [Canonicalization::Simple, Canonicalization::Relaxed].into_iter();
        let hashers = forms.filter_map(|form| {
            let of_form = |wanted: &&Wanted| wanted.0 == form;
            let mut limits = wanted.iter().filter(of_form).map(|(_, limit)| *limit).peekable();
            limits.peek()?;
            Some(BodyHasher::new(form, limits))
        });
        self.state = State::Body { hashers: hashers.collect(), content: Box::new(content) };
    }
}

/// Takes what belongs to the header section; gives the body once the section has ended. A section
/// that grows too large ends there, too.
fn header_piece<'p>(octets: &mut Vec<u8>, line: &mut usize, piece: &'p [u8]) -> Option<&'p [u8]> {
    let mut rest = piece;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let (head, behind) = rest.split_at_checked(end.saturating_add(1))?;
        octets.extend_from_slice(head);
        rest = behind;
        if matches!(octets.get(*line..), Some(b"\r\n" | b"\n")) {
            octets.truncate(*line);
            return Some(rest);
        }
        *line = octets.len();
        if octets.len() > HEADER_OCTETS_MAX {
            return None;
        }
    }
    octets.extend_from_slice(rest);
    None
}

/// Content that was read.
#[derive(Debug, Default)]
pub struct ScannedContent {
    /// `None` where the header section is too large.
    pub(crate) fields: Option<HeaderFields>,
    pub(crate) signatures: Vec<Found>,
    /// There are more signatures than are verified.
    pub(crate) has_more: bool,
    pub(crate) chain: Chain,
    hashes: Vec<(Wanted, BodyHash)>,
}

/// One field DKIM-Signature.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) index: usize,
    /// What is known before its key is.
    pub(crate) verdict: DkimVerdict,
    pub(crate) signature: Result<Signature, DkimProblem>,
}

impl ScannedContent {
    fn find_signatures(&mut self, fields: &HeaderFields) {
        let places = fields.named("dkim-signature");
        self.has_more = places.len() > SIGNATURES_MAX;
        let found = places.iter().take(SIGNATURES_MAX).map(|index| {
            let tags = TagList::parse(fields.value(*index));
            let verdict = tags.as_ref().map_or_else(DkimVerdict::unknown, describe);
            let signature = tags.ok_or(DkimProblem::Malformed);
            let signature = signature.and_then(|tags| Signature::parse(&tags, Kind::Dkim));
            Found { index: *index, verdict, signature }
        });
        self.signatures = found.collect();
    }

    /// The signatures that can be verified.
    fn readable(&self) -> impl Iterator<Item = &Signature> {
        let found = self.signatures.iter().filter_map(|found| found.signature.as_ref().ok());
        found.chain(self.chain.message_signature())
    }

    /// The hashes that the signatures need, each once.
    fn wanted(&self) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        for signature in self.readable() {
            if !wanted.contains(&signature.body) {
                wanted.push(signature.body);
            }
        }
        wanted
    }

    pub(crate) fn hash(&self, wanted: Wanted) -> Option<&BodyHash> {
        self.hashes.iter().find(|(of, _)| *of == wanted).map(|(_, hash)| hash)
    }

    /// The names of all keys that verifying needs, each once: at most ten for DKIM and 51 for ARC.
    pub fn key_names(&self) -> Vec<DomainName> {
        let mut names = Vec::new();
        let keys = self.readable().map(|signature| &signature.signer.key_name);
        for name in keys.chain(self.chain.seal_keys()) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }
}
