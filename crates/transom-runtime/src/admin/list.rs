//! Lists of queues and messages: filtered, sorted, page by page.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use transom_queue::query::{CursorError, Filter, Page, Property, Query};
use transom_queue::view::{
    AgeHistogram, MessageInfo, MessageProperty, Moment, QueueIdentity, QueueInfo, QueueKind,
    QueueProperty,
};
use transom_queue::{Deadlines, QueueId, UnitView, Walked};
use transom_types::InternalMessageId;

use super::QueueTarget;
use crate::core::Core;
use crate::dispatcher::Request;
use crate::submission;
use crate::transport::{NotRunning, Transport};

/// Messages that one step looks at: the dispatcher does nothing else meanwhile.
const STEP: u32 = 1024;

/// Why there is no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The page begins at a cursor that does not belong here.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The transport is stopping.
    #[error(transparent)]
    NotRunning(#[from] NotRunning),
}

impl Transport {
    /// Begins a question: all rows, the first page.
    pub fn query<P: Property>(&self) -> Query<P> {
        Query::new(self.core.spool.id())
    }

    /// A page of the queues: Submission, Unreachable and Poison among them, the last two where
    /// something is in them. Exchange: `Get-Queue`.
    ///
    /// ```no_run
    /// # use transom_runtime::Transport;
    /// # async fn f(transport: Transport) -> Result<(), Box<dyn std::error::Error>> {
    /// use transom_queue::view::QueueProperty;
    ///
    /// let filter = "status = retry and messages >= 10".parse()?;
    /// let stuck = transport.query::<QueueProperty>().with_filter(filter);
    /// for queue in transport.find_queues(&stuck).await?.rows {
    ///     println!("{}: {} messages", queue.next_hop_domain(), queue.message_count);
    /// }
    /// // The same filter names them for a verb.
    /// let done = transport.retry_queue(stuck.filter, "ann").await?;
    /// println!("{} connect now, {} do not", done.now, done.refused);
    /// # Ok(()) }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// [`QueryError::Cursor`] for a cursor of another transport's spool, filter or order.
    pub async fn find_queues(
        &self,
        query: &Query<QueueProperty>,
    ) -> Result<Page<QueueInfo>, QueryError> {
        let query = self.own(query);
        Ok(query.page(self.rows().await?)?)
    }

    /// A page of the messages in some queues, with all that the spool knows of them. Exchange:
    /// `Get-Message`.
    ///
    /// Every message is looked at, in small steps between which deliveries go on. Where filter or
    /// sort ask for what only the spool knows, each is read from the disk: see
    /// [`MessageProperty::is_stored`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; a question that was begun is answered to nobody.
    ///
    /// # Errors
    ///
    /// As [`find_queues`](Self::find_queues).
    pub async fn find_messages(
        &self,
        queues: impl Into<QueueTarget> + Send,
        query: &Query<MessageProperty>,
    ) -> Result<Page<MessageInfo>, QueryError> {
        let query = self.own(query);
        let queues = queues.into();
        self.with_messages(queues, move |mut rows| {
            let sorted = query.sort.uses(MessageProperty::is_stored);
            rows.read = sorted || query.filter.uses(MessageProperty::is_stored);
            let mut page = query.page(&mut rows)?;
            rows.finish()?;
            let read = rows.read;
            page.rows = page
                .rows
                .into_iter()
                .map(|row| if read { row } else { rows.with_stored(row) })
                .collect();
            Ok(page)
        })
        .await
    }

    /// How old the messages in the delivery queues and Unreachable are, destination by
    /// destination. The dispatcher looks at all of them at once: some hundredths of a second for a
    /// million.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// [`NotRunning`] when the transport is stopping.
    pub async fn ages(&self) -> Result<AgeHistogram, NotRunning> {
        self.answer(Request::Ages).await
    }

    /// The messages that a filter lets through.
    pub(super) async fn matching(
        &self,
        filter: Filter<MessageProperty>,
    ) -> Result<Vec<InternalMessageId>, NotRunning> {
        let work = move |mut rows: Rows| {
            rows.read = filter.uses(MessageProperty::is_stored);
            let found = (&mut rows).filter(|row| filter.matches(row));
            let mut found: Vec<_> = found.map(|row| row.identity.message).collect();
            rows.finish()?;
            found.sort_unstable();
            found.dedup();
            Ok(found)
        };
        self.with_messages(QueueTarget::all(), work).await
    }

    /// All queues as rows.
    pub(super) async fn rows(&self) -> Result<Vec<QueueInfo>, NotRunning> {
        self.answer(Request::Rows).await
    }

    /// The name of this server, as it stands in names of queues.
    pub(super) fn server(&self) -> &str {
        self.core.settle_policy.reporting_mta.as_str()
    }

    /// A question with cursors of this spool, whoever made it.
    fn own<P: Property>(&self, query: &Query<P>) -> Query<P> {
        let mut query = query.clone();
        query.source = self.core.spool.id();
        query
    }

    /// Looks at messages where waiting for the disk holds up nobody.
    async fn with_messages<T: Send + 'static, E: From<NotRunning> + Send + 'static>(
        &self,
        queues: QueueTarget,
        work: impl FnOnce(Rows) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let held = self.queue(&submission::next_hop()).await?.map(|queue| queue.id);
        let meant = self.rows().await?.into_iter().filter(|row| queues.means(row, self.server()));
        let rows = Rows::new(Arc::clone(&self.core), meant, held);
        let done = tokio::task::spawn_blocking(move || work(rows)).await;
        done.unwrap_or_else(|_| Err(NotRunning.into()))
    }
}

/// Messages as rows, step by step.
struct Rows {
    core: Arc<Core>,
    handle: Handle,
    /// The queues that are meant and were there at the beginning, by number.
    queues: HashMap<u64, QueueIdentity>,
    /// Messages that are in no queue of the scheduler.
    beside: VecDeque<(QueueKind, InternalMessageId)>,
    /// Where the next step begins.
    next: Option<u32>,
    made: VecDeque<MessageInfo>,
    /// Whether each row is read from the spool before it is given.
    read: bool,
    cut_off: bool,
}

impl Rows {
    /// `held` is the queue of the scheduler where messages wait in Submission, if there is one.
    fn new(core: Arc<Core>, meant: impl Iterator<Item = QueueInfo>, held: Option<QueueId>) -> Self {
        let (mut beside, mut queues) = (VecDeque::new(), HashMap::new());
        for queue in meant {
            let ids = match queue.kind {
                QueueKind::Submission => core.submission.messages(),
                QueueKind::Poison => core.poison().iter().copied().collect(),
                _ => Vec::new(),
            };
            beside.extend(ids.into_iter().map(|id| (queue.kind, id)));
            let number = match (queue.kind, held) {
                (QueueKind::Submission, Some(held)) => held.number(),
                _ => queue.number,
            };
            queues.insert(number, queue.identity);
        }
        let (handle, made) = (Handle::current(), VecDeque::new());
        Self { core, handle, queues, beside, next: Some(0), made, read: false, cut_off: false }
    }

    fn moment(&self) -> Moment {
        Moment { now: self.core.clock.now(), wall: self.core.clock.wall() }
    }

    fn finish(&self) -> Result<(), NotRunning> {
        if self.cut_off { Err(NotRunning) } else { Ok(()) }
    }

    /// One more step. False when there is none.
    fn step(&mut self) -> bool {
        if let Some((kind, id)) = self.beside.pop_front() {
            let row = self.unscheduled(kind, id);
            self.made.extend(row);
            return true;
        }
        let Some(from) = self.next else { return false };
        let (sender, receiver) = oneshot::channel();
        let sent = self.core.dispatcher.blocking_send(Request::Walk(from, STEP, sender));
        let Some(Walked { units, next }) = sent.ok().and_then(|()| receiver.blocking_recv().ok())
        else {
            self.cut_off = true;
            return false;
        };
        self.next = next;
        let moment = self.moment();
        let row = |unit: &UnitView| {
            let queue = self.queues.get(&unit.queue.number())?;
            Some(MessageInfo::of(unit, queue.clone(), &moment))
        };
        self.made.extend(units.iter().filter_map(row));
        true
    }

    /// A message that is in no queue of the scheduler, if it is there still.
    fn unscheduled(&self, kind: QueueKind, id: InternalMessageId) -> Option<MessageInfo> {
        let stored = self.handle.block_on(self.core.spool.open(id)).ok()?;
        let known = (&*stored.message, &stored.state);
        let (moment, profile) = (self.moment(), &self.core.settle_policy.profile);
        let deadlines = Deadlines::new(known.0, known.1, profile, moment.wall, moment.now);
        Some(if kind == QueueKind::Poison {
            MessageInfo::in_poison(id, known, deadlines.priority, &moment)
        } else {
            MessageInfo::in_submission(id, known, &deadlines, &moment)
        })
    }

    fn with_stored(&self, row: MessageInfo) -> MessageInfo {
        if row.stored.is_some() {
            return row;
        }
        match self.handle.block_on(self.core.spool.open(row.identity.message)) {
            Ok(stored) => row.with_stored(&stored.message, &stored.state),
            // It ended in this moment, or does not verify: what is known is shown.
            Err(_) => row,
        }
    }
}

impl Iterator for Rows {
    type Item = MessageInfo;
    fn next(&mut self) -> Option<MessageInfo> {
        loop {
            if let Some(row) = self.made.pop_front() {
                return Some(if self.read { self.with_stored(row) } else { row });
            }
            if !self.step() {
                return None;
            }
        }
    }
}
