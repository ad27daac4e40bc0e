//! What is done with a message because of its verdicts: data in, one decision out.
//!
//! [`AuthPolicy::at_mail`] is asked when the sender is known, [`AuthPolicy::decide`] when all of
//! the content is there.

mod find;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use transom_types::Reply;

use crate::verdicts::{Facts, Forwarder, SpfVerdicts, Trust, Verdicts};

/// Something that speaks against a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Check {
    /// MAIL FROM is in a domain of ours, and neither is the client known nor SPF for it.
    OwnSender,
    /// From is in a domain of ours, and nothing stands behind it.
    OwnAuthor,
    /// SPF says that the client may not send for MAIL FROM.
    SpfFail,
    /// SPF says that it probably may not.
    SpfSoftFail,
    /// The SPF policy cannot be read.
    SpfPermError,
    /// The SPF policy cannot be had now.
    SpfTempError,
    /// SPF says that the client may not use its name in HELO.
    HeloFail,
    /// There are signatures, and none holds.
    DkimFail,
    /// The ARC chain is broken.
    ArcFail,
    /// From has no single author.
    Author,
    /// DMARC failed, and the owner of the domain wants the message refused.
    DmarcReject,
    /// DMARC failed, and the owner thinks the message suspicious.
    DmarcQuarantine,
    /// DMARC failed, and the owner wants nothing to be done (RFC 9989 §5.4 forbids to do more than
    /// was done without DMARC).
    DmarcNone,
    /// DMARC could not be checked now.
    DmarcTempError,
    /// The DMARC policy cannot be used.
    DmarcPermError,
    /// The composite result is a failure, whatever for.
    Composite,
}

impl Check {
    /// All, in the order in which they are named where several lead to the same.
    pub const ALL: [Self; 16] = [
        Self::OwnSender,
        Self::OwnAuthor,
        Self::SpfFail,
        Self::SpfSoftFail,
        Self::SpfPermError,
        Self::SpfTempError,
        Self::HeloFail,
        Self::DkimFail,
        Self::ArcFail,
        Self::Author,
        Self::DmarcReject,
        Self::DmarcQuarantine,
        Self::DmarcNone,
        Self::DmarcTempError,
        Self::DmarcPermError,
        Self::Composite,
    ];

    /// The name for files and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OwnSender => "own-sender",
            Self::OwnAuthor => "own-author",
            Self::SpfFail => "spf-fail",
            Self::SpfSoftFail => "spf-softfail",
            Self::SpfPermError => "spf-permerror",
            Self::SpfTempError => "spf-temperror",
            Self::HeloFail => "helo-fail",
            Self::DkimFail => "dkim-fail",
            Self::ArcFail => "arc-fail",
            Self::Author => "author",
            Self::DmarcReject => "dmarc-reject",
            Self::DmarcQuarantine => "dmarc-quarantine",
            Self::DmarcNone => "dmarc-none",
            Self::DmarcTempError => "dmarc-temperror",
            Self::DmarcPermError => "dmarc-permerror",
            Self::Composite => "composite",
        }
    }

    /// What is done where nothing else is said.
    fn default_action(self) -> Action {
        match self {
            Self::OwnSender | Self::OwnAuthor | Self::DmarcReject => Action::Reject,
            Self::DmarcQuarantine => Action::Quarantine,
            Self::SpfFail | Self::Author => Action::Mark,
            Self::DmarcNone | Self::Composite => Action::Observe,
            _ => Action::None,
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is done with a message, from the weakest on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "who acts on it must know them all")]
pub enum Action {
    /// Nothing.
    #[default]
    None,
    /// Nothing; it is only said what was found.
    Observe,
    /// It is taken, and marked as suspicious.
    Mark,
    /// It is taken and kept from its recipients.
    Quarantine,
    /// It is refused; for a time only, where the check may go otherwise later.
    Reject,
}

impl Action {
    /// The name for files and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Observe => "observe",
            Self::Mark => "mark",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// When a client is refused for what SPF says, and for the use of our domains in MAIL FROM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "before the content or behind it")]
pub enum SenderCheck {
    /// To MAIL FROM: cheap, but a signature or a trusted sealer that would have saved the message
    /// is never seen.
    AtMail,
    /// When the content is there.
    #[default]
    AfterData,
}

/// What is done for each check, and whom we know. One for each receive connector.
///
/// The default refuses what the owner of the author's domain wants refused, and our own domains
/// from outside; it quarantines, marks and observes the rest.
///
/// ```
/// use transom_mailauth::policy::{Action, AuthPolicy, Check};
///
/// let policy = AuthPolicy::default().with(Check::SpfFail, Action::Reject);
/// assert_eq!(policy.action(Check::SpfFail), Action::Reject);
/// assert_eq!(policy.action(Check::DmarcQuarantine), Action::Quarantine);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthPolicy {
    /// What differs from the default.
    pub actions: BTreeMap<Check, Action>,
    /// When senders are refused.
    pub sender_check: SenderCheck,
    /// Whom we know.
    pub trust: Trust,
}

impl AuthPolicy {
    /// Looks at everything and does nothing.
    pub fn observing() -> Self {
        let actions = Check::ALL.into_iter().map(|check| (check, Action::Observe));
        Self { actions: actions.collect(), ..Self::default() }
    }

    /// The same with another action for a check.
    #[must_use]
    pub fn with(mut self, check: Check, action: Action) -> Self {
        self.actions.insert(check, action);
        self
    }

    /// The same with others that are known.
    #[must_use]
    pub fn with_trust(self, trust: Trust) -> Self {
        Self { trust, ..self }
    }

    /// What is done for a check.
    pub fn action(&self, check: Check) -> Action {
        self.actions.get(&check).copied().unwrap_or_else(|| check.default_action())
    }

    /// What is done when the sender is known: a refusal, where [`SenderCheck::AtMail`] is set and
    /// a check of the sender says so, else nothing. All else waits for the content.
    pub fn at_mail(&self, facts: &Facts, spf: &SpfVerdicts) -> Decision {
        let forwarder =
            self.trust.is_forwarder(facts.client).then_some(Forwarder::Network(facts.client));
        let findings = match self.sender_check {
            SenderCheck::AtMail => find::of_sender(facts, spf, &self.trust),
            SenderCheck::AfterData => Vec::new(),
        };
        let decision = self.choose(findings, forwarder);
        if decision.action == Action::Reject { decision } else { Decision::default() }
    }

    /// What is done with a message.
    pub fn decide(&self, verdicts: &Verdicts) -> Decision {
        let findings = find::of_message(verdicts, &self.trust);
        self.choose(findings, verdicts.forwarder.clone())
    }

    /// The strongest action, and the first check that leads to it.
    fn choose(&self, findings: Vec<Finding>, forwarder: Option<Forwarder>) -> Decision {
        let findings = findings.into_iter().map(|finding| {
            let action = self.action(finding.check);
            // Whose word stands in for what was broken on the way: it is said, and not acted on.
            let is_overridden = forwarder.is_some() && action > Action::Observe;
            let action = if is_overridden { Action::Observe } else { action };
            Finding { action, ..finding }
        });
        let findings: Vec<_> = findings.filter(|finding| finding.action != Action::None).collect();
        let forwarder = forwarder.filter(|_| !findings.is_empty());
        let action = findings.iter().map(|finding| finding.action).max().unwrap_or_default();
        let first = findings.iter().position(|finding| finding.action == action);
        Decision { action, first, findings, forwarder }
    }
}

/// A check that speaks against a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Which.
    pub check: Check,
    /// What is done for it.
    pub action: Action,
    /// Why, in a sentence for people: names the check, who, and the problem. ASCII.
    pub reason: String,
    /// What is said to a client that is refused for it.
    reply: Reply,
}

/// What is done with a message, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "it says whether the message may be taken"]
pub struct Decision {
    /// What is done.
    pub action: Action,
    first: Option<usize>,
    /// All that speaks against the message, but what nothing is done for.
    pub findings: Vec<Finding>,
    /// Whose word stood in, where something spoke against the message.
    pub forwarder: Option<Forwarder>,
}

impl Decision {
    /// The finding that decides.
    pub fn finding(&self) -> Option<&Finding> {
        self.findings.get(self.first?)
    }

    /// The refusal, where the message is refused. It names the check and the reason.
    pub fn refusal(&self) -> Option<&Reply> {
        let finding = self.finding().filter(|_| self.action == Action::Reject)?;
        Some(&finding.reply)
    }
}
