//! What a message needs when it enters the scheduler: its deadlines, and after a start which of
//! its recipients wait for what. Here wall time becomes monotonic time, once.

use std::time::{Duration, Instant, SystemTime};

use transom_tracking::TrackingEvent;
use transom_types::{
    AttemptStage, EnhancedStatusCode, Outcome, RemoteHost, Reply, ReplyCode, Status,
};

use super::events::Events;
use super::{Cause, SettleInput, SettlePolicy};
use crate::message::{Accepted, MessageState, RecipientState};
use crate::retry::RetryProfile;
use crate::scheduler::Priority;
use crate::spool::{LoadedMessage, Op, Settled};

/// When a message is given up, when its sender is told of the wait, and how urgent it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what the age of a message depends on")]
pub struct Deadlines {
    /// When it is given up.
    pub expires_at: Instant,
    /// When the sender is told; none when that was done or is not wanted.
    pub delay_notice_at: Option<Instant>,
    /// How urgent it is, which the times depend on.
    pub priority: Priority,
}

impl Deadlines {
    /// The deadlines of a message at `now`, which is `wall` by the wall clock. A message from the
    /// future counts as new, so no jump of the clock makes it live longer than the profile says.
    pub fn new(
        message: &Accepted,
        state: &MessageState,
        profile: &RetryProfile,
        wall: SystemTime,
        now: Instant,
    ) -> Self {
        let null = message.envelope.reverse_path.is_null();
        let age = wall.duration_since(message.received_at).unwrap_or_default();
        let at = |after: Duration| now.checked_add(after.saturating_sub(age)).unwrap_or(now);
        let priority = profile.priority_of(message.envelope.parameters.mt_priority);
        let ages = profile.ages_of(priority, null);
        let wanted = message.envelope.recipients.iter().enumerate().any(|(place, recipient)| {
            let open = state.recipients.get(place).is_none_or(RecipientState::is_open);
            open && recipient.parameters.notify_or_default().delay()
        });
        let notice = wanted && !null && !state.delay_notified && ages.delay_notice < ages.expiry;
        let delay_notice_at = notice.then(|| at(ages.delay_notice));
        Self { expires_at: at(ages.expiry), delay_notice_at, priority }
    }
}

/// What a message that was found in the spool needs.
#[derive(Debug)]
#[non_exhaustive]
pub struct Recovered {
    /// Its open recipients, grouped by due time. Routing tells where they go.
    pub units: Vec<RecoveredUnit>,
    /// Its deadlines.
    pub deadlines: Deadlines,
    /// Recipients whose attempt was cut behind the point of no return: it may have arrived.
    pub in_doubt: Vec<u32>,
    /// Says so; to be committed before anything is attempted. None where nothing is in doubt.
    pub op: Option<Op>,
    /// To be emitted when that is durable. A doubt from before is told again at every start, until
    /// an outcome ends it.
    pub events: Vec<TrackingEvent>,
    /// Whether an administrator has stopped the message.
    pub suspended: bool,
}

/// Open recipients with the same due time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "who, when, how often before")]
pub struct RecoveredUnit {
    /// Places in the envelope.
    pub recipients: Vec<u32>,
    /// Not before this time; none is at once.
    pub due: Option<Instant>,
    /// Attempts behind them.
    pub attempts: u32,
}

/// Looks at a message that was found in the spool. `now` is `wall` by the wall clock; a time that
/// has passed is now, and none is behind the expiry.
pub fn recover(
    loaded: &LoadedMessage,
    policy: &SettlePolicy,
    wall: SystemTime,
    now: Instant,
    random: u64,
) -> Recovered {
    let LoadedMessage { id, message, state } = loaded;
    let deadlines = Deadlines::new(message, state, &policy.profile, wall, now);
    let expires_in = deadlines.expires_at.saturating_duration_since(now);
    let delay = policy.profile.restart_delay(random).min(expires_in);
    let doubt = state.intent.as_ref().map(|intent| (intent, cut(&intent.host)));
    let mut settled = Vec::new();
    let mut units: Vec<RecoveredUnit> = Vec::new();
    let (none, input) = (
        RecipientState::default(),
        SettleInput {
            id: *id,
            message,
            state,
            cause: Cause::Attempt(&[]),
            next_hop: None,
            policy,
            now: wall,
            expires_in,
            random,
        },
    );
    let mut events = Events::new(&input);
    for recipient in (0u32..).take(message.envelope.recipients.len()) {
        let place = usize::try_from(recipient).unwrap_or(usize::MAX);
        let known = state.recipients.get(place).unwrap_or(&none);
        if !known.is_open() {
            continue;
        }
        let (due, attempts) = match &doubt {
            Some((intent, outcome)) if intent.recipients.contains(&recipient) => {
                events.outcome(recipient, outcome);
                settled.push(Settled {
                    recipient,
                    outcome: outcome.clone(),
                    attempted: true,
                    retry_at: wall.checked_add(delay),
                });
                (now.checked_add(delay), known.attempts.saturating_add(1))
            }
            _ => {
                // The row that named the doubt may have died with the process that wrote it down;
                // one too many does no harm, one too few hides a duplicate.
                if let Some(outcome @ Outcome::InDoubt(_)) = &known.outcome {
                    events.outcome(recipient, outcome);
                }
                (due(known.retry_at, wall, now, deadlines.expires_at), known.attempts)
            }
        };
        match units.iter_mut().find(|unit| unit.due == due && unit.attempts == attempts) {
            Some(unit) => unit.recipients.push(recipient),
            None => units.push(RecoveredUnit { recipients: vec![recipient], due, attempts }),
        }
    }
    let in_doubt: Vec<u32> = settled.iter().map(|settled| settled.recipient).collect();
    let op = Op::Settle { id: *id, recipients: settled, delay_notified: false };
    Recovered {
        units,
        deadlines,
        op: (!in_doubt.is_empty()).then_some(op),
        in_doubt,
        events: events.into_vec(),
        suspended: state.suspended.is_some(),
    }
}

fn due(
    retry_at: Option<SystemTime>,
    wall: SystemTime,
    now: Instant,
    expires_at: Instant,
) -> Option<Instant> {
    let wait = retry_at?.duration_since(wall).ok().filter(|wait| !wait.is_zero())?;
    Some(now.checked_add(wait).unwrap_or(expires_at).min(expires_at))
}

/// The outcome of an attempt that our own end cut.
fn cut(host: &str) -> Outcome {
    let code = EnhancedStatusCode::transient(4, 2);
    let text = "the transport ended before the reply to the content came";
    let reply = Reply::new(ReplyCode::LOCAL_ERROR, code, text);
    let mut status = Status::local(AttemptStage::EndOfData, reply);
    status.remote = Some(RemoteHost { name: host.to_owned(), address: None });
    Outcome::InDoubt(status)
}
