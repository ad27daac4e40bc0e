//! Time that stands still until everybody waits for it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;

use crate::AgentClock;

pub(super) struct TestClock(Mutex<State>);

struct State {
    start: Instant,
    now: Instant,
    sleeps: u64,
    /// When whose sleep is over, and how to wake that one.
    sleepers: BTreeMap<(Instant, u64), Waker>,
}

impl TestClock {
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    pub(super) fn new() -> Arc<Self> {
        let start = Instant::now();
        let sleepers = BTreeMap::new();
        Arc::new(Self(Mutex::new(State { start, now: start, sleeps: 0, sleepers })))
    }

    /// Time since the start.
    pub(super) fn elapsed(&self) -> Duration {
        let state = self.0.lock().unwrap();
        state.now - state.start
    }

    pub(super) async fn sleep(&self, duration: Duration) {
        self.sleep_until(self.now() + duration).await;
    }

    pub(super) fn pass(&self, duration: Duration) {
        self.0.lock().unwrap().now += duration;
    }

    /// Runs `work` to its end; time goes on when it waits.
    pub(super) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(done) = work.as_mut().poll(&mut context) {
                return done;
            }
            let mut state = self.0.lock().unwrap();
            let (next, _) = *state.sleepers.keys().next().expect("somebody waits for the time");
            state.now = state.now.max(next);
            let now = state.now;
            state.sleepers.range(..=(now, u64::MAX)).for_each(|(_, waker)| waker.wake_by_ref());
        }
    }
}

#[async_trait]
impl AgentClock for TestClock {
    fn now(&self) -> Instant {
        self.0.lock().unwrap().now
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.elapsed()
    }

    async fn sleep_until(&self, at: Instant) {
        let key = {
            let mut state = self.0.lock().unwrap();
            state.sleeps += 1;
            (at, state.sleeps)
        };
        Sleep { clock: self, key }.await;
    }
}

struct Sleep<'a> {
    clock: &'a TestClock,
    key: (Instant, u64),
}

impl Future for Sleep<'_> {
    type Output = ();
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.0.lock().unwrap();
        if state.now >= self.key.0 {
            return Poll::Ready(());
        }
        state.sleepers.insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        self.clock.0.lock().unwrap().sleepers.remove(&self.key);
    }
}
