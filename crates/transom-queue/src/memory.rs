//! [`MemorySpool`]: custody in memory, for programs that need none beyond their own life.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use transom_types::InternalMessageId;

use crate::message::{Accepted, MessageState};
use crate::seglog::random_number;
use crate::spool::{
    Accept, Committed, Content, Decide, DiskLevel, Durability, Fork, Ingest, Ingested,
    IngestedBody, LoadedMessage, Note, Op, RecoveryReport, Spool, SpoolHealth, StoreError,
    StoredMessage,
};

/// A store that keeps everything in memory and forgets it when it is dropped.
///
/// It keeps the whole contract of [`Spool`] but the survival: a message that it took is lost with
/// the process, so a server before it must not be the last to hold the mail. Made for tests and
/// for programs that hand their mail on at once.
///
/// ```
/// use transom_queue::{MemoryOptions, MemorySpool, Spool};
///
/// let spool = MemorySpool::new(MemoryOptions::default().with_messages_max(1));
/// assert!(spool.begin(Some(1_000)).is_ok());
/// ```
#[derive(Debug)]
pub struct MemorySpool {
    id: u128,
    options: MemoryOptions,
    /// Octets of all bodies, those on their way in included.
    octets: Arc<AtomicU64>,
    next_id: AtomicU64,
    store: Mutex<Store>,
}

/// Limits of a [`MemorySpool`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryOptions {
    /// Most octets of bodies, those on their way in included (256 MiB). One more is
    /// [`StoreError::Full`].
    pub octets_max: u64,
    /// Most open messages (1,000,000). With so many, no ingest begins.
    pub messages_max: u64,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self { octets_max: 256 << 20, messages_max: 1_000_000 }
    }
}

impl MemoryOptions {
    /// Sets [`octets_max`](Self::octets_max).
    #[must_use]
    pub fn with_octets_max(self, octets_max: u64) -> Self {
        Self { octets_max, ..self }
    }

    /// Sets [`messages_max`](Self::messages_max).
    #[must_use]
    pub fn with_messages_max(self, messages_max: u64) -> Self {
        Self { messages_max, ..self }
    }
}

#[derive(Debug, Default)]
struct Store {
    position: u64,
    messages: BTreeMap<InternalMessageId, Entry>,
    notes: BTreeMap<String, Note>,
}

#[derive(Clone, Debug)]
struct Entry {
    message: Arc<Accepted>,
    state: MessageState,
    /// Shared with the forks.
    body: Bytes,
}

/// A body with the room that it takes. Forks and readers share it; the last one frees the room.
#[derive(Debug)]
struct Body {
    octets: Vec<u8>,
    _room: Room,
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.octets
    }
}

/// Octets taken from the limit; dropping it gives them back.
#[derive(Debug)]
struct Room {
    octets: u64,
    taken: Arc<AtomicU64>,
}

impl Room {
    fn grow(&mut self, octets: u64, max: u64) -> Result<(), StoreError> {
        let fits = |taken: u64| taken.checked_add(octets).filter(|&sum| sum <= max);
        let grown = self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits);
        grown.map_err(|_| StoreError::Full { resource: "octets" })?;
        self.octets = self.octets.saturating_add(octets);
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.octets, Ordering::AcqRel);
    }
}

impl MemorySpool {
    /// An empty store.
    pub fn new(options: MemoryOptions) -> Self {
        Self {
            id: random_number(),
            options,
            octets: Arc::default(),
            next_id: AtomicU64::new(1 << 32 | 1),
            store: Mutex::default(),
        }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_id(&self) -> InternalMessageId {
        InternalMessageId(self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    fn is_full(&self, size_hint: u64) -> Option<&'static str> {
        let messages = u64::try_from(self.store().messages.len()).unwrap_or(u64::MAX);
        let octets = self.octets.load(Ordering::Acquire).saturating_add(size_hint);
        if messages >= self.options.messages_max {
            Some("messages")
        } else {
            (octets > self.options.octets_max).then_some("octets")
        }
    }
}

impl Default for MemorySpool {
    fn default() -> Self {
        Self::new(MemoryOptions::default())
    }
}

#[async_trait]
impl Spool for MemorySpool {
    fn begin(&self, size_hint: Option<u64>) -> Result<Box<dyn Ingest>, StoreError> {
        if let Some(resource) = self.is_full(size_hint.unwrap_or(0)) {
            return Err(StoreError::Full { resource });
        }
        Ok(Box::new(MemoryIngest {
            id: self.next_id(),
            body: Vec::new(),
            room: Room { octets: 0, taken: Arc::clone(&self.octets) },
            octets_max: self.options.octets_max,
        }))
    }

    async fn commit(&self, ops: Vec<Op>, _: Durability) -> Result<Committed, StoreError> {
        let mut store = self.store();
        let mut change = Change {
            spool: self,
            before: &store.messages,
            after: BTreeMap::new(),
            notes: Vec::new(),
            committed: Committed::default(),
        };
        for op in ops {
            change.apply(op)?;
        }
        let Change { after, mut committed, notes, .. } = change;
        for note in notes {
            match note.value {
                Some(_) => store.notes.insert(note.key.clone(), note),
                None => store.notes.remove(&note.key),
            };
        }
        for (id, entry) in after {
            match entry {
                Some(entry) => store.messages.insert(id, entry),
                None => store.messages.remove(&id),
            };
        }
        store.position += 1;
        committed.position = store.position;
        Ok(committed)
    }

    async fn open(&self, id: InternalMessageId) -> Result<StoredMessage, StoreError> {
        let entry = self.store().messages.get(&id).cloned().ok_or(StoreError::NotFound(id))?;
        let edited = entry.state.edits.apply(Content::from_bytes(entry.body));
        let beyond = || StoreError::Unreachable("edits reach beyond the content that they are of");
        let content = edited.unwrap_or_else(|| Err(beyond()))?;
        Ok(StoredMessage { id, message: entry.message, state: entry.state, content })
    }

    fn load(&self, sink: &mut dyn FnMut(LoadedMessage)) -> Result<RecoveryReport, StoreError> {
        let loaded: Vec<LoadedMessage> = self
            .store()
            .messages
            .iter()
            .map(|(&id, entry)| LoadedMessage {
                id,
                message: Accepted::clone(&entry.message),
                state: entry.state.clone(),
            })
            .collect();
        let mut report = RecoveryReport { clean: true, ..RecoveryReport::default() };
        for message in loaded {
            let open = message.state.recipients.iter().filter(|recipient| recipient.is_open());
            report.recipients += u64::try_from(open.count()).unwrap_or(u64::MAX);
            report.messages += 1;
            if message.state.intent.is_some() {
                report.in_doubt.push(message.id);
            }
            sink(message);
        }
        Ok(report)
    }

    fn id(&self) -> u128 {
        self.id
    }

    fn notes(&self, prefix: &str, now: SystemTime) -> Vec<Note> {
        let mut store = self.store();
        store.notes.retain(|_, note| !note.is_over(now));
        let here = store.notes.range(prefix.to_owned()..).map(|(_, note)| note);
        let here = here.take_while(|note| note.key.starts_with(prefix));
        here.cloned().collect()
    }

    fn health(&self) -> SpoolHealth {
        SpoolHealth::Serving { level: DiskLevel::Normal }
    }
}

const FOREIGN_BODY: StoreError =
    StoreError::Unreachable("the body of a message was taken in by another store");

/// A commit under way: what the messages that it touches become. None is complete.
struct Change<'s> {
    spool: &'s MemorySpool,
    before: &'s BTreeMap<InternalMessageId, Entry>,
    after: BTreeMap<InternalMessageId, Option<Entry>>,
    notes: Vec<Note>,
    committed: Committed,
}

impl Change<'_> {
    fn apply(&mut self, op: Op) -> Result<(), StoreError> {
        match op {
            Op::Accept(accept) => self.accept(*accept),
            Op::Categorize { id, forks } => self.categorize(id, &forks),
            Op::Decide(decide) => self.decide(&decide),
            Op::Intent { id, intent } => {
                let mut entry = self.entry(id)?;
                entry.state.begin_attempt(intent);
                self.put(id, entry);
                Ok(())
            }
            Op::Settle { id, recipients, delay_notified } => {
                let mut entry = self.entry(id)?;
                entry.state.settle(&recipients, delay_notified)?;
                self.put(id, entry);
                Ok(())
            }
            Op::Edit { id, edits } => {
                let mut entry = self.entry(id)?;
                edits.check(u64::try_from(entry.body.len()).unwrap_or(u64::MAX))?;
                entry.state.edit(edits);
                self.put(id, entry);
                Ok(())
            }
            Op::Note(note) => {
                note.check()?;
                self.notes.push(note);
                Ok(())
            }
            Op::Admin { id, verb, actor } => {
                let mut entry = self.entry(id)?;
                entry.state.administer(verb, &actor);
                self.put(id, entry);
                Ok(())
            }
        }
    }

    fn accept(&mut self, accept: Accept) -> Result<(), StoreError> {
        let Accept { body, message } = accept;
        let known = self.before.contains_key(&body.id) || self.after.contains_key(&body.id);
        let IngestedBody::Inline(bytes) = body.body else {
            return Err(FOREIGN_BODY);
        };
        if known {
            return Err(FOREIGN_BODY);
        }
        let state = MessageState::new(&message);
        self.put(body.id, Entry { message: Arc::new(message), state, body: bytes });
        Ok(())
    }

    fn categorize(&mut self, id: InternalMessageId, forks: &[Fork]) -> Result<(), StoreError> {
        let mut parent = self.entry(id)?;
        for fork in forks {
            let copy = parent.state.fork(id, &parent.message, fork)?;
            self.put_copy(&parent, copy);
        }
        self.put(id, parent);
        Ok(())
    }

    fn decide(&mut self, decide: &Decide) -> Result<(), StoreError> {
        let mut parent = self.entry(decide.id)?;
        let octets = u64::try_from(parent.body.len()).unwrap_or(u64::MAX);
        let message = Arc::clone(&parent.message);
        for copy in parent.state.decide(&message, octets, decide)? {
            self.put_copy(&parent, copy);
        }
        self.put(decide.id, parent);
        Ok(())
    }

    fn put_copy(&mut self, parent: &Entry, (message, state): (Accepted, MessageState)) {
        let copy = self.spool.next_id();
        if state.suspended.is_some() {
            self.committed.suspended.push(copy);
        }
        let entry = Entry { message: Arc::new(message), state, ..parent.clone() };
        self.put(copy, entry);
        self.committed.forks.push(copy);
    }

    /// The message as the operations before have left it.
    fn entry(&self, id: InternalMessageId) -> Result<Entry, StoreError> {
        let entry = match self.after.get(&id) {
            Some(changed) => changed.as_ref(),
            None => self.before.get(&id),
        };
        entry.cloned().ok_or(StoreError::NotFound(id))
    }

    fn put(&mut self, id: InternalMessageId, entry: Entry) {
        if entry.state.is_complete() {
            self.committed.completed.push(id);
            self.after.insert(id, None);
        } else {
            self.after.insert(id, Some(entry));
        }
    }
}

#[derive(Debug)]
struct MemoryIngest {
    id: InternalMessageId,
    body: Vec<u8>,
    room: Room,
    octets_max: u64,
}

#[async_trait]
impl Ingest for MemoryIngest {
    fn id(&self) -> InternalMessageId {
        self.id
    }

    async fn write(&mut self, octets: &[u8]) -> Result<(), StoreError> {
        let more = u64::try_from(octets.len()).unwrap_or(u64::MAX);
        self.room.grow(more, self.octets_max)?;
        self.body.extend_from_slice(octets);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Ingested, StoreError> {
        let Self { id, body, room, .. } = *self;
        let octets = room.octets;
        let body = Bytes::from_owner(Body { octets: body, _room: room });
        Ok(Ingested { id, octets, body: IngestedBody::Inline(body) })
    }
}
