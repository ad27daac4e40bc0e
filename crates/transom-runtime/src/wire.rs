//! One connection as a protocol machine's driver sees it: octets in, octets out, a deadline.
//!
//! The buffers belong to the driver; a connection that waits for its peer holds none.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// What a session can run over: a TCP stream, TLS upon it, or a pipe in a test.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Octets read at once while content streams; fits the pieces that the spool takes.
const READ_OCTETS: usize = 64 * 1024;

/// How long a peer may take what is written: a piece of content, or replies
/// [RFC 5321 §4.5.3.2.5].
const WRITE_TIMEOUT: Duration = Duration::from_mins(3);

/// How long a closing connection is read on.
const LINGER: Duration = Duration::from_secs(2);

/// How much of it is read; whoever sends more does not listen.
const LINGER_OCTETS_MAX: usize = 4 * 1024 * 1024;

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    /// Octets came.
    Octets,
    /// The peer will send no more.
    Eof,
    /// The deadline passed.
    Deadline,
    /// The program is stopping.
    Stopping,
}

/// Buffers for reading that no connection holds at the moment. A connection that waits gives its
/// buffer back, so there are as many as connections that have something to read.
#[derive(Debug, Default)]
pub(crate) struct BufferPool(Mutex<Vec<BytesMut>>);

/// Buffers kept for reuse: more than run at once on any machine, 4 MiB in all.
const POOLED_MAX: usize = 64;

impl BufferPool {
    fn take(&self) -> BytesMut {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pool.pop().unwrap_or_default()
    }

    fn give_back(&self, mut buffer: BytesMut) {
        buffer.clear();
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.len() < POOLED_MAX && buffer.capacity() > 0 {
            pool.push(buffer);
        }
    }
}

/// A stream with its two buffers, its timer and the order to stop.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    pool: Arc<BufferPool>,
    input: BytesMut,
    out: Vec<u8>,
    timer: Pin<Box<Sleep>>,
    armed: Instant,
    stopping: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Wire {
    /// A fresh connection. `now` arms the timer at first; `stop` ends waits once.
    pub(crate) fn new(
        stream: Box<dyn Stream>,
        pool: Arc<BufferPool>,
        now: Instant,
        stop: CancellationToken,
    ) -> Self {
        Self {
            stream,
            pool,
            input: BytesMut::new(),
            out: Vec::new(),
            timer: Box::pin(tokio::time::sleep_until(now.into())),
            armed: now,
            stopping: Some(Box::pin(stop.cancelled_owned())),
        }
    }

    /// The same with octets of the peer that somebody has read already.
    pub(crate) fn with_unread(self, unread: BytesMut) -> Self {
        Self { input: unread, ..self }
    }

    /// What was read and not consumed, and where to put what is to be written.
    pub(crate) fn buffers(&mut self) -> (&[u8], &mut Vec<u8>) {
        (&self.input, &mut self.out)
    }

    /// Where to put what is to be written.
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Takes `count` octets off the input.
    pub(crate) fn consume(&mut self, count: usize) {
        self.input.advance(count.min(self.input.len()));
    }

    /// Writes what is pending, in one write where the kernel takes it. A peer that does not read
    /// ends as an error; nothing is pending then either.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let write = async {
            self.stream.write_all(&self.out).await?;
            self.stream.flush().await
        };
        let written = tokio::time::timeout(WRITE_TIMEOUT, write).await;
        // After an error nobody knows how much has left, so that nothing may be written again.
        self.out.clear();
        if self.out.capacity() > READ_OCTETS {
            self.out.shrink_to(READ_OCTETS);
        }
        written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Waits for octets, the deadline, or the order to stop, which is told once.
    pub(crate) async fn fill(&mut self, deadline: Option<Instant>) -> io::Result<Filled> {
        poll_fn(|cx| self.poll_fill(cx, deadline)).await
    }

    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        deadline: Option<Instant>,
    ) -> Poll<io::Result<Filled>> {
        if self.input.capacity() == 0 {
            self.input = self.pool.take();
        }
        self.input.reserve(READ_OCTETS);
        let read = tokio_util::io::poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.input);
        match read {
            Poll::Ready(Ok(0)) => return Poll::Ready(Ok(Filled::Eof)),
            Poll::Ready(Ok(_)) => return Poll::Ready(Ok(Filled::Octets)),
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => {}
        }
        if self.input.is_empty() {
            // A connection that waits holds no buffer.
            self.pool.give_back(std::mem::take(&mut self.input));
        }
        if let Some(stopping) = &mut self.stopping
            && stopping.as_mut().poll(cx).is_ready()
        {
            self.stopping = None;
            return Poll::Ready(Ok(Filled::Stopping));
        }
        match deadline {
            Some(deadline) => self.poll_deadline(cx, deadline),
            None => Poll::Pending,
        }
    }

    /// The timer is moved only when it fires or when a deadline comes nearer: most deadlines move
    /// away with each octet, and moving a timer costs more than reading it.
    fn poll_deadline(
        &mut self,
        cx: &mut Context<'_>,
        deadline: Instant,
    ) -> Poll<io::Result<Filled>> {
        if deadline < self.armed {
            self.armed = deadline;
            self.timer.as_mut().reset(deadline.into());
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if self.armed >= deadline {
                return Poll::Ready(Ok(Filled::Deadline));
            }
            self.armed = deadline;
            self.timer.as_mut().reset(deadline.into());
        }
        Poll::Pending
    }

    /// Swaps the stream for the one that `upgrade` makes of it; what was read and not consumed is
    /// dropped, because it was said in the clear.
    pub(crate) async fn upgrade<F, R>(&mut self, upgrade: F) -> io::Result<()>
    where
        F: FnOnce(Box<dyn Stream>) -> R,
        R: Future<Output = io::Result<Box<dyn Stream>>>,
    {
        self.input.clear();
        let clear = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        self.stream = upgrade(clear).await?;
        Ok(())
    }

    /// Says good-bye as the stream's protocol has it, then reads on for a moment: a socket that is
    /// closed with unread input resets the connection, and the peer may lose the last reply.
    /// Errors do not matter any more.
    pub(crate) async fn close(mut self) {
        let farewell = async {
            self.flush().await?;
            self.stream.shutdown().await?;
            let mut unread = 0;
            while unread < LINGER_OCTETS_MAX {
                self.input.clear();
                self.input.reserve(READ_OCTETS);
                match self.stream.read_buf(&mut self.input).await? {
                    0 => break,
                    count => unread += count,
                }
            }
            io::Result::Ok(())
        };
        drop(tokio::time::timeout(LINGER, farewell).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A peer that stopped to read, and read on when we had given up, got its content from the start
    // once more, behind the part it had, and with the final dot.
    #[tokio::test(start_paused = true)]
    async fn what_was_half_written_is_never_written_again() {
        let (ours, mut theirs) = tokio::io::duplex(8);
        let now = tokio::time::Instant::now().into_std();
        let mut wire = Wire::new(Box::new(ours), Arc::default(), now, CancellationToken::new());
        wire.out().extend_from_slice(b"half a content\r\n.\r\n");
        assert_eq!(wire.flush().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let reader = async {
            let mut read = Vec::new();
            theirs.read_to_end(&mut read).await.unwrap();
            read
        };
        let again = async {
            wire.flush().await.unwrap();
            drop(wire);
        };
        let (read, ()) = tokio::join!(reader, again);
        assert_eq!(read, b"half a c");
    }
}
