//! The Submission queue: what was accepted and is not routed yet.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot, watch};
use transom_types::{
    ConnectorId, DeliveryType, InternalMessageId, NextHop, NextHopDomain, TlsClass,
};

use crate::admin::{self, Progress};
use crate::categorize::{Submitted, enter};
use crate::core::Core;
use crate::dispatcher::{Entering, Request};

/// The way to the categorizer's workers, and who is on it.
///
/// While an administrator has suspended it, messages wait in a queue of the scheduler from which
/// nothing starts: so their notices and expiry come on time, and verbs find them.
pub(crate) struct Submission {
    workers: mpsc::Sender<Submitted>,
    suspended: AtomicBool,
    inside: Mutex<BTreeSet<InternalMessageId>>,
}

impl Submission {
    /// `workers` leads to the categorizer. Full: whoever sends waits.
    pub(crate) fn new(workers: mpsc::Sender<Submitted>) -> Self {
        Self { workers, suspended: AtomicBool::new(false), inside: Mutex::default() }
    }

    /// Gives a message to the categorizer, unless the transport is stopping: its next start finds
    /// the message then.
    pub(crate) async fn send(&self, submitted: Submitted) -> Result<(), Stopping> {
        let id = submitted.id;
        self.inside().insert(id);
        if self.workers.send(submitted).await.is_ok() {
            return Ok(());
        }
        self.leave([id]);
        Err(Stopping)
    }

    /// These are routed, or have ended.
    pub(crate) fn leave(&self, ids: impl IntoIterator<Item = InternalMessageId>) {
        let mut inside = self.inside();
        for id in ids {
            inside.remove(&id);
        }
    }

    /// Messages on their way to the categorizer or with it, in order.
    pub(crate) fn messages(&self) -> Vec<InternalMessageId> {
        self.inside().iter().copied().collect()
    }

    /// How many these are.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.inside().len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.suspended.load(Ordering::SeqCst)
    }

    pub(crate) fn set_suspended(&self, suspended: bool) {
        self.suspended.store(suspended, Ordering::SeqCst);
    }

    fn inside(&self) -> MutexGuard<'_, BTreeSet<InternalMessageId>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The workers are gone.
#[derive(Debug)]
pub(crate) struct Stopping;

/// Where messages wait while Submission is suspended.
pub(crate) fn next_hop() -> NextHop {
    NextHop {
        kind: DeliveryType::Undefined,
        domain: NextHopDomain::new("Submission"),
        connector: ConnectorId::new(""),
        tls: TlsClass::Normal,
    }
}

/// The queue entries of a message that is to wait in Submission.
pub(crate) fn held(submitted: &Submitted) -> Vec<Entering> {
    let all = submitted.units.iter().flat_map(|unit| &unit.recipients);
    let recipients: Vec<_> = all.map(|recipient| (*recipient, *recipient)).collect();
    let mut entering = Vec::new();
    let message = (submitted.id, submitted.suspended);
    enter(submitted, message, &next_hop(), &recipients, &mut entering);
    entering
}

/// Lets messages wait until Submission is resumed.
pub(crate) async fn hold(core: &Arc<Core>, batch: &mut Vec<Submitted>) {
    let ids: Vec<_> = batch.iter().map(|submitted| submitted.id).collect();
    let entering = batch.drain(..).flat_map(|submitted| held(&submitted)).collect();
    drop(core.dispatcher.send(Request::Enqueue(entering)).await);
    core.submission.leave(ids);
    // Who resumed it in this moment may have looked before these were there.
    if !core.submission.is_suspended() {
        core.spawn(release(Arc::clone(core)));
    }
}

/// Routes what waited in Submission and is not suspended itself.
pub(crate) async fn release(core: Arc<Core>) {
    let (sender, receiver) = oneshot::channel();
    if core.dispatcher.send(Request::Queue(next_hop(), sender)).await.is_err() {
        return;
    }
    if let Ok(Some(queue)) = receiver.await {
        let (progress, _) = watch::channel(Progress::default());
        admin::route_anew(core, queue, progress).await;
    }
}
