//! Where work waits for the one thread that does it. What the work is does not matter here, and
//! no lock is taken but through [`crate::sync`]: so a test runs this very file under all orders of
//! its threads (`tests/handoff.rs`).

use std::collections::VecDeque;
use std::time::Duration;

use crate::sync::{Condvar, Mutex, lock, wait_timeout};

/// A piece of work: never split.
pub(crate) trait Work {
    /// How much of a batch it takes.
    fn octets(&self) -> u64;
}

/// The one who does the work.
pub(crate) trait Server<W> {
    /// Does one batch, which is never empty.
    fn serve(&mut self, batch: Vec<W>);

    /// What time asks for, when there is no work.
    fn tick(&mut self);

    /// When [`tick`](Self::tick) is due, from now.
    fn next_tick(&self) -> Duration;
}

/// Work that waits.
#[derive(Debug)]
pub(crate) struct Handoff<W> {
    waiting: Mutex<Waiting<W>>,
    /// Tells the server that there is work, or that the end has come.
    changed: Condvar,
}

#[derive(Debug)]
struct Waiting<W> {
    work: VecDeque<W>,
    /// The server sleeps. A wake-up costs a system call, so none is given for nothing.
    asleep: bool,
    /// No more is taken.
    closed: bool,
}

impl<W: Work> Handoff<W> {
    pub(crate) fn new() -> Self {
        let waiting = Waiting { work: VecDeque::new(), asleep: false, closed: false };
        Self { waiting: Mutex::new(waiting), changed: Condvar::new() }
    }

    /// Hands work in; gives it back after [`close`](Self::close).
    pub(crate) fn push(&self, work: W) -> Result<(), W> {
        let asleep = {
            let mut waiting = lock(&self.waiting);
            if waiting.closed {
                return Err(work);
            }
            waiting.work.push_back(work);
            std::mem::take(&mut waiting.asleep)
        };
        if asleep {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// What waits and fits into one batch.
    pub(crate) fn take(&self, octets_max: u64) -> Vec<W> {
        lock(&self.waiting).take(octets_max)
    }

    /// No more is taken. What waits is still done.
    pub(crate) fn close(&self) {
        lock(&self.waiting).closed = true;
        self.changed.notify_all();
    }

    /// Does all work that comes, until [`close`](Self::close) and until none is left.
    pub(crate) fn run(&self, octets_max: u64, server: &mut impl Server<W>) {
        let _guard = CloseOnExit(self);
        loop {
            let (batch, closed) = self.wait(octets_max, server.next_tick());
            if !batch.is_empty() {
                server.serve(batch);
            } else if closed {
                return;
            } else {
                server.tick();
            }
        }
    }

    /// Waits for work, for the end, or until the time is over.
    fn wait(&self, octets_max: u64, time: Duration) -> (Vec<W>, bool) {
        let mut waiting = lock(&self.waiting);
        if waiting.work.is_empty() && !waiting.closed {
            waiting.asleep = true;
            waiting = wait_timeout(&self.changed, waiting, time);
            waiting.asleep = false;
        }
        (waiting.take(octets_max), waiting.closed)
    }
}

impl<W: Work> Waiting<W> {
    /// At least one piece, and one that is too large alone.
    fn take(&mut self, octets_max: u64) -> Vec<W> {
        let mut sum = 0u64;
        let fits = self.work.iter().take_while(|work| {
            sum = sum.saturating_add(work.octets());
            sum <= octets_max
        });
        let count = fits.count().max(1).min(self.work.len());
        self.work.drain(..count).collect()
    }
}

/// Should the server ever die, nobody waits for it for ever.
struct CloseOnExit<'h, W>(&'h Handoff<W>);

impl<W> Drop for CloseOnExit<'_, W> {
    fn drop(&mut self) {
        let mut waiting = lock(&self.0.waiting);
        waiting.closed = true;
        waiting.work.clear();
    }
}
