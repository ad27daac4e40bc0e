//! Threads for what takes long and must not hold up the log's batches: one for large bodies, one
//! that writes the reserve.

use std::fmt;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::options::Driver;
use crate::io::SpoolIo;
use crate::sync::lock;

type Job = Box<dyn FnOnce(&dyn SpoolIo) + Send>;

/// Runs jobs one by one; with [`Driver::Inline`] at once, on the caller.
pub(super) struct Worker {
    io: Arc<dyn SpoolIo>,
    thread: Mutex<Option<(mpsc::Sender<Job>, JoinHandle<()>)>>,
}

impl Worker {
    pub(super) fn new(io: Arc<dyn SpoolIo>, driver: Driver, name: &str) -> Self {
        let thread = match driver {
            Driver::Inline => None,
            Driver::Thread => Self::spawn(Arc::clone(&io), name),
        };
        Self { io, thread: Mutex::new(thread) }
    }

    /// Without a thread, which only a machine at its limits refuses, the caller does the work.
    fn spawn(io: Arc<dyn SpoolIo>, name: &str) -> Option<(mpsc::Sender<Job>, JoinHandle<()>)> {
        let (sender, jobs) = mpsc::channel::<Job>();
        let work = move || {
            for job in jobs {
                job(&*io);
            }
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(work);
        thread.ok().map(|thread| (sender, thread))
    }

    pub(super) fn run(&self, job: impl FnOnce(&dyn SpoolIo) + Send + 'static) {
        let rest: Job = match &*lock(&self.thread) {
            None => Box::new(job),
            Some((sender, _)) => match sender.send(Box::new(job)) {
                Ok(()) => return,
                Err(mpsc::SendError(job)) => job,
            },
        };
        rest(&*self.io);
    }

    /// Does what is left and ends the thread.
    pub(super) fn close(&self) {
        let thread = lock(&self.thread).take();
        if let Some((sender, thread)) = thread {
            drop(sender);
            // A job that panicked has been reported by the panic itself.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}
