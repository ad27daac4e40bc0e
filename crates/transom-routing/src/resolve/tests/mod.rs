//! Tests of the resolution.

mod checklist;
mod ends;
mod policies;
mod properties;
mod remote;
mod reports;

use std::collections::{HashMap, HashSet};

use transom_agent::{DirectoryAnswer, DirectoryEntry, DirectoryUnavailable};
use transom_connector::{AcceptedDomain, CheckedConfiguration, Configuration};
use transom_types::{ForwardPath, Mailbox, Recipient, ReversePath};

use super::*;

/// contoso.com is authoritative, tailspin.com an internal and woodgrove.com an external relay.
fn configuration() -> CheckedConfiguration {
    Configuration::new("mx1.contoso.com".parse().unwrap())
        .with_accepted_domain(AcceptedDomain::authoritative("contoso.com").unwrap())
        .with_accepted_domain(AcceptedDomain::internal_relay("tailspin.com").unwrap())
        .with_accepted_domain(AcceptedDomain::external_relay("woodgrove.com").unwrap())
        .check()
        .unwrap()
}

fn mailbox(text: &str) -> Mailbox {
    text.parse().unwrap()
}

fn mailboxes(texts: &[&str]) -> Vec<Mailbox> {
    texts.iter().map(|text| mailbox(text)).collect()
}

fn recipient(text: &str) -> Recipient {
    Recipient::from(text.parse::<ForwardPath>().unwrap())
}

fn sender(text: &str) -> ReversePath {
    text.parse().unwrap()
}

fn group(members: &[&str]) -> DirectoryEntry {
    DirectoryEntry::group(mailboxes(members))
}

fn alias(of: &str) -> DirectoryEntry {
    DirectoryEntry::alias(mailbox(of))
}

fn forwarding(to: &str, keep_copy: bool) -> DirectoryEntry {
    DirectoryEntry::forwarding(mailbox(to), keep_copy)
}

/// A directory that counts what it is asked.
#[derive(Debug, Default)]
struct People {
    entries: HashMap<String, Result<DirectoryAnswer, DirectoryUnavailable>>,
}

impl People {
    fn of(entries: &[(&str, DirectoryEntry)]) -> Self {
        let mut people = Self::default();
        for (address, entry) in entries {
            people.entries.insert((*address).to_owned(), Ok(entry.clone().into()));
        }
        people
    }

    /// The same with mailboxes of which there is nothing to say.
    fn with(mut self, mailboxes: &[&str]) -> Self {
        for address in mailboxes {
            self.entries.insert((*address).to_owned(), Ok(DirectoryAnswer::Known));
        }
        self
    }

    fn without_answer_for(mut self, address: &str) -> Self {
        let unavailable = DirectoryUnavailable::new("connection refused");
        self.entries.insert(address.to_owned(), Err(unavailable));
        self
    }

    fn lookup(&self, mailbox: &Mailbox) -> Result<DirectoryAnswer, DirectoryUnavailable> {
        let answer = self.entries.get(mailbox.as_str()).cloned();
        answer.unwrap_or(Ok(DirectoryAnswer::Unknown))
    }

    /// Answers until there is a result; gives back who was looked up as well.
    fn answer<T>(&self, ask: impl Fn(&Answers) -> Step<T>) -> (T, Vec<String>) {
        let (mut answers, mut asked) = (Answers::default(), Vec::new());
        loop {
            match ask(&answers) {
                Step::Done(result) => return (result, asked),
                Step::Lookup(mailboxes) => {
                    assert!(!mailboxes.is_empty(), "a question without an address never ends");
                    assert!(mailboxes.len() <= LOOKUPS_MAX);
                    for mailbox in mailboxes {
                        asked.push(mailbox.to_string());
                        answers.insert(&mailbox, self.lookup(&mailbox));
                    }
                    let distinct: HashSet<_> = asked.iter().collect();
                    assert_eq!(distinct.len(), asked.len(), "nothing is asked twice: {asked:?}");
                }
            }
        }
    }

    /// Resolves a message of nobody in particular.
    fn resolve(&self, to: &[&str]) -> Resolved {
        let to: Vec<_> = to.iter().map(|to| recipient(to)).collect();
        self.resolve_from("<carl@fabrikam.com>", &to, |resolution| resolution)
    }

    fn resolve_from(
        &self,
        from: &str,
        to: &[Recipient],
        with: impl for<'m> Fn(Resolution<'m>) -> Resolution<'m>,
    ) -> Resolved {
        let (configuration, from) = (configuration(), sender(from));
        let resolution = with(Resolution::new(&configuration, &from));
        self.answer(|answers| resolution.resolve(to, answers)).0
    }

    fn judge(&self, from: &str, to: &str) -> Result<(), RecipientRefusal> {
        self.judge_with(from, to, |resolution| resolution)
    }

    fn judge_with(
        &self,
        from: &str,
        to: &str,
        with: impl for<'m> Fn(Resolution<'m>) -> Resolution<'m>,
    ) -> Result<(), RecipientRefusal> {
        let (configuration, from) = (configuration(), sender(from));
        let resolution = with(Resolution::new(&configuration, &from));
        let to = to.parse().unwrap();
        self.answer(|answers| resolution.judge(&to, 0, answers)).0
    }
}

/// Who gets the message, and from which recipient.
fn reached(resolved: &Resolved) -> Vec<(u32, String)> {
    let reached = |to: &ResolvedRecipient| (to.origin, to.recipient.forward_path.to_string());
    resolved.recipients.iter().map(reached).collect()
}

/// The same without origins.
fn addresses(resolved: &Resolved) -> Vec<String> {
    reached(resolved).into_iter().map(|(_, path)| path).collect()
}

fn failures(resolved: &Resolved) -> Vec<(String, RecipientRefusal)> {
    let failure = |failed: &FailedRecipient| {
        (failed.recipient.forward_path.to_string(), failed.refusal.clone())
    };
    resolved.failed.iter().map(failure).collect()
}

/// By what copies differ, of a message that somebody wrote.
fn signatures(resolved: &Resolved) -> Vec<RecipientSignature> {
    let configuration = configuration();
    resolved.recipients.iter().map(|to| to.signature(&configuration, None)).collect()
}
