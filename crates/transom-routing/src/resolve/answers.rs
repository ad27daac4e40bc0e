//! What the directory said so far.

use std::collections::HashMap;

use transom_agent::{DirectoryAnswer, DirectoryUnavailable};
use transom_types::{Host, Mailbox};

/// Most addresses that one [`Step::Lookup`] asks for. More follow with the next.
pub const LOOKUPS_MAX: usize = 1_000;

/// What a directory said of which address. Kept for one transaction or one message, so that both
/// see one state of the directory and ask once.
#[derive(Clone, Debug, Default)]
pub struct Answers(HashMap<String, Result<DirectoryAnswer, DirectoryUnavailable>>);

impl Answers {
    /// Keeps what was said of `mailbox`. An address that was asked for and gets no answer here is
    /// asked for again.
    pub fn insert(
        &mut self,
        mailbox: &Mailbox,
        answer: Result<DirectoryAnswer, DirectoryUnavailable>,
    ) {
        self.0.insert(address_key(mailbox), answer);
    }

    pub(super) fn get(&self, key: &str) -> Option<&Result<DirectoryAnswer, DirectoryUnavailable>> {
        self.0.get(key)
    }
}

/// What comes next: questions to the directory, or the result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "addresses may have to be looked up"]
#[expect(clippy::exhaustive_enums, reason = "there is a result, or something is missing for it")]
pub enum Step<T> {
    /// The result.
    Done(T),
    /// These must be looked up first, each once, in any order; then the same is asked again.
    Lookup(Vec<Mailbox>),
}

/// Equal for mailboxes that are the same: quotes do not count, nor does the spelling of a domain.
///
/// [RFC 5321 §2.4] the local-part counts octet by octet.
pub(super) fn address_key(mailbox: &Mailbox) -> String {
    let host = match mailbox.host() {
        Host::Domain(domain) => match domain.to_ascii() {
            Ok(ascii) => ascii.to_string(),
            Err(_) => domain.to_lowercase().to_string(),
        },
        Host::Literal(literal) => literal.to_string(),
    };
    let mut key = mailbox.local_part().unquoted();
    key.push('@');
    key.push_str(&host);
    key
}
