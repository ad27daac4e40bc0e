//! A report that is due, until it is a message of its own.

use std::time::SystemTime;

use transom_message::dsn::{RETURNED_OCTETS_MAX, Report, ReportRecipient, Returned};
use transom_message::{ContentScan, ScanLimits};
use transom_tracking::{EventId, Source, TrackedRecipient, TrackingEvent};
use transom_types::{
    Domain, Envelope, EnvelopeId, InternalMessageId, InternetMessageId, MailParameters, Mailbox,
    NetworkMessageId, Recipient, Reply, Ret, ReversePath, Status,
};

pub use transom_message::dsn::ReportKind;

use super::SettleInput;
use crate::message::{Accepted, ContentFacts, Ingress, IngressKind};

/// A report that is due: everything but the original, which the driver reads, and the id, which
/// the store gives.
///
/// The driver reads the first [`original_octets`](Self::original_octets) of the original, begins
/// an ingest, makes the message with [`into_message`](Self::into_message), writes its octets into
/// the ingest and commits the `Accept` in one batch with [`Settlement::op`](super::Settlement::op).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReportDraft {
    /// What it says.
    pub kind: ReportKind,
    /// Whom it goes to: the sender of the original.
    pub to: Mailbox,
    /// Whom it is about, with their places in the envelope; at least one.
    pub recipients: Vec<(u32, ReportRecipient)>,
    /// The original.
    pub about: InternalMessageId,
    network_id: NetworkMessageId,
    original_message_id: Option<InternetMessageId>,
    arrival: SystemTime,
    now: SystemTime,
    envelope_id: Option<EnvelopeId>,
    reporting_mta: Domain,
    postmaster: Mailbox,
    original_octets: u64,
    /// Octets of the original's header section.
    header_octets: u64,
    /// Whether all of the original goes back.
    whole: bool,
}

/// A report as a message.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "what is committed and what is emitted")]
pub struct ReportMessage {
    /// What is known of it.
    pub accepted: Accepted,
    /// Its content.
    pub octets: Vec<u8>,
    /// To be emitted when it is durable.
    pub event: TrackingEvent,
}

impl ReportDraft {
    /// None when there is nobody to tell or nothing to tell about.
    pub(super) fn new(
        input: &SettleInput<'_>,
        kind: ReportKind,
        recipients: &[(u32, Status)],
    ) -> Option<Self> {
        let SettleInput { message, policy, now, .. } = *input;
        let envelope = &message.envelope;
        // [RFC 5321 §3.6.3-a, §4.1.1.4-g, §4.4-i, §6.1-b, §6.1-d] to the reverse-path.
        let to = envelope.reverse_path.mailbox()?.clone();
        let until = match kind {
            ReportKind::Delayed => now.checked_add(input.expires_in),
            _ => None,
        };
        // [RFC 5321 §4.4-j, §4.4-k] each of those that failed, whatever became of the others.
        // [RFC 3461 §5.2.2-e, §5.2.3-b] success is not reported.
        let reported = |(place, status): &(u32, Status)| {
            let recipient = envelope.recipients.get(usize::try_from(*place).ok()?)?;
            let report = ReportRecipient {
                final_recipient: recipient.forward_path.clone(),
                original_recipient: recipient.parameters.original_recipient.clone(),
                status: status.clone(),
                will_retry_until: until,
            };
            Some((*place, report))
        };
        let recipients: Vec<_> = recipients.iter().filter_map(reported).collect();
        if recipients.is_empty() {
            return None;
        }
        // [RFC 3461 §4.3] RET is about reports of failure; all others return the header section.
        // Without RET it is ours to choose, and less is less to abuse.
        let full = envelope.parameters.ret == Some(Ret::Full) && kind == ReportKind::Failed;
        let limit = u64::try_from(RETURNED_OCTETS_MAX).unwrap_or(u64::MAX);
        let whole = full && message.facts.octets <= limit;
        Some(Self {
            kind,
            to,
            recipients,
            about: input.id,
            network_id: message.network_id,
            original_message_id: message.facts.message_id.clone(),
            arrival: message.received_at,
            now,
            envelope_id: envelope.parameters.envelope_id.clone(),
            reporting_mta: policy.reporting_mta.clone(),
            postmaster: policy.postmaster.clone(),
            original_octets: if whole {
                message.facts.octets
            } else {
                message.facts.header_octets.min(limit)
            },
            header_octets: message.facts.header_octets,
            whole,
        })
    }

    /// How many octets from the start of the original the report needs. At most
    /// [`RETURNED_OCTETS_MAX`].
    pub fn original_octets(&self) -> u64 {
        self.original_octets
    }

    /// The same with no more of the original than the beginning of its header section: for a disk
    /// that is full.
    #[must_use]
    pub fn with_headers_only(self, octets_max: u64) -> Self {
        let original_octets = self.header_octets.min(self.original_octets).min(octets_max);
        Self { whole: false, original_octets, ..self }
    }

    /// The same for somebody who is not to see what servers said, nor which headers there were.
    #[must_use]
    pub fn without_diagnostics(mut self) -> Self {
        for (_, recipient) in &mut self.recipients {
            let status = &mut recipient.status;
            let code = status.reply.code();
            status.reply = Reply::new(code, status.code, "The message could not be delivered");
            status.remote = None;
        }
        Self { whole: false, original_octets: 0, ..self }
    }

    /// The report as a message with the id `id`, which the ingest has; `original` is what was read
    /// of the original, empty when it cannot be read.
    pub fn into_message(self, id: InternalMessageId, original: &[u8]) -> ReportMessage {
        let message_id = InternetMessageId::generate(id, self.network_id, &self.reporting_mta);
        let returned =
            if self.whole { Returned::Message(original) } else { Returned::Headers(original) };
        let to = self.to.clone();
        let report = Report {
            kind: self.kind,
            reporting_mta: self.reporting_mta,
            from: self.postmaster,
            to: self.to,
            arrival: self.arrival,
            now: self.now,
            message_id,
            envelope_id: self.envelope_id,
            recipients: self.recipients.into_iter().map(|(_, recipient)| recipient).collect(),
            original_message_id: self.original_message_id,
            returned,
        };
        let octets = report.build();
        let mut parameters = MailParameters::default();
        parameters.smtputf8 = !to.is_ascii();
        let accepted = Accepted {
            network_id: self.network_id,
            parent: Some(self.about),
            received_at: self.now,
            ingress: Ingress {
                kind: IngressKind::Dsn,
                connector: "DSN".to_owned(),
                peer: None,
                helo: None,
                identity: None,
                tls: None,
                session: None,
            },
            envelope: Envelope {
                // [RFC 5321 §3.6.3-c, §6.1-c]
                // [RFC 3461 §6.1-a, §6.1-b, §6.1-c] neither RET nor NOTIFY go with it.
                // [RFC 3464 §2] a report has a null reverse-path, so that none answers it.
                reverse_path: ReversePath::Null,
                parameters,
                recipients: vec![Recipient::from(transom_types::ForwardPath::from(to))],
            },
            facts: facts(&octets),
        };
        let event = event(id, self.kind, &report, &accepted);
        ReportMessage { accepted, octets, event }
    }
}

/// DSN: about the report, with the original as its reference.
fn event(
    id: InternalMessageId,
    kind: ReportKind,
    report: &Report<'_>,
    accepted: &Accepted,
) -> TrackingEvent {
    let mut event = TrackingEvent::new(EventId::Dsn, Source::Dsn, report.now);
    event.internal_id = Some(id);
    event.network_id = Some(accepted.network_id);
    event.message_id = Some(report.message_id.clone());
    event.total_bytes = accepted.facts.octets;
    event.sender = Some(ReversePath::Null);
    event.reference = report.original_message_id.as_ref().map(|id| id.as_str().into());
    let word = match kind {
        ReportKind::Delayed => "delayed",
        _ => "failed",
    };
    event.source_context = Some(word.into());
    let recipients = accepted.envelope.recipients.iter();
    event.recipients =
        recipients.map(|to| TrackedRecipient::new(to.forward_path.clone(), "")).collect();
    event
}

fn facts(octets: &[u8]) -> ContentFacts {
    let mut scan = ContentScan::new(ScanLimits::default());
    scan.push(octets);
    scan.finish()
}
