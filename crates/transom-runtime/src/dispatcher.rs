//! The dispatcher: one task that owns the scheduler and tells connections what to do.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use transom_queue::view::{AgeHistogram, Moment, QueueInfo, Unscheduled, queue_rows};
use transom_queue::{
    Completed, Dispatch, DispatchToken, Drained, Enqueue, QueueId, QueueView, Scheduler,
    SchedulerAction, UnitView, Walked,
};
use transom_types::{InternalMessageId, NextHop, Status};

use crate::admin::{self, Progress, Removing};
use crate::core::Core;
use crate::{outbound, settlement};

/// Requests taken at once, between two looks at the scheduler.
const BATCH: usize = 256;

/// Wait where the scheduler has more to look at than one poll does.
const SOON: Duration = Duration::from_millis(1);

/// How soon a spool that could not record an outcome is asked again.
const HELD_RETRY: Duration = Duration::from_secs(1);

/// Suspensions remembered for messages that are still on their way here: far more than anybody
/// gives in the moment that takes.
const EARLY_MAX: usize = 1024;

/// Recipients that enter a queue.
#[derive(Debug)]
pub(crate) struct Entering {
    pub(crate) unit: Enqueue,
    /// An administrator has stopped the message.
    pub(crate) suspended: bool,
}

/// A message in its queues.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Its units, each with where its queue leads; none when it is in no queue.
    pub(crate) units: Vec<(UnitView, NextHop)>,
}

/// What a removal took out.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Recipients that are out.
    pub(crate) recipients: Vec<u32>,
    /// Recipients that are under way.
    pub(crate) pending: usize,
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
    /// Open recipients of a message leave the queues; those under way leave when they end.
    Remove(InternalMessageId, Removing, oneshot::Sender<Taken>),
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
    /// The queue that leads there, if there is one.
    Queue(NextHop, oneshot::Sender<Option<QueueView>>),
    /// All queues as rows.
    Rows(oneshot::Sender<Vec<QueueInfo>>),
    /// So many messages, from a place on.
    Walk(u32, u32, oneshot::Sender<Walked>),
    /// How old what is in the queues is.
    Ages(oneshot::Sender<AgeHistogram>),
    /// Where a message is.
    Message(InternalMessageId, oneshot::Sender<Found>),
    /// No attempt of the queue that leads there begins.
    SuspendQueue(NextHop),
    /// Attempts of a queue begin again.
    ResumeQueue(NextHop),
    /// A queue connects now.
    RetryNow(NextHop),
    /// What may be routed anew leaves a queue; at most so many of each priority.
    Drain(QueueId, u32, oneshot::Sender<Drained>),
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
        removing: HashMap::new(),
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
    /// Messages that are removed when what is under way of them has ended.
    removing: HashMap<InternalMessageId, Removing>,
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
                    if let Some(removing) = self.removing.get(&message).cloned() {
                        let core = Arc::clone(&self.core);
                        let ended = admin::remove(core, message, recipients, removing);
                        self.core.spawn(ended);
                    }
                }
                SchedulerAction::DropQueue(queue, _) => drop(self.free.remove(&queue)),
                SchedulerAction::Resubmit(queue, _) => self.resubmit(queue),
                SchedulerAction::Wait(until) => {
                    // Few, and each has an attempt under way.
                    let scheduler = &self.scheduler;
                    self.removing.retain(|message, _| !scheduler.message(*message).is_empty());
                    let soon = now.checked_add(SOON).unwrap_or(now);
                    return until.map(|until| until.max(soon));
                }
                _ => return Some(now.checked_add(SOON).unwrap_or(now)),
            }
        }
    }

    /// Nothing has got through for long: perhaps there is another way by now.
    fn resubmit(&self, queue: QueueId) {
        let Some(queue) = self.scheduler.queue(queue) else { return };
        if self.core.spool.pressure().resubmits() {
            let (progress, _) = watch::channel(Progress::default());
            self.core.spawn(admin::route_anew(Arc::clone(&self.core), queue, progress));
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
            Request::Remove(message, removing, reply) => {
                drop(reply.send(self.remove(now, message, removing)));
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
            Request::SuspendQueue(next_hop) => {
                let queue = self.scheduler.open_queue(now, next_hop);
                self.scheduler.suspend_queue(now, queue);
            }
            Request::ResumeQueue(next_hop) => {
                if let Some(queue) = self.scheduler.queue_of(&next_hop) {
                    self.scheduler.resume_queue(now, queue);
                }
            }
            Request::RetryNow(next_hop) => {
                if let Some(queue) = self.scheduler.queue_of(&next_hop) {
                    self.scheduler.retry_now(now, queue);
                }
            }
            Request::Drain(queue, max, reply) => self.drain(now, queue, max, reply),
            Request::Ages(_)
            | Request::Message(..)
            | Request::Queue(..)
            | Request::Queues(_)
            | Request::Rows(_)
            | Request::Walk(..) => self.show(request),
        }
    }

    /// Answers what changes nothing.
    fn show(&self, request: Request) {
        let scheduler = &self.scheduler;
        match request {
            Request::Queues(reply) => drop(reply.send(scheduler.queues())),
            Request::Queue(next_hop, reply) => {
                let queue = scheduler.queue_of(&next_hop).and_then(|id| scheduler.queue(id));
                drop(reply.send(queue));
            }
            Request::Rows(reply) => {
                let poison = u32::try_from(self.core.poison().len()).unwrap_or(u32::MAX);
                let beside = Unscheduled { routing: self.core.submission.count(), poison };
                let rows = queue_rows(scheduler, beside, self.moment());
                drop(reply.send(rows.collect()));
            }
            Request::Walk(from, max, reply) => drop(reply.send(scheduler.walk(from, max))),
            Request::Ages(reply) => {
                drop(reply.send(AgeHistogram::of(scheduler, &self.moment())));
            }
            Request::Message(message, reply) => {
                let of = |unit: UnitView| Some((scheduler.queue(unit.queue)?.next_hop, unit));
                let units = scheduler.message(message).into_iter().filter_map(of);
                let units = units.map(|(next_hop, unit)| (unit, next_hop)).collect();
                drop(reply.send(Found { units }));
            }
            _ => {}
        }
    }

    fn moment(&self) -> Moment {
        Moment { now: self.core.clock.now(), wall: self.core.clock.wall() }
    }

    fn remove(&mut self, now: Instant, message: InternalMessageId, removing: Removing) -> Taken {
        let recipients = self.scheduler.remove(now, message);
        let under_way = self.scheduler.message(message);
        if !under_way.is_empty() {
            self.removing.insert(message, removing);
        }
        let pending = under_way.iter().map(|unit| unit.recipients.len()).sum();
        Taken { recipients, pending }
    }

    fn drain(&mut self, now: Instant, queue: QueueId, max: u32, reply: oneshot::Sender<Drained>) {
        let drained = self.scheduler.drain_queue(now, queue, max);
        if let Err(drained) = reply.send(drained) {
            for unit in drained.units {
                self.scheduler.enqueue(now, unit);
            }
        }
    }

    fn enqueue(&mut self, now: Instant, entering: Vec<Entering>) {
        for Entering { unit, suspended } in entering {
            let message = unit.message;
            self.scheduler.enqueue(now, unit);
            if suspended || self.early.remove(&message) {
                self.scheduler.suspend_message(now, message);
            }
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
