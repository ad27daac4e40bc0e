//! The hand-off between those who commit and the committer's thread, under many orders of its
//! threads: shuttle runs the very file that the log is built with, on locks of its own. A wait
//! there never ends by time, so a wake-up that is lost is a deadlock, which fails the test.
#![expect(clippy::expect_used, reason = "a test fails where it panics")]

#[path = "../src/seglog/handoff.rs"]
#[allow(dead_code, reason = "the log also drives it without a thread")]
mod handoff;

/// What stands in for the crate's own module of this name.
mod sync {
    use std::time::Duration;

    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard};

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().expect("a lock without poison")
    }

    pub(crate) fn wait_timeout<'a, T>(
        condvar: &Condvar,
        guard: MutexGuard<'a, T>,
        _time: Duration,
    ) -> MutexGuard<'a, T> {
        condvar.wait(guard).expect("a lock without poison")
    }
}

use std::time::Duration;

use futures::channel::oneshot;
use shuttle::sync::Arc;
use shuttle::{future, thread};

use crate::handoff::{Handoff, Server, Work};

const RUNS: usize = 1_000;
const PRODUCERS: u64 = 3;
const COMMITS: u64 = 2;
const OCTETS: u64 = 10;
const BATCH_OCTETS_MAX: u64 = 25;

struct Commit {
    octets: u64,
    answer: oneshot::Sender<()>,
}

impl Work for Commit {
    fn octets(&self) -> u64 {
        self.octets
    }
}

/// Answers each commit, and counts.
#[derive(Default)]
struct Committer {
    answered: u64,
    batches: u64,
}

impl Server<Commit> for Committer {
    fn serve(&mut self, batch: Vec<Commit>) {
        assert!(!batch.is_empty(), "a batch holds something");
        let octets: u64 = batch.iter().map(|commit| commit.octets).sum();
        assert!(octets <= BATCH_OCTETS_MAX || batch.len() == 1, "{octets} octets in a batch");
        self.batches += 1;
        for commit in batch {
            // Others run between two answers.
            thread::yield_now();
            commit.answer.send(()).expect("who committed waits");
            self.answered += 1;
        }
    }

    fn tick(&mut self) {}

    fn next_tick(&self) -> Duration {
        Duration::from_secs(2)
    }
}

type Log = Arc<Handoff<Commit>>;

fn serve(log: &Log) -> thread::JoinHandle<Committer> {
    let log = Arc::clone(log);
    thread::spawn(move || {
        let mut committer = Committer::default();
        log.run(BATCH_OCTETS_MAX, &mut committer);
        committer
    })
}

/// Commits one after the other, each when the one before was answered. Gives how many were taken.
fn produce(log: &Log, producer: u64) -> thread::JoinHandle<u64> {
    let log = Arc::clone(log);
    thread::spawn(move || {
        let mut taken = 0;
        for number in 0..COMMITS {
            let (answer, answered) = oneshot::channel();
            // Some fit into a batch with others, some are too large for any.
            let octets = OCTETS * (1 + (producer + number) % 3);
            if log.push(Commit { octets, answer }).is_err() {
                continue;
            }
            future::block_on(answered).expect("what was taken is answered");
            taken += 1;
        }
        taken
    })
}

fn join_all(producers: Vec<thread::JoinHandle<u64>>) -> u64 {
    producers.into_iter().map(|producer| producer.join().expect("a producer")).sum()
}

/// Random orders, and orders with few but deep preemptions, which find other faults.
fn under_many_orders(test: impl Fn() + Clone + Send + Sync + 'static) {
    shuttle::check_random(test.clone(), RUNS);
    shuttle::check_pct(test, RUNS, 3);
}

#[test]
fn no_wake_up_is_lost_and_each_commit_is_answered_once() {
    under_many_orders(|| {
        let log: Log = Arc::new(Handoff::new());
        let server = serve(&log);
        let producers = (0..PRODUCERS).map(|producer| produce(&log, producer)).collect();
        // Nobody has closed it yet: only wake-ups of the producers keep it going.
        assert_eq!(join_all(producers), PRODUCERS * COMMITS);
        log.close();
        let committer = server.join().expect("the committer ends");
        assert_eq!(committer.answered, PRODUCERS * COMMITS);
        assert!(committer.batches <= PRODUCERS * COMMITS);
    });
}

#[test]
fn end_at_any_moment_answers_all_that_was_taken_and_takes_no_more() {
    under_many_orders(|| {
        let log: Log = Arc::new(Handoff::new());
        let server = serve(&log);
        let producers: Vec<_> = (0..PRODUCERS).map(|producer| produce(&log, producer)).collect();
        log.close();
        let committer = server.join().expect("the committer ends");
        assert_eq!(join_all(producers), committer.answered);
        let (answer, _answered) = oneshot::channel();
        assert!(log.push(Commit { octets: 1, answer }).is_err(), "it was taken after the end");
    });
}

#[test]
fn work_that_waits_is_done_in_batches_before_the_end() {
    let late = || {
        let log: Log = Arc::new(Handoff::new());
        let mut waiting = Vec::new();
        for _ in 0..5 {
            let (answer, answered) = oneshot::channel();
            assert!(log.push(Commit { octets: OCTETS, answer }).is_ok(), "it is open");
            waiting.push(answered);
        }
        log.close();
        // It comes late, and finds work and end together.
        let committer = serve(&log).join().expect("the committer ends");
        assert_eq!((committer.answered, committer.batches), (5, 3));
        for answered in waiting {
            future::block_on(answered).expect("an answer");
        }
    };
    shuttle::check_random(late, 10);
}
