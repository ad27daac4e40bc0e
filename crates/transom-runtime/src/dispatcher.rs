//! The dispatcher: one task that owns the scheduler and tells connections what to do.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use transom_queue::{
    Completed, Dispatch, DispatchToken, Enqueue, QueueId, QueueView, Scheduler, SchedulerAction,
};
use transom_types::{InternalMessageId, Status};

use crate::core::Core;
use crate::{outbound, settlement};

/// Requests taken at once, between two looks at the scheduler.
const BATCH: usize = 256;

/// Wait where the scheduler has more to look at than one poll does.
const SOON: Duration = Duration::from_millis(1);

/// How soon a spool that could not record an outcome is asked again.
const HELD_RETRY: Duration = Duration::from_secs(1);

/// Suspensions, and as many removals, remembered for messages that are still on their way here:
/// far more than anybody gives in the moment that takes.
const EARLY_MAX: usize = 1024;

/// Recipients that enter a queue.
#[derive(Debug)]
pub(crate) struct Entering {
    pub(crate) unit: Enqueue,
    /// An administrator has stopped the message.
    pub(crate) suspended: bool,
    /// The message as it was before the categorizer: of a fork, its parent.
    pub(crate) submitted: InternalMessageId,
}

/// What the dispatcher is asked for.
#[derive(Debug)]
pub(crate) enum Request {
    /// Recipients enter their queues.
    Enqueue(Vec<Entering>),
    /// An attempt is over and its outcome durable.
    Complete(DispatchToken, Completed),
    /// A connection of the queue is free: it gets the next attempt now, or when there is one.
    /// Dropping the sender tells it to quit.
    Free(QueueId, oneshot::Sender<Dispatch>),
    /// What kept a queue from delivering.
    LastError(QueueId, Status),
    /// Open recipients of a message leave the queues; those under way leave when they end, those
    /// on their way here when they come.
    Remove(InternalMessageId, oneshot::Sender<Vec<u32>>),
    /// No attempt of the message begins.
    Suspend(InternalMessageId),
    /// Attempts of the message begin again.
    Resume(InternalMessageId),
    /// No attempt begins at all.
    SuspendAll,
    /// Attempts begin again.
    ResumeAll,
    /// All queues, as they are.
    Queues(oneshot::Sender<Vec<QueueView>>),
}

/// Runs until the transport stops and no attempt is under way.
pub(crate) async fn run(
    core: Arc<Core>,
    scheduler: Scheduler,
    mut requests: mpsc::Receiver<Request>,
) {
    let stop = core.stop.clone();
    let mut stop = pin!(stop.cancelled());
    let mut timer = pin!(tokio::time::sleep_until(core.clock.now().into()));
    let mut dispatcher = Dispatcher {
        core,
        scheduler,
        free: HashMap::new(),
        early: HashSet::new(),
        removed: HashSet::new(),
        held: false,
    };
    let mut batch = Vec::with_capacity(BATCH);
    let mut stopping = false;
    loop {
        let wake = dispatcher.act_under_pressure().map(Into::into);
        if stopping && dispatcher.scheduler.inflight() == 0 {
            return;
        }
        // Most rounds leave the next timer where it is, and moving one costs more than looking.
        if let Some(wake) = wake
            && (timer.deadline() != wake || timer.is_elapsed())
        {
            timer.as_mut().reset(wake);
        }
        tokio::select! {
            taken = requests.recv_many(&mut batch, BATCH) => {
                if taken == 0 {
                    return;
                }
                for request in batch.drain(..) {
                    dispatcher.serve(request);
                }
            }
            () = &mut timer, if wake.is_some() => {}
            () = &mut stop, if !stopping => {
                stopping = true;
                dispatcher.scheduler.suspend_all();
                // Idle connections quit; busy ones do when they ask for more.
                dispatcher.free.clear();
            }
        }
    }
}

struct Dispatcher {
    core: Arc<Core>,
    scheduler: Scheduler,
    /// Connections that wait for work, by queue.
    free: HashMap<QueueId, Vec<oneshot::Sender<Dispatch>>>,
    /// Messages that were suspended while they were still with the categorizer.
    early: HashSet<InternalMessageId>,
    /// Messages that were removed while they were still with the categorizer.
    removed: HashSet<InternalMessageId>,
    /// No attempt begins, because its outcome could not be written down.
    held: bool,
}

impl Dispatcher {
    /// Does what the scheduler says, but begins no attempt while the spool cannot record its end.
    fn act_under_pressure(&mut self) -> Option<Instant> {
        let held = !self.core.spool.pressure().starts_attempts();
        if std::mem::replace(&mut self.held, held) != held {
            let stopped = self.core.stop.is_cancelled()
                || self.core.delivery_suspended.load(Ordering::Relaxed);
            if held {
                self.scheduler.suspend_all();
            } else if !stopped {
                self.scheduler.resume_all();
            }
        }
        let wake = self.act();
        let again = self.core.clock.now().checked_add(HELD_RETRY).filter(|_| held);
        again.into_iter().chain(wake).min()
    }

    /// Does what the scheduler says; returns when to look again.
    fn act(&mut self) -> Option<Instant> {
        let now = self.core.clock.now();
        loop {
            match self.scheduler.poll(now) {
                SchedulerAction::Start(dispatch) => self.start(dispatch),
                SchedulerAction::Expire(overdue) => {
                    self.core.spawn(settlement::expire(Arc::clone(&self.core), overdue));
                }
                SchedulerAction::DelayNotice(overdue) => {
                    self.core.spawn(settlement::notify_delay(Arc::clone(&self.core), overdue));
                }
                SchedulerAction::Remove { message, recipients } => {
                    let core = Arc::clone(&self.core);
                    self.core.spawn(settlement::remove(core, message, recipients));
                }
                SchedulerAction::DropQueue(queue, _) => drop(self.free.remove(&queue)),
                // The configuration that routed it has not changed since: there is no other way.
                SchedulerAction::Resubmit(..) => {}
                SchedulerAction::Wait(until) => {
                    let soon = now.checked_add(SOON).unwrap_or(now);
                    return until.map(|until| until.max(soon));
                }
                _ => return Some(now.checked_add(SOON).unwrap_or(now)),
            }
        }
    }

    /// To a connection that waits for work, or to a new one.
    fn start(&mut self, dispatch: Dispatch) {
        let mut dispatch = dispatch;
        let waiting = self.free.get_mut(&dispatch.queue);
        for connection in
            waiting.into_iter().flat_map(|waiting| std::iter::from_fn(|| waiting.pop()))
        {
            match connection.send(dispatch) {
                Ok(()) => return,
                // It gave up waiting in this moment; the next may not have.
                Err(returned) => dispatch = returned,
            }
        }
        self.core.spawn(outbound::run(Arc::clone(&self.core), dispatch));
    }

    fn serve(&mut self, request: Request) {
        let now = self.core.clock.now();
        match request {
            Request::Enqueue(entering) => self.enqueue(now, entering),
            Request::Complete(token, completed) => {
                self.scheduler.complete(now, token, completed);
            }
            Request::Free(queue, connection) => self.give_work(now, queue, connection),
            Request::LastError(queue, status) => self.scheduler.set_last_error(queue, status),
            Request::Remove(message, reply) => {
                let recipients = self.scheduler.remove(now, message);
                // Suspending tells whether the scheduler knows it; what is removed stays so.
                if recipients.is_empty()
                    && !self.scheduler.suspend_message(now, message)
                    && self.removed.len() < EARLY_MAX
                {
                    self.removed.insert(message);
                }
                drop(reply.send(recipients));
            }
            Request::Suspend(message) => {
                if !self.scheduler.suspend_message(now, message) && self.early.len() < EARLY_MAX {
                    self.early.insert(message);
                }
            }
            Request::Resume(message) => {
                self.early.remove(&message);
                self.scheduler.resume_message(now, message);
            }
            Request::SuspendAll => {
                self.core.delivery_suspended.store(true, Ordering::Relaxed);
                self.scheduler.suspend_all();
            }
            // What stops does not begin again.
            Request::ResumeAll if self.core.stop.is_cancelled() => {}
            Request::ResumeAll => {
                self.core.delivery_suspended.store(false, Ordering::Relaxed);
                if !self.held {
                    self.scheduler.resume_all();
                }
            }
            Request::Queues(reply) => drop(reply.send(self.scheduler.queues())),
        }
    }

    fn enqueue(&mut self, now: Instant, entering: Vec<Entering>) {
        let mut gone = Vec::new();
        for Entering { unit, suspended, submitted } in entering {
            let message = unit.message;
            if self.removed.contains(&submitted) || self.removed.contains(&message) {
                let core = Arc::clone(&self.core);
                self.core.spawn(settlement::remove(core, message, unit.recipients));
                gone.extend([submitted, message]);
                continue;
            }
            self.scheduler.enqueue(now, unit);
            if suspended || self.early.remove(&message) {
                self.scheduler.suspend_message(now, message);
            }
        }
        // All of a message comes at once: its removal is done with.
        for message in gone {
            self.removed.remove(&message);
        }
    }

    fn give_work(&mut self, now: Instant, queue: QueueId, connection: oneshot::Sender<Dispatch>) {
        if self.core.stop.is_cancelled() {
            return;
        }
        let Some(dispatch) = self.scheduler.next_for(now, queue) else {
            let waiting = self.free.entry(queue).or_default();
            waiting.retain(|connection| !connection.is_closed());
            waiting.push(connection);
            return;
        };
        // It hung up meanwhile: a new connection takes the work.
        if let Err(dispatch) = connection.send(dispatch) {
            self.start(dispatch);
        }
    }
}
