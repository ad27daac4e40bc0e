//! Verbs on queues.

use std::sync::Arc;

use tokio::sync::watch;
use transom_queue::view::{Effect, QueueInfo, QueueKind, Target, Verb, verdict};
use transom_queue::{QueueView, StoreError};
use transom_types::{DeliveryType, NextHop};

use super::{Done, QueueTarget, VerbError, check_actor, journal, route_anew};
use crate::dispatcher::Request;
use crate::submission;
use crate::transport::{NotRunning, Transport};

/// How far a resubmission or a redirection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Messages that have left their queues. One whose recipients have different due times counts
    /// once for each.
    pub moved: u32,
    /// Messages that are to leave the queue at hand yet. What is under way or suspended is not
    /// counted, and stays.
    pub left: u32,
}

impl Transport {
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

    /// Begins no attempt of queues until they are resumed, also after a restart. They take in
    /// messages all the same, and attempts under way end as they do. Exchange: `Suspend-Queue`.
    ///
    /// While Submission is suspended, nothing is routed; a start then leaves there what was never
    /// attempted.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: a decision may be durable and not yet in force.
    ///
    /// # Errors
    ///
    /// [`VerbError`] names verb and queue and says why not; see [`Done`] for several.
    pub async fn suspend_queue(
        &self,
        which: impl Into<QueueTarget> + Send,
        actor: &str,
    ) -> Result<Done, VerbError> {
        self.on_queues(Verb::Suspend, which.into(), actor).await
    }

    /// Begins attempts of queues again. Exchange: `Resume-Queue`.
    ///
    /// # Cancel safety
    ///
    /// As [`suspend_queue`](Self::suspend_queue).
    ///
    /// # Errors
    ///
    /// As [`suspend_queue`](Self::suspend_queue).
    pub async fn resume_queue(
        &self,
        which: impl Into<QueueTarget> + Send,
        actor: &str,
    ) -> Result<Done, VerbError> {
        self.on_queues(Verb::Resume, which.into(), actor).await
    }

    /// Lets queues in Retry connect now instead of when their time comes. Exchange: `Retry-Queue`.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it happens or it does not.
    ///
    /// # Errors
    ///
    /// As [`suspend_queue`](Self::suspend_queue).
    pub async fn retry_queue(
        &self,
        which: impl Into<QueueTarget> + Send,
        actor: &str,
    ) -> Result<Done, VerbError> {
        self.on_queues(Verb::Retry, which.into(), actor).await
    }

    /// Routes anew what is in queues in Retry, or in Unreachable, and is neither under way nor
    /// suspended, and tells `progress` after each step. Exchange: `Retry-Queue -Resubmit $true`.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the queue at hand goes on without anyone waiting for it, others do not begin.
    ///
    /// # Errors
    ///
    /// As [`suspend_queue`](Self::suspend_queue); [`VerbError::Store`] while the disk is short of
    /// room.
    pub async fn resubmit_queue(
        &self,
        which: impl Into<QueueTarget> + Send,
        actor: &str,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<Done, VerbError> {
        self.route_queues_anew(Verb::Resubmit, which.into(), None, actor, progress).await
    }

    /// Lets all mail that queues are for go to another next hop, also after a restart, until
    /// [`end_redirection`](Self::end_redirection). What is in the queues now leaves them step by
    /// step; what is under way or suspended stays. Exchange: `Redirect-Message`, which is for whole
    /// servers.
    ///
    /// # Cancel safety
    ///
    /// As [`resubmit_queue`](Self::resubmit_queue), once the first `progress` was told.
    ///
    /// # Errors
    ///
    /// As [`suspend_queue`](Self::suspend_queue); [`VerbError::Target`] when nothing is delivered
    /// by that next hop.
    pub async fn redirect_queue(
        &self,
        which: impl Into<QueueTarget> + Send,
        to: &NextHop,
        actor: &str,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<Done, VerbError> {
        self.route_queues_anew(Verb::Redirect, which.into(), Some(to), actor, progress).await
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

    async fn on_queues(
        &self,
        verb: Verb,
        target: QueueTarget,
        actor: &str,
    ) -> Result<Done, VerbError> {
        check_actor(actor)?;
        let _one_by_one = self.core.verbs.lock().await;
        let mut done = Done::default();
        for queue in self.meant(verb, &target).await? {
            done.add(self.on_queue(verb, &queue, actor).await);
        }
        done.of(target.name().is_some())
    }

    async fn on_queue(
        &self,
        verb: Verb,
        queue: &QueueInfo,
        actor: &str,
    ) -> Result<Effect, VerbError> {
        let effect = judge(verb, queue)?;
        let next_hop = next_hop(queue);
        if effect != Effect::Nothing {
            match verb {
                Verb::Suspend => self.stop_queue(queue, next_hop, actor).await?,
                Verb::Resume => self.open_queue(queue, next_hop).await?,
                _ => self.ask(Request::RetryNow(next_hop)).await?,
            }
        }
        journal::tell_queue(&self.core, queue, verb, actor);
        Ok(effect)
    }

    async fn stop_queue(
        &self,
        queue: &QueueInfo,
        next_hop: NextHop,
        actor: &str,
    ) -> Result<(), VerbError> {
        journal::keep_suspended(&self.core, &next_hop, Some(actor)).await?;
        if queue.kind == QueueKind::Submission {
            self.core.submission.set_suspended(true);
        }
        Ok(self.ask(Request::SuspendQueue(next_hop)).await?)
    }

    async fn open_queue(&self, queue: &QueueInfo, next_hop: NextHop) -> Result<(), VerbError> {
        journal::keep_suspended(&self.core, &next_hop, None).await?;
        self.ask(Request::ResumeQueue(next_hop)).await?;
        if queue.kind == QueueKind::Submission {
            self.core.submission.set_suspended(false);
            self.core.spawn(submission::release(Arc::clone(&self.core)));
        }
        Ok(())
    }

    async fn route_queues_anew(
        &self,
        verb: Verb,
        target: QueueTarget,
        to: Option<&NextHop>,
        actor: &str,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<Done, VerbError> {
        check_actor(actor)?;
        let mut done = Done::default();
        let mut begun = Vec::new();
        let one_by_one = self.core.verbs.lock().await;
        for queue in self.meant(verb, &target).await? {
            let begins = self.begin(verb, &queue, to, actor).await;
            begun.extend(begins.is_ok().then(|| next_hop(&queue)));
            done.add(begins);
        }
        drop(one_by_one);
        for next_hop in begun {
            let Some(queue) = self.queue(&next_hop).await? else { continue };
            let before = done.moved;
            let ahead =
                |step: Progress| Progress { moved: before.saturating_add(step.moved), ..step };
            done.moved = ahead(self.follow(&queue, |step| progress(ahead(step))).await).moved;
        }
        done.of(target.name().is_some())
    }

    /// Whether a queue may be routed anew; writes down where its mail goes from now on.
    async fn begin(
        &self,
        verb: Verb,
        queue: &QueueInfo,
        to: Option<&NextHop>,
        actor: &str,
    ) -> Result<Effect, VerbError> {
        let effect = judge(verb, queue)?;
        if let Some(to) = to {
            let from = next_hop(queue);
            self.check_target(&from, to)?;
            journal::keep_redirected(&self.core, &from, Some((to, actor))).await?;
            self.core.redirects().insert(from, to.clone());
        } else if !self.core.spool.pressure().resubmits() {
            return Err(StoreError::Full { resource: "disk space" }.into());
        }
        journal::tell_queue(&self.core, queue, verb, actor);
        Ok(effect)
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
        let config = self.core.config();
        let mut connectors = config.send_connectors().iter();
        let named = connectors.any(|connector| connector.name == to.connector);
        let served = match to.kind {
            DeliveryType::DeliveryAgent => self.core.agents.contains_key(to.domain.as_str()),
            DeliveryType::Undefined | DeliveryType::Unreachable => false,
            _ => true,
        };
        if named && served { Ok(()) } else { Err(refused("no connector delivers there")) }
    }

    /// The queues that are meant; none with that name is an error.
    pub(super) async fn meant(
        &self,
        verb: Verb,
        target: &QueueTarget,
    ) -> Result<Vec<QueueInfo>, VerbError> {
        let mut queues = self.rows().await?;
        queues.retain(|queue| target.means(queue, self.server()));
        match target.name() {
            Some(queue) if queues.is_empty() => Err(VerbError::NoQueue { verb, queue }),
            _ => Ok(queues),
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

/// Asks the table.
fn judge(verb: Verb, queue: &QueueInfo) -> Result<Effect, VerbError> {
    let named = || match &queue.next_hop {
        Some(next_hop) => next_hop.to_string(),
        None => queue.identity.to_string(),
    };
    verdict(verb, Target::Queue(queue.kind, queue.status)).map_err(|why| VerbError::Queue {
        verb,
        queue: named(),
        why,
    })
}

/// Where a queue leads. Submission leads nowhere yet; with Poison nothing is done that asks.
fn next_hop(queue: &QueueInfo) -> NextHop {
    queue.next_hop.clone().unwrap_or_else(submission::next_hop)
}
