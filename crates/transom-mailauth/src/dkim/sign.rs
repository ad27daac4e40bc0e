//! Our own signatures.

use std::fmt::Write as _;
use std::time::Duration;

use super::ScannedContent;
use super::header::{Canonicalization, HeaderFields, write_relaxed};
use super::keys::{SignError, SigningKey};
use super::scan::SIGNED_BODY;
use super::signature::name;
use super::tags::base64_encode;

/// Fields that are signed as often as they occur and once more, so that none can be added (RFC 6376
/// §8.15).
const OVERSIGNED: [&str; 10] = [
    "from",
    "reply-to",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
];

/// Fields that are signed as often as they occur (RFC 6376 §5.4.1): mailing lists add some.
const SIGNED: [&str; 18] = [
    "sender",
    "in-reply-to",
    "references",
    "content-id",
    "content-description",
    "content-disposition",
    "content-language",
    "resent-date",
    "resent-from",
    "resent-sender",
    "resent-to",
    "resent-cc",
    "resent-message-id",
    "list-id",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "list-post",
    "feedback-id",
];

/// Longest line that we write; RFC 5322 §2.1.1 asks for 78.
const LINE_OCTETS: usize = 76;

/// Signs for one domain, with as many of its keys as it has: each makes a signature, and a receiver
/// takes the one it knows.
///
/// Both header section and body are signed in relaxed form, and the body as a whole.
#[derive(Debug)]
pub struct DkimSigner {
    domain: String,
    keys: Vec<(String, SigningKey)>,
    expiry: Option<Duration>,
}

impl DkimSigner {
    /// A signer without keys.
    ///
    /// # Errors
    ///
    /// [`SignError::Name`] where `domain` is none.
    pub fn new(domain: &str) -> Result<Self, SignError> {
        Ok(Self { domain: checked_name(domain)?, keys: Vec::new(), expiry: None })
    }

    /// The same with a key, whose public half stands at `selector`.
    ///
    /// # Errors
    ///
    /// [`SignError::Name`] where `selector` is none.
    pub fn with_key(mut self, selector: &str, key: SigningKey) -> Result<Self, SignError> {
        self.keys.push((checked_name(selector)?, key));
        Ok(self)
    }

    /// The same with signatures that expire (never). Mail may wait in queues for days.
    #[must_use]
    pub fn with_expiry(self, after: Duration) -> Self {
        Self { expiry: Some(after), ..self }
    }

    /// The fields to put before the content, one for each key, with CRLF.
    ///
    /// # Errors
    ///
    /// [`SignError`] where the content cannot be signed, or a key fails. Then nothing is signed.
    pub fn sign(&self, content: &ScannedContent, unix_seconds: u64) -> Result<String, SignError> {
        let (fields, body_hash) = signable(content)?;
        if self.keys.is_empty() {
            return Err(SignError::NoKey);
        }
        let names = chosen(fields);
        let mut chosen_octets = Vec::with_capacity(1024);
        fields.write_chosen(&names, Canonicalization::Relaxed, &mut chosen_octets);
        let mut out = String::new();
        for (selector, key) in &self.keys {
            let mut value = format!(" v=1; a={}; c=relaxed/relaxed;", key.algorithm());
            let expires = self.expiry.map(|after| unix_seconds.saturating_add(after.as_secs()));
            let tags = [
                Some(format!("d={};", self.domain)),
                Some(format!("s={selector};")),
                Some(format!("t={unix_seconds};")),
                expires.map(|expires| format!("x={expires};")),
            ];
            for tag in tags.iter().flatten() {
                push_folded(&mut value, tag);
            }
            push_names(&mut value, &names);
            push_folded(&mut value, &format!("bh={body_hash};"));
            value.push_str("\r\n\tb=");
            let mut octets = chosen_octets.clone();
            write_relaxed(b"dkim-signature", value.as_bytes(), &mut octets);
            let signature = base64_encode(&key.sign(&octets)?);
            push_wrapped(&mut value, &signature);
            _ = write!(out, "DKIM-Signature:{value}\r\n");
        }
        Ok(out)
    }
}

/// The fields, and the hash of the body in base64.
pub(crate) fn signable(content: &ScannedContent) -> Result<(&HeaderFields, String), SignError> {
    let fields = content.fields.as_ref().ok_or(SignError::HeaderTooLarge)?;
    let body = content.hash(SIGNED_BODY).ok_or(SignError::NotScanned)?;
    Ok((fields, base64_encode(&body.digest)))
}

pub(crate) fn checked_name(text: &str) -> Result<String, SignError> {
    name(text.as_bytes()).ok_or_else(|| SignError::Name { name: text.to_owned() })
}

/// Which fields are signed, in lower case.
fn chosen(fields: &HeaderFields) -> Vec<String> {
    let repeat = |name: &str, more: usize| {
        let times = fields.named(name).len().saturating_add(more);
        std::iter::repeat_n(name.to_owned(), times)
    };
    let oversigned = OVERSIGNED.iter().flat_map(|name| repeat(name, 1));
    oversigned.chain(SIGNED.iter().flat_map(|name| repeat(name, 0))).collect()
}

/// How long the last line is. The name of the field stands before the first.
fn last_line(value: &str) -> usize {
    match value.rfind('\n') {
        Some(at) => value.len().saturating_sub(at),
        None => value.len().saturating_add("DKIM-Signature:".len()),
    }
}

/// Writes a tag behind white space.
fn push_folded(value: &mut String, tag: &str) {
    let fits = last_line(value).saturating_add(tag.len()) < LINE_OCTETS;
    value.push_str(if fits { " " } else { "\r\n\t" });
    value.push_str(tag);
}

/// Writes `h=`; a line may end behind a colon.
fn push_names(value: &mut String, names: &[String]) {
    value.push_str("\r\n\th=");
    let mut line = 3usize;
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            value.push(':');
            line = line.saturating_add(1);
        }
        if line.saturating_add(name.len()) >= LINE_OCTETS {
            value.push_str("\r\n\t");
            line = 1;
        }
        value.push_str(name);
        line = line.saturating_add(name.len());
    }
    value.push(';');
}

/// Writes base64, which may be cut anywhere.
fn push_wrapped(value: &mut String, text: &str) {
    for (index, line) in text.as_bytes().chunks(LINE_OCTETS.saturating_sub(4)).enumerate() {
        if index > 0 {
            value.push_str("\r\n\t");
        }
        value.push_str(str::from_utf8(line).unwrap_or_default());
    }
}
