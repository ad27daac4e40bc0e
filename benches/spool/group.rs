//! One thread that writes for all producers: what waits is one batch.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use futures::channel::oneshot;
use transom_queue::testing::block_on;

use crate::Fault;
use crate::mail::Message;

/// Most octets of a batch, as in the spool.
pub(crate) const BATCH_OCTETS_MAX: usize = 1 << 20;

/// A message that waits to be written.
pub(crate) struct Request {
    pub(crate) number: u64,
    pub(crate) envelope: Bytes,
    pub(crate) body: Bytes,
    answer: oneshot::Sender<()>,
}

/// The thread.
pub(crate) struct Group {
    requests: Sender<Request>,
    thread: JoinHandle<Result<u64, Fault>>,
}

impl Group {
    /// Begins it with what makes a batch durable.
    pub(crate) fn start(
        write: impl FnMut(&[Request]) -> Result<(), Fault> + Send + 'static,
    ) -> Self {
        let (requests, receiver) = channel();
        Self { requests, thread: thread::spawn(move || serve(&receiver, write)) }
    }

    /// Hands a message over, and waits until it is durable.
    pub(crate) fn put(&self, number: u64, message: &Message) -> Result<(), Fault> {
        let (answer, answered) = oneshot::channel();
        let (envelope, body) = (message.envelope.clone(), message.body.clone());
        let request = Request { number, envelope, body, answer };
        self.requests.send(request).map_err(|_| "the writer has ended")?;
        block_on(answered).map_err(|_| "the writer failed".into())
    }

    /// Ends it, and tells how many batches there were.
    pub(crate) fn close(self) -> Result<u64, Fault> {
        drop(self.requests);
        self.thread.join().map_err(|_| "the writer panicked")?
    }
}

fn serve(
    requests: &Receiver<Request>,
    mut write: impl FnMut(&[Request]) -> Result<(), Fault>,
) -> Result<u64, Fault> {
    let mut batches = 0;
    let mut batch = Vec::new();
    while let Ok(first) = requests.recv() {
        let mut octets = first.envelope.len() + first.body.len();
        batch.push(first);
        while octets < BATCH_OCTETS_MAX
            && let Ok(next) = requests.try_recv()
        {
            octets += next.envelope.len() + next.body.len();
            batch.push(next);
        }
        write(&batch)?;
        batches += 1;
        for request in batch.drain(..) {
            // A producer that is gone needs no answer.
            let _ = request.answer.send(());
        }
    }
    Ok(batches)
}
