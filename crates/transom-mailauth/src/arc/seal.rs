//! Our own links of chains.

use super::chain::{MESSAGE, RESULTS, SEAL, SETS_MAX};
use super::{ArcResult, ArcVerdict};
use crate::dkim::{
    Canonicalization, ScannedContent, SignError, SigningKey, base64_encode, checked_name, signable,
    write_relaxed,
};

/// Fields that are signed as often as they occur.
const SIGNED: [&str; 16] = [
    "from",
    "reply-to",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "sender",
    "list-id",
    "list-unsubscribe",
    "dkim-signature",
];

/// Seals what we hand on, so that others may believe what we found although we changed it.
#[derive(Debug)]
pub struct ArcSealer {
    domain: String,
    selector: String,
    key: SigningKey,
    fields: Option<Vec<String>>,
}

impl ArcSealer {
    /// Seals for `domain`, with the key whose public half stands at `selector`.
    ///
    /// # Errors
    ///
    /// [`SignError::Name`] where one of the names is none.
    pub fn new(domain: &str, selector: &str, key: SigningKey) -> Result<Self, SignError> {
        let (domain, selector) = (checked_name(domain)?, checked_name(selector)?);
        Ok(Self { domain, selector, key, fields: None })
    }

    /// The same with these fields signed, each name once for each field.
    #[must_use]
    pub fn with_fields(self, names: &[&str]) -> Self {
        Self { fields: Some(names.iter().map(|name| name.to_ascii_lowercase()).collect()), ..self }
    }

    /// The three fields to put before the content, with CRLF: what we found (`results`, beginning
    /// with our authserv-id) on mail that came with the chain `found`. The content is that which
    /// goes out.
    ///
    /// # Errors
    ///
    /// [`SignError`]: a chain that could not be judged, that broke before us by its own words, or
    /// that is full takes no more ([`SignError::Chain`]).
    pub fn seal(
        &self,
        content: &ScannedContent,
        found: &ArcVerdict,
        results: &str,
        unix_seconds: u64,
    ) -> Result<String, SignError> {
        let (fields, body_hash) = signable(content)?;
        let chain = &content.chain;
        let instance = chain.highest.saturating_add(1);
        let validation = match found.result {
            // [RFC 8617 §5.1] a chain that says itself that it broke gets no more links.
            _ if found.is_sealed_broken() || instance > SETS_MAX => return Err(SignError::Chain),
            ArcResult::None | ArcResult::Pass | ArcResult::Fail => found.result.as_str(),
            ArcResult::TempError => return Err(SignError::Chain),
        };
        let results = format!(" i={instance}; {}", one_line(results));
        let names = self.fields.clone().unwrap_or_else(|| {
            let times = |name: &str| fields.named(name).len();
            let repeat = |name: &&str| std::iter::repeat_n((*name).to_owned(), times(name));
            SIGNED.iter().flat_map(repeat).collect()
        });
        let mut octets = Vec::with_capacity(1024);
        fields.write_chosen(&names, Canonicalization::Relaxed, &mut octets);
        let (names, algorithm) = (names.join(":"), self.key.algorithm());
        let (domain, selector) = (&self.domain, &self.selector);
        let message = self.signed(MESSAGE, octets, |signature| {
            format!(
                " a={algorithm};\r\n\tb={signature};\r\n\tbh={body_hash};\r\n\tc=relaxed/relaxed; \
                 d={domain};\r\n\th={names};\r\n\ti={instance}; s={selector}; t={unix_seconds}"
            )
        })?;
        let mut octets = Vec::with_capacity(1024);
        // [RFC 8617 §5.1.2] the seal on a broken chain covers its own set alone.
        if found.result != ArcResult::Fail {
            chain.write_sealed(fields, &mut octets);
        }
        for (name, value) in [(RESULTS, &results), (MESSAGE, &message)] {
            write_relaxed(name.as_bytes(), value.as_bytes(), &mut octets);
            octets.extend_from_slice(b"\r\n");
        }
        let seal = self.signed(SEAL, octets, |signature| {
            format!(
                " a={algorithm};\r\n\tb={signature};\r\n\tcv={validation}; d={domain};\r\n\t\
                 i={instance}; s={selector}; t={unix_seconds}"
            )
        })?;
        Ok(format!("{SEAL}:{seal}\r\n{MESSAGE}:{message}\r\n{RESULTS}:{results}\r\n"))
    }

    /// The value of a field with its signature, which covers `octets` and the field itself.
    fn signed(
        &self,
        name: &str,
        mut octets: Vec<u8>,
        value: impl Fn(&str) -> String,
    ) -> Result<String, SignError> {
        write_relaxed(name.as_bytes(), value("").as_bytes(), &mut octets);
        Ok(value(&base64_encode(&self.key.sign(&octets)?)))
    }
}

/// Folds where the text folds, and nowhere ends the header section.
fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\r\n\t")
}
