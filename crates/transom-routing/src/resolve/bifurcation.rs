//! One message becomes several where its recipients differ.

use std::collections::HashMap;
use std::hash::Hash;

use transom_connector::CheckedConfiguration;

use super::answers::address_key;
use super::remote::remote_domain;
use super::{AutomaticMail, ResolvedRecipient};

/// Most recipients of one copy (Exchange's `ExpansionSizeLimit`): a copy that is damaged, or that a
/// peer refuses as a whole, takes no more than these with it.
pub const COPY_RECIPIENTS_MAX: usize = 1_000;

/// A copy of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "who gets it, and what they have in common")]
pub struct MessageCopy<S> {
    /// What its recipients have in common.
    pub signature: S,
    /// Places of its recipients, in order.
    pub recipients: Vec<u32>,
}

/// Puts recipients with the same signature into one copy, in the order of their first recipients.
/// A signature is whatever copies differ by: that of the resolution with effects of agents and a
/// next hop, as a tuple. The signature at place n is that of recipient n.
///
/// So there are as few copies as possible, and each recipient is in exactly one; more than
/// [`COPY_RECIPIENTS_MAX`] of a kind are cut into several. All copies are one message: they keep
/// its `NetworkMessageId`.
///
/// ```
/// use transom_routing::resolve::bifurcate;
///
/// let copies = bifurcate(["agent", "internet", "agent"]);
/// let recipients: Vec<_> = copies.into_iter().map(|copy| copy.recipients).collect();
/// assert_eq!(recipients, [vec![0, 2], vec![1]]);
/// ```
pub fn bifurcate<S: Clone + Eq + Hash>(
    signatures: impl IntoIterator<Item = S>,
) -> Vec<MessageCopy<S>> {
    let mut copies: Vec<MessageCopy<S>> = Vec::new();
    let mut open: HashMap<S, usize> = HashMap::new();
    for (recipient, signature) in (0u32..).zip(signatures) {
        let place = open.get(&signature).copied();
        match place.and_then(|place| copies.get_mut(place)) {
            Some(copy) if copy.recipients.len() < COPY_RECIPIENTS_MAX => {
                copy.recipients.push(recipient);
            }
            _ => {
                open.insert(signature.clone(), copies.len());
                copies.push(MessageCopy { signature, recipients: vec![recipient] });
            }
        }
    }
    copies
}

/// By what copies of a message differ that were resolved: who hears of failures, and what its
/// remote domain takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RecipientSignature {
    reports_to: Option<String>,
    without_diagnostics: bool,
}

impl RecipientSignature {
    /// Whether the copy is a report of failure for a domain that is not to see what servers said
    /// and which headers there were.
    pub fn without_diagnostics(&self) -> bool {
        self.without_diagnostics
    }
}

impl ResolvedRecipient {
    /// What it must have in common with others to be in one copy with them. `kind` is set for mail
    /// that nobody wrote.
    pub fn signature(
        &self,
        configuration: &CheckedConfiguration,
        kind: Option<AutomaticMail>,
    ) -> RecipientSignature {
        let mailbox = self.recipient.forward_path.mailbox();
        let remote = mailbox.and_then(|mailbox| remote_domain(configuration, mailbox));
        let is_failure = kind == Some(AutomaticMail::FailureReport);
        RecipientSignature {
            reports_to: self.reports_to.as_ref().map(address_key),
            without_diagnostics: is_failure && remote.is_some_and(|remote| !remote.ndr_diagnostics),
        }
    }
}
