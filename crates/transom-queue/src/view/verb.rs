//! Which verb is allowed where: one table, without doing anything.

use std::fmt;

use super::queue::QueueKind;
use crate::scheduler::{QueueStatus, UnitStatus};

/// What an administrator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "each has its row in the table")]
pub enum Verb {
    /// Begin no attempt (`Suspend-Queue`, `Suspend-Message`).
    Suspend,
    /// Take that back (`Resume-Queue`, `Resume-Message`).
    Resume,
    /// Connect now (`Retry-Queue`).
    Retry,
    /// Route anew all that is not suspended (`Retry-Queue -Resubmit`).
    Resubmit,
    /// End it (`Remove-Message -WithNDR`).
    Remove {
        /// Whether the sender is told, if there is one.
        with_dsn: bool,
    },
    /// Copy it out; it stays (`Export-Message`).
    Export,
    /// Move all that is not suspended to another next hop (`Redirect-Message`).
    Redirect,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Suspend,
        Self::Resume,
        Self::Retry,
        Self::Resubmit,
        Self::Remove { with_dsn: true },
        Self::Remove { with_dsn: false },
        Self::Export,
        Self::Redirect,
    ];
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Retry => "retry now",
            Self::Resubmit => "resubmit",
            Self::Remove { with_dsn: true } => "remove with DSN",
            Self::Remove { with_dsn: false } => "remove without DSN",
            Self::Export => "export",
            Self::Redirect => "redirect",
        })
    }
}

/// What a verb is to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "verbs act on queues and on messages")]
pub enum Target {
    /// A queue and what it does.
    Queue(QueueKind, QueueStatus),
    /// A message in such a queue and what becomes of it.
    Message(QueueKind, UnitStatus),
}

/// What a verb does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Effect {
    /// It is so already.
    Nothing,
    /// It happens at once.
    Now,
    /// It happens if the attempt that is under way does not deliver.
    Pending,
    /// It is routed anew, as if it had just come in.
    Resubmit,
}

/// Why a verb is not allowed. The text says what to do instead, where there is something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The message is to be removed; nothing takes that back.
    #[error("the message is being removed")]
    BeingRemoved,
    /// Messages in Submission are still being routed.
    #[error("messages in the Submission queue cannot be removed: wait until they are routed")]
    InSubmission,
    /// An attempt is under way.
    #[error("an attempt is under way: wait for its outcome")]
    InFlight,
    /// Queues of this kind do not know the verb.
    #[error("this kind of queue does not know this")]
    NotForKind,
    /// It is done to queues.
    #[error("this is done to a queue, not to a message")]
    NotForMessages,
    /// It is done to messages.
    #[error("this is done to messages, not to a queue")]
    NotForQueues,
    /// The queue is not in Retry.
    #[error("only a queue in Retry can be retried or resubmitted")]
    NotInRetry,
    /// The message is not suspended.
    #[error("only suspended messages can be exported: suspend it first")]
    NotSuspended,
    /// Poison messages are always suspended.
    #[error("the Poison queue cannot be suspended or resumed: resume its messages one by one")]
    Poison,
    /// It is suspended.
    #[error("it is suspended: resume it first")]
    Suspended,
    /// A poison message is always suspended: this one is none.
    #[error("a message in the Poison queue is always suspended")]
    WrongStatus,
}

/// What `verb` does to `target`.
///
/// # Errors
///
/// [`Refusal`] says why it may not be.
///
/// ```
/// use transom_queue::view::{Effect, QueueKind, Refusal, Target, Verb, verdict};
/// use transom_queue::{QueueStatus, UnitStatus};
///
/// let poison = Target::Message(QueueKind::Poison, UnitStatus::Suspended);
/// assert_eq!(verdict(Verb::Resume, poison), Ok(Effect::Resubmit));
/// let ready = Target::Queue(QueueKind::Delivery, QueueStatus::Ready);
/// assert_eq!(verdict(Verb::Retry, ready), Err(Refusal::NotInRetry));
/// ```
pub fn verdict(verb: Verb, target: Target) -> Result<Effect, Refusal> {
    match target {
        Target::Queue(kind, status) => on_queue(verb, kind, status),
        Target::Message(QueueKind::Poison, status) => on_poison(verb, status),
        Target::Message(kind, status) => on_message(verb, kind, status),
    }
}

fn on_queue(verb: Verb, kind: QueueKind, status: QueueStatus) -> Result<Effect, Refusal> {
    let suspended = status == QueueStatus::Suspended;
    match (verb, kind) {
        (Verb::Remove { .. } | Verb::Export, _) => Err(Refusal::NotForQueues),
        (Verb::Suspend | Verb::Resume, QueueKind::Poison) => Err(Refusal::Poison),
        (Verb::Suspend, _) => Ok(if suspended { Effect::Nothing } else { Effect::Now }),
        (Verb::Resume, _) => Ok(if suspended { Effect::Now } else { Effect::Nothing }),
        (Verb::Retry | Verb::Resubmit, QueueKind::Delivery)
        | (Verb::Resubmit, QueueKind::Unreachable)
            if suspended =>
        {
            Err(Refusal::Suspended)
        }
        (Verb::Retry, QueueKind::Delivery) if status == QueueStatus::Retry => Ok(Effect::Now),
        (Verb::Resubmit, QueueKind::Delivery) if status == QueueStatus::Retry => {
            Ok(Effect::Resubmit)
        }
        (Verb::Retry | Verb::Resubmit, QueueKind::Delivery) => Err(Refusal::NotInRetry),
        // Nothing connects from here, so there is no Retry to wait for.
        (Verb::Resubmit, QueueKind::Unreachable) => Ok(Effect::Resubmit),
        // A queue is also drained while it is suspended: that is how to drain one in peace.
        (Verb::Redirect, QueueKind::Delivery) => Ok(Effect::Now),
        (Verb::Retry | Verb::Resubmit | Verb::Redirect, _) => Err(Refusal::NotForKind),
    }
}

fn on_poison(verb: Verb, status: UnitStatus) -> Result<Effect, Refusal> {
    if status != UnitStatus::Suspended {
        return Err(Refusal::WrongStatus);
    }
    match verb {
        Verb::Suspend => Ok(Effect::Nothing),
        Verb::Resume | Verb::Resubmit => Ok(Effect::Resubmit),
        Verb::Remove { .. } | Verb::Export => Ok(Effect::Now),
        Verb::Retry => Err(Refusal::NotForMessages),
        Verb::Redirect => Err(Refusal::NotForKind),
    }
}

fn on_message(verb: Verb, kind: QueueKind, status: UnitStatus) -> Result<Effect, Refusal> {
    use UnitStatus::{Active, PendingRemove, PendingSuspend, Ready, Retry, Suspended};
    match verb {
        Verb::Retry | Verb::Resubmit => Err(Refusal::NotForMessages),
        Verb::Redirect if kind != QueueKind::Delivery => Err(Refusal::NotForKind),
        Verb::Remove { .. } if kind == QueueKind::Submission => Err(Refusal::InSubmission),
        Verb::Remove { .. } => match status {
            Ready | Retry | Suspended => Ok(Effect::Now),
            Active | PendingSuspend => Ok(Effect::Pending),
            PendingRemove => Ok(Effect::Nothing),
        },
        _ if status == PendingRemove => Err(Refusal::BeingRemoved),
        Verb::Suspend => Ok(match status {
            Ready | Retry => Effect::Now,
            Active => Effect::Pending,
            Suspended | PendingSuspend | PendingRemove => Effect::Nothing,
        }),
        Verb::Resume if matches!(status, Suspended | PendingSuspend) => Ok(Effect::Now),
        Verb::Resume => Ok(Effect::Nothing),
        Verb::Export if status == Suspended => Ok(Effect::Now),
        Verb::Export => Err(Refusal::NotSuspended),
        Verb::Redirect => match status {
            Ready | Retry => Ok(Effect::Now),
            Suspended => Err(Refusal::Suspended),
            Active | PendingSuspend | PendingRemove => Err(Refusal::InFlight),
        },
    }
}
