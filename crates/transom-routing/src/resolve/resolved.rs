//! What becomes of the recipients of a message.

use std::time::SystemTime;

use transom_agent::DirectoryUnavailable;
use transom_tracking::{EventId, Source, TrackedRecipient, TrackingEvent};
use transom_types::{Envelope, ForwardPath, Mailbox, Recipient, ReversePath};

use super::RecipientRefusal;

/// Every recipient of an envelope with its end, and what came out of them.
///
/// Nothing is lost: a recipient that neither failed nor waits has at least one entry that names its
/// place as `origin` in [`recipients`](Self::recipients), [`failed`](Self::failed) or
/// [`duplicates`](Self::duplicates), or came to nobody, which is a failure. Nothing is doubled:
/// `recipients` names no address twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resolved {
    /// Who gets the message, in the order of the recipients that they come from.
    pub recipients: Vec<ResolvedRecipient>,
    /// Members and targets of forwarding that cannot get it, to be reported to whoever hears of it.
    pub failed: Vec<FailedRecipient>,
    /// What was come upon once more.
    pub duplicates: Vec<DroppedCopy>,
    /// Copies that were not forwarded, because the remote domain does not want that. The mailbox
    /// that would forward has its own copy, so nobody is told.
    pub not_forwarded: Vec<DroppedCopy>,
    /// The end of each recipient, by its place in the envelope.
    pub ends: Vec<ResolutionEnd>,
    /// How it came about.
    pub steps: Vec<ResolutionStep>,
}

impl Resolved {
    /// Whether every recipient stays as it is, so that there is nothing to write down.
    pub fn is_unchanged(&self) -> bool {
        self.recipients.len() == self.ends.len()
            && self.ends.iter().all(|end| *end == ResolutionEnd::Kept)
    }

    /// The envelope of a copy of the message for those of [`recipients`](Self::recipients) that
    /// stand at `places`. They have the same [`signature`](ResolvedRecipient::signature).
    pub fn envelope(&self, original: &Envelope, places: &[u32]) -> Envelope {
        let of = |place: &u32| self.recipients.get(usize::try_from(*place).ok()?);
        let recipients: Vec<_> = places.iter().filter_map(of).collect();
        let owner = recipients.first().and_then(|first| first.reports_to.clone());
        let mut parameters = original.parameters.clone();
        let reverse_path = match owner {
            Some(owner) => {
                // [RFC 3461 §5.2.7.1-b] the sender's name for the envelope and what it wants
                // returned say nothing to the owner of a group.
                parameters.envelope_id = None;
                parameters.ret = None;
                ReversePath::Mailbox(owner)
            }
            None => original.reverse_path.clone(),
        };
        let recipients = recipients.iter().map(|resolved| resolved.recipient.clone()).collect();
        Envelope { reverse_path, parameters, recipients }
    }

    /// The events RESOLVE, EXPAND, REDIRECT, and DROP for duplicates. `base` says what all events
    /// of the message say.
    ///
    /// The address that was resolved stands as `RelatedRecipientAddress` in the custom data.
    pub fn events(&self, base: &TrackingEvent, at: SystemTime) -> Vec<TrackingEvent> {
        let event = |id, from: &Mailbox, to: &[Mailbox]| {
            let tracked = |to: &Mailbox| TrackedRecipient::new(ForwardPath::from(to.clone()), "");
            let mut event = base.clone();
            event.at = at;
            event.event = id;
            event.source = Source::Routing;
            event.recipients = to.iter().map(tracked).collect();
            event.custom_data.push(("RelatedRecipientAddress".into(), from.as_str().into()));
            event
        };
        let steps = self.steps.iter().map(|step| event(step.kind.event(), &step.from, &step.to));
        let dropped = |dropped: &DroppedCopy, reason: &'static str| {
            let from = dropped.history.last().unwrap_or(&dropped.mailbox);
            let mut event = event(EventId::Drop, from, std::slice::from_ref(&dropped.mailbox));
            event.source_context = Some(reason.into());
            event
        };
        let duplicates = self.duplicates.iter().map(|twice| dropped(twice, "RESOLVER.Duplicate"));
        let not_forwarded = &self.not_forwarded;
        let reason = RecipientRefusal::ForwardingNotAllowed.reason();
        let not_forwarded = not_forwarded.iter().map(|copy| dropped(copy, reason));
        steps.chain(duplicates).chain(not_forwarded).collect()
    }
}

/// Somebody who gets the message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResolvedRecipient {
    /// Where to, with the parameters that hold for it: NOTIFY as groups on the way have it, and the
    /// address that the sender named as ORCPT.
    pub recipient: Recipient,
    /// The place in the envelope of the recipient that it comes from.
    pub origin: u32,
    /// Who hears of failures, where it is not the sender: the reverse-path of the copy.
    pub reports_to: Option<Mailbox>,
    /// The addresses that it was come to by, the one that the sender named first. Empty for one
    /// that stayed as it was.
    pub history: Vec<Mailbox>,
}

/// A member of a group, or a target of forwarding, that cannot get the message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedRecipient {
    /// Who, with the parameters that say what is to be reported.
    pub recipient: Recipient,
    /// The place in the envelope of the recipient that it comes from.
    pub origin: u32,
    /// Who hears of it, where it is not the sender.
    pub reports_to: Option<Mailbox>,
    /// The addresses that it was come to by, the one that the sender named first.
    pub history: Vec<Mailbox>,
    /// Why not.
    pub refusal: RecipientRefusal,
}

/// An address that gets no copy of its own: it was come upon once more, or does not want it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DroppedCopy {
    /// Who.
    pub mailbox: Mailbox,
    /// The place in the envelope of the recipient that led to it.
    pub origin: u32,
    /// The addresses that it was come to by; empty where the sender named it twice.
    pub history: Vec<Mailbox>,
}

/// What becomes of a recipient of the envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResolutionEnd {
    /// The directory could not be asked about it or about somebody that it leads to. Nothing that
    /// comes from it is in the result; it is resolved anew later.
    Deferred(DirectoryUnavailable),
    /// All that it leads to gets the message by other recipients already.
    Duplicate,
    /// It is a group, and its members took its place.
    Expanded {
        /// Whether the sender is to be told of the success: it asked so, and no member reports it.
        success_report_due: bool,
    },
    /// It goes nowhere, and is to be reported.
    Failed(RecipientRefusal),
    /// It stays as it is. What it forwards to comes in addition.
    Kept,
    /// Another address took its place.
    Redirected,
}

/// One answer of the directory that changed where mail goes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResolutionStep {
    /// What was done.
    pub kind: StepKind,
    /// With which address.
    pub from: Mailbox,
    /// What it became.
    pub to: Vec<Mailbox>,
    /// The place in the envelope of the recipient that it comes from.
    pub origin: u32,
}

/// What was done with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a group, a forwarding, or another name")]
pub enum StepKind {
    /// A group became its members.
    Expand,
    /// Mail for one goes to another.
    Redirect,
    /// A name became the address behind it.
    Resolve,
}

impl StepKind {
    /// The event of the tracking log.
    pub fn event(self) -> EventId {
        match self {
            Self::Expand => EventId::Expand,
            Self::Redirect => EventId::Redirect,
            Self::Resolve => EventId::Resolve,
        }
    }
}
