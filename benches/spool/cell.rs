//! One store, so many producers, one size.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::Fault;
use crate::mail::Mail;
use crate::process::written;
use crate::store::{Kind, Store};
use crate::system::cpu_time;
use crate::{floor, ours};

/// A cell stops before its messages fill the disk.
const OCTETS_MAX: usize = 1 << 30;
/// More producers than this are futures of one thread.
const THREADS_MAX: usize = 256;

pub(crate) struct Cell<'a> {
    pub(crate) mail: &'a Mail,
    pub(crate) producers: usize,
    pub(crate) seconds: Duration,
}

/// When messages are sent, and which of them are timed: every store has warmed up by then.
#[derive(Clone, Copy)]
pub(crate) struct Schedule {
    warm: Instant,
    until: Instant,
}

/// What was sent.
#[derive(Default)]
pub(crate) struct Sent {
    messages: u64,
    /// How long those took that began when all was warm.
    latencies: Vec<Duration>,
}

/// What a run gave.
pub(crate) struct Measured {
    /// With those before all was warm.
    pub(crate) messages: u64,
    /// Sorted.
    latencies: Vec<Duration>,
    took: Duration,
    pub(crate) syncs: u64,
    /// Octets given to `write`.
    pub(crate) written: u64,
    pub(crate) cpu: Duration,
}

impl Measured {
    /// Messages a second.
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }

    /// The latency that so many of a thousand messages did not exceed.
    pub(crate) fn millis(&self, permille: usize) -> f64 {
        let at = (self.latencies.len() * permille).div_ceil(1000).saturating_sub(1);
        self.latencies.get(at).copied().unwrap_or_default().as_secs_f64() * 1e3
    }
}

impl Cell<'_> {
    /// How many messages each producer may send at most.
    fn share(&self) -> u64 {
        (OCTETS_MAX / self.mail.octets() / self.producers) as u64
    }

    pub(crate) fn run(&self, kind: Kind, folder: &Path) -> Result<Measured, Fault> {
        let (octets_before, cpu_before) = (written()?, cpu_time(std::process::id()));
        let outstanding = self.producers > THREADS_MAX;
        let (sent, took, syncs) = match kind {
            Kind::Floor => floor::run(self, folder)?,
            Kind::Ours if outstanding => ours::run_outstanding(self, folder)?,
            _ => self.run_store(kind, folder)?,
        };
        let cpu = cpu_time(std::process::id()).saturating_sub(cpu_before);
        let written = written()? - octets_before;
        let Sent { messages, mut latencies } = sent;
        let found = kind.count(folder, self.mail.octets())?;
        if messages != found {
            return Err(format!("{} took {messages} messages, holds {found}", kind.name()).into());
        }
        latencies.sort_unstable();
        Ok(Measured { messages, latencies, took, syncs, written, cpu })
    }

    fn run_store(&self, kind: Kind, folder: &Path) -> Result<(Sent, Duration, u64), Fault> {
        let store = kind.open(folder)?;
        let schedule = self.schedule();
        let sent = self.drive(&*store, schedule)?;
        let took = schedule.warm.elapsed();
        Ok((sent, took, store.close()?))
    }

    /// From now.
    pub(crate) fn schedule(&self) -> Schedule {
        let warm = Instant::now() + self.seconds / 2;
        Schedule { warm, until: warm + self.seconds }
    }

    /// Each producer is a thread that sends one message after the other.
    fn drive(&self, store: &dyn Store, schedule: Schedule) -> Result<Sent, Fault> {
        let producers = self.producers as u64;
        let produce = |producer: u64| {
            let mut sent = Sent::default();
            for number in (0..self.share()).map(|turn| turn * producers + producer) {
                let began = Instant::now();
                if schedule.is_over(began) {
                    break;
                }
                store.put(number, self.mail.get(number)?)?;
                sent.add(schedule, began);
            }
            Ok::<_, Fault>(sent)
        };
        let produce = &produce;
        thread::scope(|scope| {
            let threads = (0..producers).map(|producer| scope.spawn(move || produce(producer)));
            let threads: Vec<_> = threads.collect();
            let mut all = Sent::default();
            for thread in threads {
                let sent = thread.join().map_err(|_| "a producer panicked")??;
                all.messages += sent.messages;
                all.latencies.extend(sent.latencies);
            }
            Ok(all)
        })
    }

    /// How many messages may be sent in all.
    pub(crate) fn messages_max(&self) -> u64 {
        self.share() * self.producers as u64
    }
}

impl Schedule {
    pub(crate) fn is_over(self, now: Instant) -> bool {
        now >= self.until
    }

    /// When the time that counts began.
    pub(crate) fn warm(self) -> Instant {
        self.warm
    }
}

impl Sent {
    /// A message that began at `began` is durable now.
    pub(crate) fn add(&mut self, schedule: Schedule, began: Instant) {
        self.messages += 1;
        if began >= schedule.warm {
            self.latencies.push(began.elapsed());
        }
    }
}
