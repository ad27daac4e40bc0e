//! Looks into the answers so far and notes what is missing in them.

use std::collections::HashSet;

use transom_agent::RecipientPolicy;
use transom_agent::{DirectoryAnswer, DirectoryEntry, DirectoryUnavailable, RecipientKind};
use transom_connector::AcceptedDomainKind;
use transom_types::Mailbox;

use super::answers::{LOOKUPS_MAX, address_key};
use super::{Answers, RecipientRefusal, Resolution, Step};

/// Answers, and what is missing in them.
pub(super) struct Search<'m> {
    pub(super) resolution: &'m Resolution<'m>,
    answers: &'m Answers,
    missing: Vec<Mailbox>,
    missing_keys: HashSet<String>,
}

/// What is known of an address.
#[derive(Clone, Copy)]
pub(super) enum Look<'m> {
    /// Nobody knows; it goes on by connector.
    Elsewhere,
    Entry(&'m DirectoryEntry),
    Known,
    Unknown,
}

/// Why something is not known.
pub(super) enum Open {
    /// An answer is missing, and noted.
    Missing,
    /// It will not be known: following it goes too far.
    Refused(RecipientRefusal),
    /// The directory could not say.
    Unavailable(DirectoryUnavailable),
}

impl<'m> Search<'m> {
    pub(super) fn new(resolution: &'m Resolution<'m>, answers: &'m Answers) -> Self {
        Self { resolution, answers, missing: Vec::new(), missing_keys: HashSet::new() }
    }

    /// What is known of `mailbox`, whose key is `key`.
    pub(super) fn look(&mut self, mailbox: &Mailbox, key: &str) -> Result<Look<'m>, Open> {
        let kind = match self.accepted(mailbox) {
            None | Some(AcceptedDomainKind::ExternalRelay) => return Ok(Look::Elsewhere),
            Some(kind) => kind,
        };
        match self.answers.get(key) {
            Some(Ok(DirectoryAnswer::Entry(entry))) => Ok(Look::Entry(entry)),
            Some(Ok(DirectoryAnswer::Unknown)) if kind == AcceptedDomainKind::InternalRelay => {
                Ok(Look::Elsewhere)
            }
            Some(Ok(DirectoryAnswer::Unknown)) => Ok(Look::Unknown),
            Some(Ok(_)) => Ok(Look::Known),
            Some(Err(unavailable)) => Err(Open::Unavailable(unavailable.clone())),
            None => {
                if self.missing.len() < LOOKUPS_MAX && self.missing_keys.insert(key.to_owned()) {
                    self.missing.push(mailbox.clone());
                }
                Err(Open::Missing)
            }
        }
    }

    pub(super) fn accepted(&self, mailbox: &Mailbox) -> Option<AcceptedDomainKind> {
        let domain = mailbox.domain()?;
        self.resolution.configuration.accepted_domain(&domain).map(|accepted| accepted.kind)
    }

    pub(super) fn is_missing(&self) -> bool {
        !self.missing.is_empty()
    }

    /// The questions.
    pub(super) fn lookup<T>(self) -> Step<T> {
        Step::Lookup(self.missing)
    }
}

/// Who sends, by all names.
pub(super) struct Sender<'m> {
    keys: Vec<String>,
    /// What it may send, where the directory says.
    pub(super) policy: Option<&'m RecipientPolicy>,
    /// Whether it is believed to be who it says when that opens a door.
    pub(super) is_believed: bool,
}

impl<'m> Sender<'m> {
    /// Looks the sender up, and who it is an alias of.
    pub(super) fn find(search: &mut Search<'m>) -> Result<Self, Open> {
        let resolution = search.resolution;
        let mut sender = Self { keys: Vec::new(), policy: None, is_believed: true };
        let Some(mailbox) = resolution.sender.mailbox().filter(|_| !resolution.system) else {
            return Ok(sender);
        };
        // Whoever writes one of our addresses into MAIL FROM is not that person yet.
        sender.is_believed = resolution.authenticated
            || search.accepted(mailbox) != Some(AcceptedDomainKind::Authoritative);
        let mut mailbox = mailbox.clone();
        for _ in 0..=resolution.limits.depth_max {
            let key = address_key(&mailbox);
            if sender.keys.contains(&key) {
                break;
            }
            let found = search.look(&mailbox, &key)?;
            sender.keys.push(key);
            let Look::Entry(entry) = found else { break };
            if let RecipientKind::Alias(primary) = &entry.kind {
                mailbox = primary.clone();
            } else {
                sender.policy = Some(&entry.policy);
                break;
            }
        }
        Ok(sender)
    }

    pub(super) fn is(&self, key: &str) -> bool {
        self.keys.iter().any(|own| own == key)
    }

    pub(super) fn is_null(&self) -> bool {
        self.keys.is_empty()
    }
}
