//! The contract of [`Spool`] as a suite: every store passes it, ours and others'.
//!
//! [`check`] is for any store, [`check_durable`] for one that survives its process.
//!
//! ```
//! use std::sync::Arc;
//! use transom_queue::MemorySpool;
//! use transom_queue::testing::conformance;
//!
//! conformance::check(&|| Arc::new(MemorySpool::default()));
//! ```
#![expect(clippy::indexing_slicing, reason = "a suite of tests says no by panic")]

mod cases;
mod decide;
mod durable;
mod edits;
mod forks;
mod notes;

use std::sync::Arc;

use transom_types::{InternalMessageId, Outcome};

use super::{block_on, sample_body, sample_message};
use crate::spool::{
    Accept, Committed, Durability, Ingested, Op, Settled, Spool, StoreError, StoredMessage,
};

/// Holds a store to the contract. `make` gives an empty one that was not loaded yet.
///
/// # Panics
///
/// Where the store breaks the contract.
pub fn check(make: &dyn Fn() -> Arc<dyn Spool>) {
    for case in all_cases() {
        let bench = Bench::new(make());
        case(&bench);
    }
}

/// Holds a durable store to the contract. `fresh` makes a place without a store, `open` opens the
/// store in it; the suite drops one store before it opens the next.
///
/// # Panics
///
/// Where the store breaks the contract.
pub fn check_durable<P>(fresh: &dyn Fn() -> P, open: &dyn Fn(&P) -> Arc<dyn Spool>) {
    for case in all_cases() {
        let place = fresh();
        case(&Bench::new(open(&place)));
    }
    for case in durable::ALL {
        let place = fresh();
        case(&|| open(&place));
    }
}

type Case = fn(&Bench);

fn all_cases() -> impl Iterator<Item = &'static Case> {
    cases::ALL.iter().chain(decide::ALL).chain(edits::ALL).chain(forks::ALL).chain(notes::ALL)
}

/// Above this size a body has a file of its own.
const LARGE: usize = 300_001;

/// A loaded store with shorthands that fail by panic.
struct Bench {
    spool: Arc<dyn Spool>,
}

impl Bench {
    fn new(spool: Arc<dyn Spool>) -> Self {
        let report = must(spool.load(&mut |_| {}), "load");
        assert_eq!(report.messages, 0, "an empty store has no messages");
        Self { spool }
    }

    fn take_in(&self, body: &[u8]) -> Ingested {
        let mut ingest = must(self.spool.begin(None), "begin");
        let id = ingest.id();
        for piece in body.chunks(50_000) {
            must(block_on(ingest.write(piece)), "write");
        }
        let ingested = must(block_on(ingest.finish()), "finish");
        assert_eq!(ingested.id(), id, "finish keeps the id");
        assert_eq!(usize::try_from(ingested.octets()), Ok(body.len()), "finish counts the octets");
        ingested
    }

    /// An Accept of a sample message, and the id that it will have.
    fn accept_op(&self, number: u64, recipients: u32, octets: usize) -> (InternalMessageId, Op) {
        let body = self.take_in(&sample_body(number, octets));
        let id = body.id();
        let message = sample_message(number, recipients, body.octets());
        (id, Op::Accept(Box::new(Accept { body, message })))
    }

    fn accept(&self, number: u64, recipients: u32, octets: usize) -> InternalMessageId {
        let (id, op) = self.accept_op(number, recipients, octets);
        self.commit(vec![op]);
        id
    }

    fn try_commit(&self, ops: Vec<Op>) -> Result<Committed, StoreError> {
        block_on(self.spool.commit(ops, Durability::Sync))
    }

    fn commit(&self, ops: Vec<Op>) -> Committed {
        must(self.try_commit(ops), "commit")
    }

    fn open(&self, id: InternalMessageId) -> StoredMessage {
        must(block_on(self.spool.open(id)), "open")
    }

    fn is_gone(&self, id: InternalMessageId) -> bool {
        block_on(self.spool.open(id)).err() == Some(StoreError::NotFound(id))
    }
}

/// The whole content, read in pieces of an odd size.
fn read(message: &StoredMessage) -> Vec<u8> {
    let mut content = Vec::new();
    let mut buf = vec![0; 10_007];
    loop {
        let at = u64::try_from(content.len()).unwrap_or(u64::MAX);
        let count = must(message.content.read_at(at, &mut buf), "read");
        if count == 0 {
            return content;
        }
        content.extend_from_slice(buf.get(..count).unwrap_or_default());
    }
}

fn settle(id: InternalMessageId, recipient: u32, outcome: Outcome) -> Op {
    let retry_at = (!outcome.is_terminal()).then(|| super::sample::time(60));
    let settled = Settled { recipient, outcome, attempted: true, retry_at };
    Op::Settle { id, recipients: vec![settled], delay_notified: false }
}

#[expect(clippy::panic, reason = "a suite of tests says no by panic")]
fn must<T, E: std::fmt::Display>(result: Result<T, E>, what: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{what}: {error}"),
    }
}
