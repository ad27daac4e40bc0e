//! Decides what follows from results: who is done with, who is tried again and when, who gets a
//! report. The one owner of these decisions, and pure: the same input gives the same settlement.
//!
//! The driver commits [`Settlement::op`] together with the reports that it makes from
//! [`Settlement::reports`], in one batch. Only when that is durable it emits
//! [`Settlement::events`] and tells the scheduler [`Settlement::completed`]. EXPIRE says why, FAIL
//! is the end of the recipient; subjects are left to whoever writes the log.
//!
//! | outcome | becomes | report | event |
//! |---|---|---|---|
//! | `Delivered`, `Relayed` | done | | DELIVER, SEND |
//! | `Deferred`, no host reached | waits with its queue; counts as no attempt | | DEFER |
//! | `Deferred` otherwise | tried again after the profile's wait | | DEFER |
//! | `InDoubt` | tried again, not before 10 minutes | | INDOUBT |
//! | either, past the expiry | failed with 4.4.7 | failure | EXPIRE, FAIL |
//! | `Failed` | done | failure | FAIL |
//! | expired in the queue | failed with 4.4.7 | failure | EXPIRE, FAIL |
//! | `Removed`, `Duplicate`, `Transferred` | done | | DROP, DROP, TRANSFER |
//! | `Expanded`, `Redirected` | done | | EXPAND, REDIRECT |
//!
//! A report is made unless the reverse-path is null or NOTIFY excludes it; then the recipient is
//! in [`Settlement::suppressed`] with the reason, and SUPPRESSED is the event. Recipients that
//! fail in one settlement share one report.

mod events;
mod recover;
mod report;

pub use recover::{Deadlines, Recovered, RecoveredUnit, recover};
pub use report::{ReportDraft, ReportKind, ReportMessage};

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use transom_tracking::TrackingEvent;
use transom_types::{
    AttemptStage, Domain, EnhancedStatusCode, InternalMessageId, Mailbox, NextHop, Notify, Outcome,
    RecipientResult, Reply, ReplyCode, Status,
};

use crate::message::{Accepted, IngressKind, MessageState, RecipientState};
use crate::retry::RetryProfile;
use crate::scheduler::{Completed, ConnectionResult, Waiting};
use crate::spool::{Op, Settled};

use events::Events;

/// What settlement needs to know.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a missing fact would be a wrong settlement")]
pub struct SettleInput<'a> {
    /// The message.
    pub id: InternalMessageId,
    /// As accepted.
    pub message: &'a Accepted,
    /// What has become of it before this settlement.
    pub state: &'a MessageState,
    /// What happened.
    pub cause: Cause<'a>,
    /// Where the attempt went, for the events; none when the cause is no attempt.
    pub next_hop: Option<&'a NextHop>,
    /// Which rules hold.
    pub policy: &'a SettlePolicy,
    /// Wall time, for the record; no decision hangs on it.
    pub now: SystemTime,
    /// How long the message may still live, by the monotonic clock: zero is expired. The
    /// scheduler names the instant.
    pub expires_in: Duration,
    /// Any random number, for jitter.
    pub random: u64,
}

/// What happened to a message.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "what can end a wait")]
pub enum Cause<'a> {
    /// An attempt ended. Of two results for one recipient the first counts; a recipient that is
    /// done with or not in the envelope is skipped.
    Attempt(&'a [RecipientResult]),
    /// The scheduler gave these recipients up.
    Expired(&'a [Waiting]),
    /// The message waits for so long that the sender should know.
    DelayNotice(&'a [Waiting]),
}

/// The rules of settlement.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SettlePolicy {
    /// When to try again and when to give up.
    pub profile: RetryProfile,
    /// The name of this host in reports.
    pub reporting_mta: Domain,
    /// Who signs reports.
    pub postmaster: Mailbox,
}

impl SettlePolicy {
    /// Rules with the default profile.
    pub fn new(reporting_mta: Domain, postmaster: Mailbox) -> Self {
        Self { profile: RetryProfile::default(), reporting_mta, postmaster }
    }

    /// Sets the profile.
    #[must_use]
    pub fn with_profile(self, profile: RetryProfile) -> Self {
        Self { profile, ..self }
    }
}

/// What follows.
#[derive(Debug)]
#[must_use = "a settlement that is not committed is lost"]
#[non_exhaustive]
pub struct Settlement {
    /// To be committed, in one batch with the reports.
    pub op: Op,
    /// Reports to be made: none or one.
    pub reports: Vec<ReportDraft>,
    /// Recipients that are tried again, and after which wait.
    pub retries: Vec<(Vec<u32>, Duration)>,
    /// What the attempt tells of the queue.
    pub connection: ConnectionResult,
    /// To be emitted when the commit is durable.
    pub events: Vec<TrackingEvent>,
    /// Recipients about whom a report was due and is not made, and why.
    pub suppressed: Vec<(u32, Suppression)>,
}

impl Settlement {
    /// What the scheduler is told of an attempt.
    pub fn completed(&self, now: Instant) -> Completed {
        let due = |wait: Duration| now.checked_add(wait).unwrap_or(now);
        let retries = self.retries.iter().map(|(who, wait)| (who.clone(), due(*wait))).collect();
        Completed { retries, connection: self.connection }
    }
}

/// Why a report is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Suppression {
    /// The message is itself a report of ours that cannot be delivered.
    DoubleBounce,
    /// NOTIFY excludes it.
    Notify,
    /// The reverse-path is null.
    NullReversePath,
}

impl fmt::Display for Suppression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DoubleBounce => "a report that cannot be delivered is not reported on",
            Self::Notify => "NOTIFY excludes it",
            Self::NullReversePath => "the reverse-path is null",
        })
    }
}

/// Settles.
pub fn settle(input: &SettleInput<'_>) -> Settlement {
    match input.cause {
        Cause::Attempt(results) => settle_attempt(input, results),
        Cause::Expired(waiting) => settle_expired(input, waiting),
        Cause::DelayNotice(waiting) => settle_delay(input, waiting),
    }
}

fn settle_attempt(input: &SettleInput<'_>, results: &[RecipientResult]) -> Settlement {
    let connection = connection_of(results);
    let mut draft = Draft::new(input);
    draft.next_hop_down = connection == ConnectionResult::Failed;
    for result in results {
        if draft.take(result.recipient) {
            draft.result(result);
        }
    }
    Settlement { connection, ..draft.finish(ReportKind::Failed) }
}

fn settle_expired(input: &SettleInput<'_>, waiting: &[Waiting]) -> Settlement {
    let mut draft = Draft::new(input);
    for group in waiting {
        for recipient in group.recipients.iter().copied() {
            if draft.take(recipient) {
                let last = draft.last_known(recipient, group);
                draft.expire(recipient, last.as_ref(), false);
            }
        }
    }
    draft.finish(ReportKind::Failed)
}

fn settle_delay(input: &SettleInput<'_>, waiting: &[Waiting]) -> Settlement {
    let mut draft = Draft::new(input);
    for group in waiting {
        for recipient in group.recipients.iter().copied() {
            if draft.take(recipient) {
                let last = draft.last_known(recipient, group);
                draft.report(recipient, &last.unwrap_or_else(still_waiting));
            }
        }
    }
    draft.finish(ReportKind::Delayed)
}

/// A settlement in the making.
struct Draft<'a> {
    input: &'a SettleInput<'a>,
    /// Whether the queue as a whole waits now: then its ladder has the say.
    next_hop_down: bool,
    /// Recipients that are dealt with: nobody ends in two places.
    taken: BTreeSet<u32>,
    settled: Vec<Settled>,
    retries: Vec<(Vec<u32>, Duration)>,
    reported: Vec<(u32, Status)>,
    suppressed: Vec<(u32, Suppression)>,
    events: Events<'a>,
}

impl<'a> Draft<'a> {
    fn new(input: &'a SettleInput<'a>) -> Self {
        Self {
            input,
            next_hop_down: false,
            taken: BTreeSet::new(),
            settled: Vec::new(),
            retries: Vec::new(),
            reported: Vec::new(),
            suppressed: Vec::new(),
            events: Events::new(input),
        }
    }

    /// Whether the recipient is open and not dealt with yet.
    fn take(&mut self, recipient: u32) -> bool {
        let Ok(at) = usize::try_from(recipient) else { return false };
        let known = self.input.message.envelope.recipients.len() > at;
        let open = self.input.state.recipients.get(at).is_none_or(RecipientState::is_open);
        known && open && self.taken.insert(recipient)
    }

    fn attempts(&self, recipient: u32) -> u32 {
        let at = usize::try_from(recipient).ok();
        let state = at.and_then(|at| self.input.state.recipients.get(at));
        state.map_or(0, |state| state.attempts)
    }

    /// Whether an outcome is counted as an attempt.
    fn attempted(&self, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::Deferred(status) => !(self.next_hop_down && is_queue_level(status)),
            Outcome::Removed(_)
            | Outcome::Transferred
            | Outcome::Expanded
            | Outcome::Redirected
            | Outcome::Duplicate => false,
            _ => true,
        }
    }

    /// What last kept the recipient from being delivered: its own outcome before its queue's.
    fn last_known(&self, recipient: u32, group: &Waiting) -> Option<Status> {
        let at = usize::try_from(recipient).ok();
        let state = at.and_then(|at| self.input.state.recipients.get(at));
        let own = state.and_then(|state| state.outcome.as_ref()).and_then(Outcome::status);
        own.or(group.last_error.as_deref()).cloned()
    }

    fn result(&mut self, result: &RecipientResult) {
        let recipient = result.recipient;
        self.events.outcome(recipient, &result.outcome);
        match &result.outcome {
            Outcome::Deferred(status) | Outcome::InDoubt(status) => {
                if self.input.expires_in.is_zero() {
                    self.expire(recipient, Some(status), self.attempted(&result.outcome));
                } else {
                    self.retry(recipient, &result.outcome);
                }
            }
            outcome => {
                if let Outcome::Failed(status) = outcome {
                    self.report(recipient, status);
                }
                self.settle(recipient, outcome.clone(), self.attempted(outcome), None);
            }
        }
    }

    fn retry(&mut self, recipient: u32, outcome: &Outcome) {
        let profile = &self.input.policy.profile;
        let attempts = self.attempts(recipient).saturating_add(1);
        let in_doubt = matches!(outcome, Outcome::InDoubt(_));
        let attempted = self.attempted(outcome);
        let wait = if in_doubt {
            profile.in_doubt_delay(attempts, self.input.random)
        } else if attempted {
            profile.message_delay(attempts, self.input.random)
        } else {
            Duration::ZERO
        };
        let wait = wait.min(self.input.expires_in);
        let retry_at = attempted.then(|| self.input.now.checked_add(wait)).flatten();
        self.settle(recipient, outcome.clone(), attempted, retry_at);
        match self.retries.iter_mut().find(|(_, of)| *of == wait) {
            Some((recipients, _)) => recipients.push(recipient),
            None => self.retries.push((vec![recipient], wait)),
        }
    }

    fn expire(&mut self, recipient: u32, last: Option<&Status>, attempted: bool) {
        let status = expired(last);
        self.events.expired(recipient, &status);
        self.report(recipient, &status);
        self.settle(recipient, Outcome::Failed(status), attempted, None);
    }

    fn settle(
        &mut self,
        recipient: u32,
        outcome: Outcome,
        attempted: bool,
        retry_at: Option<SystemTime>,
    ) {
        self.settled.push(Settled { recipient, outcome, attempted, retry_at });
    }

    /// Notes that a report is due about the recipient; [`finish`](Self::finish) drops it again
    /// where it is not wanted.
    fn report(&mut self, recipient: u32, status: &Status) {
        self.reported.push((recipient, status.clone()));
    }

    fn finish(mut self, kind: ReportKind) -> Settlement {
        let input = self.input;
        let mut wanted = Vec::new();
        for (recipient, status) in std::mem::take(&mut self.reported) {
            match suppression(input.message, recipient, kind) {
                None => wanted.push((recipient, status)),
                Some(why) => {
                    self.events.suppressed(recipient, why);
                    self.suppressed.push((recipient, why));
                }
            }
        }
        let reports = ReportDraft::new(input, kind, &wanted).into_iter().collect();
        Settlement {
            op: Op::Settle {
                id: input.id,
                recipients: self.settled,
                delay_notified: kind == ReportKind::Delayed,
            },
            reports,
            retries: self.retries,
            connection: ConnectionResult::NotTried,
            events: self.events.into_vec(),
            suppressed: self.suppressed,
        }
    }
}

/// Why no report is made about a recipient, if so.
fn suppression(message: &Accepted, recipient: u32, kind: ReportKind) -> Option<Suppression> {
    // [RFC 5321 §3.6.3-b, §4.5.4-b, §6.1-e]
    // [RFC 3461 §5.2-a]
    // [RFC 5321 §4.5.5] nothing is reported to a null reverse-path.
    if message.envelope.reverse_path.is_null() {
        return Some(match message.ingress.kind {
            IngressKind::Dsn => Suppression::DoubleBounce,
            _ => Suppression::NullReversePath,
        });
    }
    // [RFC 3461 §5.2.2-c, §5.2.2-d, §5.2.2-f, §5.2.5-a, §5.2.6-a, §5.2.6-b, §5.2.6-c]
    // [RFC 3461 §4.1] NOTIFY says which reports the sender wants.
    let at = usize::try_from(recipient).ok();
    let named = at.and_then(|at| message.envelope.recipients.get(at));
    let notify = named.map_or(Notify::DEFAULT, |named| named.parameters.notify_or_default());
    let wanted = match kind {
        ReportKind::Delayed => notify.delay(),
        _ => notify.failure(),
    };
    (!wanted).then_some(Suppression::Notify)
}

/// Whether no mail transaction was begun: the trouble is the next hop's, not the message's.
fn is_queue_level(status: &Status) -> bool {
    matches!(
        status.stage,
        AttemptStage::Dns
            | AttemptStage::Connect
            | AttemptStage::Greeting
            | AttemptStage::Ehlo
            | AttemptStage::Tls
    )
}

fn connection_of(results: &[RecipientResult]) -> ConnectionResult {
    let mut found = ConnectionResult::NotTried;
    for status in results.iter().filter_map(|result| result.outcome.status()) {
        if !is_queue_level(status) && status.stage > AttemptStage::Tls {
            return ConnectionResult::Used;
        }
    }
    for result in results {
        if let Outcome::Deferred(status) = &result.outcome
            && is_queue_level(status)
        {
            found = ConnectionResult::Failed;
        }
    }
    found
}

/// The status of a recipient whose time is over; tells what was in the way.
fn expired(last: Option<&Status>) -> Status {
    let text = match last {
        None => "QUEUE.Expired; message expired".to_owned(),
        Some(last) => {
            let by = last.remote.as_ref().map(|host| format!(" from {host}"));
            let by = by.unwrap_or_default();
            format!("QUEUE.Expired; message expired; last error{by}: {}", last.reply.to_line())
        }
    };
    // The class stays 4, as Exchange has it: what went wrong was never permanent in itself.
    let code = EnhancedStatusCode::transient(4, 7);
    let mut status =
        Status::local(AttemptStage::Queue, Reply::new(ReplyCode::MAILBOX_UNAVAILABLE, code, text));
    status.code = code;
    status
}

fn still_waiting() -> Status {
    let code = EnhancedStatusCode::transient(4, 7);
    let text = "message delayed: not delivered yet";
    Status::local(AttemptStage::Queue, Reply::new(ReplyCode::MAILBOX_BUSY, code, text))
}
