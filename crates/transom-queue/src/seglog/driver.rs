//! Drives the committer: a thread of its own, or the caller.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::committer::Committer;
use super::options::Driver;
use super::shared::{Group, Pending, Shared};
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
        shared.backlog.enter_commit(group.octets);
        let octets = group.octets;
        let (taken, asleep) = {
            let mut pending = lock(&shared.pending);
            let open = !pending.closing;
            if open {
                pending.groups.push_back(group);
            } else {
                drop(group.answer.send(Err(closed())));
            }
            (open, std::mem::take(&mut pending.waiting))
        };
        if !taken {
            shared.backlog.leave_commit(octets);
            return;
        }
        match self {
            Self::Thread(_) if asleep => shared.work.notify_one(),
            Self::Thread(_) => {}
            Self::Inline(committer) => {
                if let Some(committer) = &mut *lock(committer) {
                    let groups = take(shared, &mut lock(&shared.pending));
                    committer.step(groups);
                }
            }
        }
    }

    /// Ends it: no further commits are taken, those that wait are written.
    pub(super) fn close(&self, shared: &Shared) -> Result<(), StoreError> {
        lock(&shared.pending).closing = true;
        match self {
            Self::Inline(committer) => {
                let committer = lock(committer).take();
                committer.map_or(Ok(()), |mut committer| committer.close())
            }
            Self::Thread(thread) => {
                shared.work.notify_all();
                let thread = lock(thread).take();
                let died = || Err(StoreError::Unreachable("the committer's thread died"));
                thread.map_or(Ok(()), |thread| thread.join().unwrap_or_else(|_| died()))
            }
        }
    }
}

fn take(shared: &Shared, pending: &mut Pending) -> Vec<Group> {
    pending.take(shared.options.batch_octets_max)
}

/// The thread.
fn run(shared: &Shared, mut committer: Committer) -> Result<(), StoreError> {
    let _guard = CloseOnExit(shared);
    loop {
        let (groups, closing) = wait(shared, &committer);
        if !groups.is_empty() {
            committer.step(groups);
        } else if closing {
            return committer.close();
        } else {
            committer.tick();
        }
    }
}

/// Waits for commits, for the end, or until time asks for something.
fn wait(shared: &Shared, committer: &Committer) -> (Vec<Group>, bool) {
    let mut pending = lock(&shared.pending);
    if pending.groups.is_empty() && !pending.closing {
        pending.waiting = true;
        let waited = shared.work.wait_timeout(pending, committer.next_tick());
        pending = waited.unwrap_or_else(PoisonError::into_inner).0;
        pending.waiting = false;
    }
    (take(shared, &mut pending), pending.closing)
}

/// Should the thread ever die, nobody waits for it for ever.
struct CloseOnExit<'s>(&'s Shared);

impl Drop for CloseOnExit<'_> {
    fn drop(&mut self) {
        let mut pending = lock(&self.0.pending);
        pending.closing = true;
        pending.groups.clear();
    }
}
