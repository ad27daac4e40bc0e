//! Verbs on queues. A queue is named by where it leads: its id is another after a restart.

use std::sync::Arc;

use tokio::sync::watch;
use transom_queue::view::{Effect, QueueKind, Target, Verb, verdict};
use transom_queue::{QueueView, StoreError, UnitView};
use transom_types::{DeliveryType, NextHop};

use super::{VerbError, check_actor, journal, route_anew};
use crate::dispatcher::Request;
use crate::transport::{NotRunning, Transport};

/// How far a resubmission or a redirection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Messages that have left the queue. One whose recipients have different due times counts
    /// once for each.
    pub moved: u32,
    /// Messages that are to leave it yet. What is under way or suspended is not counted, and stays.
    pub left: u32,
}

impl Transport {
    /// The first `count` messages of a queue, the most urgent first; none when there is no such
    /// queue.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// [`NotRunning`] when the transport is stopping.
    pub async fn messages(
        &self,
        next_hop: &NextHop,
        count: usize,
    ) -> Result<Vec<UnitView>, NotRunning> {
        match self.queue(next_hop).await? {
            Some(QueueView { id, .. }) => {
                self.answer(|reply| Request::Units(id, count, reply)).await
            }
            None => Ok(Vec::new()),
        }
    }

    /// One delivery queue, if it is there.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// [`NotRunning`] when the transport is stopping.
    pub async fn queue(&self, next_hop: &NextHop) -> Result<Option<QueueView>, NotRunning> {
        self.answer(|reply| Request::Queue(next_hop.clone(), reply)).await
    }

    /// Begins no attempt of a queue until it is resumed, also after a restart. It takes in messages
    /// all the same, and attempts under way end as they do. Exchange: `Suspend-Queue`.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the decision may be durable and not yet in force.
    ///
    /// # Errors
    ///
    /// [`VerbError`] names verb and queue and says why not.
    pub async fn suspend_queue(
        &self,
        next_hop: &NextHop,
        actor: &str,
    ) -> Result<Effect, VerbError> {
        check_actor(actor)?;
        let _one_by_one = self.core.verbs.lock().await;
        let (queue, effect) = self.judge_queue(Verb::Suspend, next_hop).await?;
        if effect != Effect::Nothing {
            journal::keep_suspended(&self.core, next_hop, Some(actor)).await?;
            self.ask(Request::SuspendQueue(queue.id)).await?;
        }
        journal::tell_queue(&self.core, next_hop, Verb::Suspend, actor);
        Ok(effect)
    }

    /// Begins attempts of a queue again. Exchange: `Resume-Queue`.
    ///
    /// # Cancel safety
    ///
    /// As [`suspend_queue`](Self::suspend_queue).
    ///
    /// # Errors
    ///
    /// As [`suspend_queue`](Self::suspend_queue).
    pub async fn resume_queue(&self, next_hop: &NextHop, actor: &str) -> Result<Effect, VerbError> {
        check_actor(actor)?;
        let _one_by_one = self.core.verbs.lock().await;
        let (queue, effect) = self.judge_queue(Verb::Resume, next_hop).await?;
        if effect != Effect::Nothing {
            journal::keep_suspended(&self.core, next_hop, None).await?;
            self.ask(Request::ResumeQueue(queue.id)).await?;
        }
        journal::tell_queue(&self.core, next_hop, Verb::Resume, actor);
        Ok(effect)
    }

    /// Lets a queue in Retry connect now instead of when its time comes. Exchange: `Retry-Queue`.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it happens or it does not.
    ///
    /// # Errors
    ///
    /// As [`suspend_queue`](Self::suspend_queue).
    pub async fn retry_queue(&self, next_hop: &NextHop, actor: &str) -> Result<Effect, VerbError> {
        check_actor(actor)?;
        let _one_by_one = self.core.verbs.lock().await;
        let (queue, effect) = self.judge_queue(Verb::Retry, next_hop).await?;
        self.ask(Request::RetryNow(queue.id)).await?;
        journal::tell_queue(&self.core, next_hop, Verb::Retry, actor);
        Ok(effect)
    }

    /// Routes anew what is in a queue and neither under way nor suspended, and tells `progress`
    /// after each step. Exchange: `Retry-Queue -Resubmit $true`.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it goes on without anyone waiting for it.
    ///
    /// # Errors
    ///
    /// As [`suspend_queue`](Self::suspend_queue); [`VerbError::Store`] while the disk is short of
    /// room.
    pub async fn resubmit_queue(
        &self,
        next_hop: &NextHop,
        actor: &str,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<Progress, VerbError> {
        check_actor(actor)?;
        let one_by_one = self.core.verbs.lock().await;
        let (queue, _) = self.judge_queue(Verb::Resubmit, next_hop).await?;
        if !self.core.spool.pressure().resubmits() {
            return Err(StoreError::Full { resource: "disk space" }.into());
        }
        journal::tell_queue(&self.core, next_hop, Verb::Resubmit, actor);
        drop(one_by_one);
        Ok(self.follow(&queue, progress).await)
    }

    /// Lets all mail for one next hop go to another, also after a restart, until
    /// [`end_redirection`](Self::end_redirection). What is in the queue now leaves it step by step;
    /// what is under way or suspended stays. Exchange: `Redirect-Message`, which is for whole
    /// servers.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe once the first `progress` was told: it goes on without anyone waiting for it.
    ///
    /// # Errors
    ///
    /// As [`suspend_queue`](Self::suspend_queue); [`VerbError::Target`] when nothing is delivered
    /// by that next hop.
    pub async fn redirect_queue(
        &self,
        from: &NextHop,
        to: &NextHop,
        actor: &str,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<Progress, VerbError> {
        check_actor(actor)?;
        let one_by_one = self.core.verbs.lock().await;
        let (queue, _) = self.judge_queue(Verb::Redirect, from).await?;
        self.check_target(from, to)?;
        journal::keep_redirected(&self.core, from, Some((to, actor))).await?;
        self.core.redirects().insert(from.clone(), to.clone());
        journal::tell_queue(&self.core, from, Verb::Redirect, actor);
        drop(one_by_one);
        Ok(self.follow(&queue, progress).await)
    }

    /// Lets mail for a next hop go there again. What was redirected stays where it is until the
    /// next start. False when it was not redirected.
    ///
    /// # Cancel safety
    ///
    /// As [`suspend_queue`](Self::suspend_queue).
    ///
    /// # Errors
    ///
    /// As [`suspend_queue`](Self::suspend_queue).
    pub async fn end_redirection(&self, from: &NextHop, actor: &str) -> Result<bool, VerbError> {
        check_actor(actor)?;
        let _one_by_one = self.core.verbs.lock().await;
        if !self.core.redirects().contains_key(from) {
            return Ok(false);
        }
        journal::keep_redirected(&self.core, from, None).await?;
        self.core.redirects().remove(from);
        journal::tell_end_of_redirection(&self.core, from, actor);
        Ok(true)
    }

    /// Whether mail that is meant for one next hop may go to another.
    fn check_target(&self, from: &NextHop, to: &NextHop) -> Result<(), VerbError> {
        let refused = |why| VerbError::Target { next_hop: Box::new(to.clone()), why };
        if from == to {
            return Err(refused("it is where the mail goes already"));
        }
        if from.tls != to.tls {
            return Err(refused("its demands on TLS are others"));
        }
        if self.core.redirects().contains_key(to) {
            return Err(refused("it is redirected itself"));
        }
        let mut connectors = self.core.config.send_connectors().iter();
        let named = connectors.any(|connector| connector.name == to.connector);
        let served = match to.kind {
            DeliveryType::DeliveryAgent => self.core.agents.contains_key(to.domain.as_str()),
            DeliveryType::Unreachable => false,
            _ => true,
        };
        if named && served { Ok(()) } else { Err(refused("no connector delivers there")) }
    }

    /// Finds a queue and asks the table.
    async fn judge_queue(
        &self,
        verb: Verb,
        next_hop: &NextHop,
    ) -> Result<(QueueView, Effect), VerbError> {
        let named = || Box::new(next_hop.clone());
        let queue = self.queue(next_hop).await?;
        let queue = queue.ok_or_else(|| VerbError::NoQueue { verb, next_hop: named() })?;
        let target = Target::Queue(QueueKind::of(next_hop), queue.status);
        match verdict(verb, target) {
            Ok(effect) => Ok((queue, effect)),
            Err(why) => Err(VerbError::Queue { verb, next_hop: named(), why }),
        }
    }

    /// Routes a queue anew in a task of its own and tells how far it is.
    async fn follow(
        &self,
        queue: &QueueView,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Progress {
        let (sender, mut receiver) = watch::channel(Progress::default());
        self.core.spawn(route_anew(Arc::clone(&self.core), queue.clone(), sender));
        while receiver.changed().await.is_ok() {
            progress(*receiver.borrow_and_update());
        }
        *receiver.borrow()
    }
}
