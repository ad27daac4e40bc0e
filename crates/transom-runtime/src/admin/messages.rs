//! Verbs on messages.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::future::join_all;
use tokio::sync::oneshot;
use transom_queue::view::{Effect, QueueKind, Refusal, Target, Verb, verdict};
use transom_queue::{
    AdminVerb, Durability, LoadedMessage, Op, Recovered, StoreError, StoredMessage, UnitStatus,
    UnitView, recover,
};
use transom_types::{InternalMessageId, NextHop};

use super::remove::{Removal, Removing, open_recipients, try_remove};
use super::{Done, MessageTarget, VerbError, check_actor, journal, remove};
use crate::categorize::Submitted;
use crate::core::Core;
use crate::dispatcher::{Found, Request, Taken};
use crate::settlement::submit;
use crate::submission;
use crate::transport::{NotRunning, Transport};

/// How long a note of a removal outlives its message.
const NOTE_RESERVE: Duration = Duration::from_hours(24);

/// Messages of one verb that are worked on at the same time.
const TOGETHER: usize = 64;

/// A message, where it is.
pub(super) struct Located {
    /// Not there when it is damaged.
    pub(super) stored: Option<StoredMessage>,
    /// The queue it is in, and what becomes of it there. A message can be in several.
    pub(super) targets: Vec<(QueueKind, UnitStatus)>,
    pub(super) units: Vec<(UnitView, NextHop)>,
}

impl Transport {
    /// What is open of a message, in its delivery queues; nothing while it is being routed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// [`NotRunning`] when the transport is stopping.
    pub async fn message(&self, id: InternalMessageId) -> Result<Vec<UnitView>, NotRunning> {
        let Found { units } = self.answer(|reply| Request::Message(id, reply)).await?;
        Ok(units.into_iter().map(|(unit, _)| unit).collect())
    }

    /// Messages that ended the process, or were being worked on when it ended, in two runs. They
    /// are in no delivery queue and wait for [`resume_message`](Self::resume_message) or
    /// [`remove_message`](Self::remove_message).
    pub fn poison_messages(&self) -> Vec<InternalMessageId> {
        self.core.poison().iter().copied().collect()
    }

    /// Begins no attempt of messages until they are resumed, also after a restart. Attempts under
    /// way end as they do. Exchange: `Suspend-Message`.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: a decision may be durable and not yet in force.
    ///
    /// # Errors
    ///
    /// [`VerbError`] names verb and message and says why not; see [`Done`] for several.
    pub async fn suspend_message(
        &self,
        which: impl Into<MessageTarget> + Send,
        actor: &str,
    ) -> Result<Done, VerbError> {
        self.on_messages(Verb::Suspend, which.into(), actor).await
    }

    /// Begins attempts of messages again. Poison messages are routed as if they had just come in.
    /// Exchange: `Resume-Message`.
    ///
    /// # Cancel safety
    ///
    /// As [`suspend_message`](Self::suspend_message).
    ///
    /// # Errors
    ///
    /// As [`suspend_message`](Self::suspend_message).
    pub async fn resume_message(
        &self,
        which: impl Into<MessageTarget> + Send,
        actor: &str,
    ) -> Result<Done, VerbError> {
        self.on_messages(Verb::Resume, which.into(), actor).await
    }

    /// Takes messages out of the queues. Recipients whose attempt is under way are taken out when
    /// it ends without having delivered, also after a restart. Exchange: `Remove-Message`.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: recipients may have left the queues and not yet the spool; they come back
    /// at the next start then.
    ///
    /// # Errors
    ///
    /// As [`suspend_message`](Self::suspend_message). After [`VerbError::Store`] the message has
    /// left the queues and is removed as soon as the spool takes that down.
    pub async fn remove_message(
        &self,
        which: impl Into<MessageTarget> + Send,
        removal: Removal,
        actor: &str,
    ) -> Result<Done, VerbError> {
        let verb = Verb::Remove { with_dsn: removal == Removal::WithDsn };
        self.on_messages(verb, which.into(), actor).await
    }

    async fn on_messages(
        &self,
        verb: Verb,
        target: MessageTarget,
        actor: &str,
    ) -> Result<Done, VerbError> {
        check_actor(actor)?;
        let mut done = Done::default();
        let (ids, named) = self.meant_messages(verb, target).await?;
        for together in ids.chunks(TOGETHER) {
            let _one_by_one = self.core.verbs.lock().await;
            // Their commits share a write.
            let acts = together.iter().map(|id| self.on_message(verb, *id, actor));
            for result in join_all(acts).await {
                done.add(result);
            }
        }
        done.of(named)
    }

    /// The messages that are meant, and whether they are one that was named.
    pub(super) async fn meant_messages(
        &self,
        verb: Verb,
        target: MessageTarget,
    ) -> Result<(Vec<InternalMessageId>, bool), VerbError> {
        let identity = match target {
            MessageTarget::Where(filter) => return Ok((self.matching(filter).await?, false)),
            MessageTarget::Named(identity) => identity,
        };
        let id = identity.message;
        if let Some(queue) = identity.queue {
            let queues = self.meant(verb, &queue.into()).await?;
            let Located { targets, units, .. } = self.locate(verb, id).await?;
            let leads = |next_hop| queues.iter().any(|queue| queue.next_hop.as_ref() == next_hop);
            let beside = |kind| queues.iter().any(|queue| queue.kind == kind);
            let found = units.iter().any(|(_, next_hop)| leads(Some(next_hop)))
                || targets.iter().any(|(kind, _)| next_hop_less(*kind) && beside(*kind));
            if !found {
                return Err(VerbError::NoMessage { verb, id });
            }
        }
        Ok((vec![id], true))
    }

    async fn on_message(
        &self,
        verb: Verb,
        id: InternalMessageId,
        actor: &str,
    ) -> Result<Effect, VerbError> {
        let (located, effect) = self.judge(verb, id).await?;
        let effect = match verb {
            _ if effect == Effect::Nothing => effect,
            Verb::Suspend => {
                self.write(id, AdminVerb::Suspend, actor).await?;
                self.ask(Request::Suspend(id)).await?;
                effect
            }
            Verb::Resume => self.resume(located, effect, id, actor).await?,
            Verb::Remove { with_dsn } => {
                let removal = if with_dsn { Removal::WithDsn } else { Removal::WithoutDsn };
                self.remove(&located, id, Removing { actor: Arc::from(actor), removal }).await?
            }
            _ => return Err(VerbError::Message { verb, id, why: Refusal::NotForMessages }),
        };
        journal::tell_message(&self.core, id, verb, actor);
        Ok(effect)
    }

    async fn resume(
        &self,
        located: Located,
        effect: Effect,
        id: InternalMessageId,
        actor: &str,
    ) -> Result<Effect, VerbError> {
        self.write(id, AdminVerb::Resume, actor).await?;
        if let (Effect::Resubmit, Some(stored)) = (effect, located.stored) {
            self.core.poison().remove(&id);
            submit(&self.core, vec![submitted(&self.core, stored).await?]).await;
            return Ok(effect);
        }
        self.ask(Request::Resume(id)).await?;
        // It was left in Submission because it was suspended itself.
        let left = located.units.iter().any(|(_, hop)| QueueKind::of(hop) == QueueKind::Submission);
        if left && !self.core.submission.is_suspended() {
            self.core.spawn(submission::release(Arc::clone(&self.core)));
        }
        Ok(effect)
    }

    async fn remove(
        &self,
        located: &Located,
        id: InternalMessageId,
        removing: Removing,
    ) -> Result<Effect, VerbError> {
        let Taken { recipients, pending } = self.take_out(id, located, &removing).await?;
        match try_remove(&self.core, id, &recipients, &removing).await {
            Ok(reports) => submit(&self.core, reports).await,
            Err(error) => {
                let core = Arc::clone(&self.core);
                self.core.spawn(remove(core, id, recipients, removing));
                return Err(error.into());
            }
        }
        if pending == 0 {
            return Ok(Effect::Now);
        }
        journal::keep_removing(&self.core, id, &removing, self.ends_by(located)).await?;
        Ok(Effect::Pending)
    }

    /// When a message has ended for certain, with some reserve.
    fn ends_by(&self, located: &Located) -> Option<SystemTime> {
        let expiry = located.units.iter().filter_map(|(unit, _)| unit.expires_at).max()?;
        let left = expiry.saturating_duration_since(self.core.clock.now());
        self.core.clock.wall().checked_add(left.saturating_add(NOTE_RESERVE))
    }

    async fn take_out(
        &self,
        id: InternalMessageId,
        located: &Located,
        removing: &Removing,
    ) -> Result<Taken, NotRunning> {
        if self.core.poison().remove(&id) {
            let stored = located.stored.as_ref();
            let recipients = stored.map(|stored| open_recipients(&stored.state.recipients));
            return Ok(Taken { recipients: recipients.unwrap_or_default(), pending: 0 });
        }
        self.answer(|reply| Request::Remove(id, removing.clone(), reply)).await
    }

    /// Finds a message and asks the table.
    pub(super) async fn judge(
        &self,
        verb: Verb,
        id: InternalMessageId,
    ) -> Result<(Located, Effect), VerbError> {
        let located = self.locate(verb, id).await?;
        let mut strongest = Effect::Nothing;
        for (kind, status) in &located.targets {
            let effect = verdict(verb, Target::Message(*kind, *status))
                .map_err(|why| VerbError::Message { verb, id, why })?;
            strongest = match (strongest, effect) {
                (_, Effect::Nothing) | (Effect::Pending | Effect::Resubmit, Effect::Now) => {
                    strongest
                }
                _ => effect,
            };
        }
        Ok((located, strongest))
    }

    async fn locate(&self, verb: Verb, id: InternalMessageId) -> Result<Located, VerbError> {
        let stored = match self.core.spool.open(id).await {
            Ok(stored) => Some(stored),
            Err(StoreError::Damaged { .. }) => None,
            Err(StoreError::NotFound(_)) => return Err(VerbError::NoMessage { verb, id }),
            Err(error) => return Err(error.into()),
        };
        if self.core.poison().contains(&id) {
            let targets = vec![(QueueKind::Poison, UnitStatus::Suspended)];
            return Ok(Located { stored, targets, units: Vec::new() });
        }
        let Found { units } = self.answer(|reply| Request::Message(id, reply)).await?;
        let mut targets: Vec<_> =
            units.iter().map(|(unit, next_hop)| (QueueKind::of(next_hop), unit.status)).collect();
        if targets.is_empty() {
            let suspended = stored.as_ref().is_some_and(|stored| stored.state.suspended.is_some());
            let status = if suspended { UnitStatus::Suspended } else { UnitStatus::Active };
            targets.push((QueueKind::Submission, status));
        }
        Ok(Located { stored, targets, units })
    }

    /// Writes down who does what to a message.
    async fn write(
        &self,
        id: InternalMessageId,
        verb: AdminVerb,
        actor: &str,
    ) -> Result<(), StoreError> {
        let op = Op::Admin { id, verb, actor: actor.to_owned() };
        self.core.spool.commit(vec![op], Durability::Sync).await?;
        Ok(())
    }

    /// Asks the dispatcher and waits for its answer.
    pub(super) async fn answer<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, NotRunning> {
        let (sender, receiver) = oneshot::channel();
        self.ask(request(sender)).await?;
        receiver.await.map_err(|_| NotRunning)
    }
}

/// Whether such a queue is not known by where it leads.
fn next_hop_less(kind: QueueKind) -> bool {
    matches!(kind, QueueKind::Submission | QueueKind::Poison)
}

/// A message that is in no queue, as a start would find it, resumed.
async fn submitted(core: &Core, stored: StoredMessage) -> Result<Submitted, StoreError> {
    let StoredMessage { id, message, mut state, .. } = stored;
    state.suspended = None;
    let loaded = LoadedMessage { id, message: (*message).clone(), state };
    let (wall, now) = (core.clock.wall(), core.clock.now());
    let found = recover(&loaded, &core.settle_policy, wall, now, fastrand::u64(..));
    let Recovered { units, deadlines, op, events, suspended, .. } = found;
    if let Some(op) = op {
        core.spool.commit(vec![op], Durability::Sync).await?;
    }
    for event in &events {
        core.emit(event);
    }
    Ok(Submitted { id, message, state: loaded.state, units, deadlines, suspended })
}
