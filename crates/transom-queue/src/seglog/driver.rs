//! Drives the committer: a thread of its own, or the caller.

use std::io;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::committer::Committer;
use super::handoff::Server;
use super::options::Driver;
use super::shared::{Group, Shared};
use crate::spool::StoreError;
use crate::sync::lock;

/// Where the committer runs.
#[derive(Debug)]
pub(super) enum Engine {
    Inline(Mutex<Option<Box<Committer>>>),
    Thread(Mutex<Option<JoinHandle<Result<(), StoreError>>>>),
}

/// The answer after [`close`](Engine::close).
pub(super) fn closed() -> StoreError {
    StoreError::Failed { reason: "the spool is closed".into() }
}

impl Engine {
    pub(super) fn start(shared: &Arc<Shared>, committer: Committer) -> io::Result<Self> {
        if shared.options.driver == Driver::Inline {
            return Ok(Self::Inline(Mutex::new(Some(Box::new(committer)))));
        }
        let shared = Arc::clone(shared);
        let thread = std::thread::Builder::new().name("transom-commit".into());
        let thread = thread.spawn(move || run(&shared, committer))?;
        Ok(Self::Thread(Mutex::new(Some(thread))))
    }

    /// Hands a commit to the committer.
    pub(super) fn submit(&self, shared: &Shared, group: Group) {
        let octets = group.octets;
        shared.backlog.enter_commit(octets);
        if let Err(group) = shared.handoff.push(group) {
            shared.backlog.leave_commit(octets);
            drop(group.answer.send(Err(closed())));
            return;
        }
        if let Self::Inline(committer) = self
            && let Some(committer) = &mut *lock(committer)
        {
            committer.step(shared.handoff.take(shared.options.batch_octets_max));
        }
    }

    /// Ends it: no further commits are taken, those that wait are written.
    pub(super) fn close(&self, shared: &Shared) -> Result<(), StoreError> {
        shared.handoff.close();
        match self {
            Self::Inline(committer) => {
                let committer = lock(committer).take();
                committer.map_or(Ok(()), |mut committer| committer.close())
            }
            Self::Thread(thread) => {
                let thread = lock(thread).take();
                let died = || Err(StoreError::Unreachable("the committer's thread died"));
                thread.map_or(Ok(()), |thread| thread.join().unwrap_or_else(|_| died()))
            }
        }
    }
}

/// The thread.
fn run(shared: &Shared, mut committer: Committer) -> Result<(), StoreError> {
    shared.handoff.run(shared.options.batch_octets_max, &mut committer);
    committer.close()
}

impl Server<Group> for Committer {
    fn serve(&mut self, batch: Vec<Group>) {
        self.step(batch);
    }

    fn tick(&mut self) {
        Self::tick(self);
    }

    fn next_tick(&self) -> Duration {
        Self::next_tick(self)
    }
}
