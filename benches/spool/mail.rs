//! The mail that every store is given: the same numbers make the same mail.

use std::path::Path;

use bytes::Bytes;
use transom_queue::testing::{block_on, sample_body, sample_message};
use transom_queue::{Accepted, SegLog, SegLogOptions};

use crate::{Fault, ours};

/// How many different messages there are; they come again in turn.
const VARIETY: u64 = 64;

/// Messages of one size.
pub(crate) struct Mail {
    messages: Vec<Message>,
    envelope_octets: usize,
    body_octets: usize,
}

/// One of them.
#[derive(Clone)]
pub(crate) struct Message {
    /// As the spool takes it.
    pub(crate) accepted: Accepted,
    /// In its place for stores that know nothing of mail.
    pub(crate) envelope: Bytes,
    pub(crate) body: Bytes,
}

impl Mail {
    /// Mail with bodies of `body_octets`. `work` is for a spool that tells how long an envelope is.
    pub(crate) fn new(work: &Path, body_octets: usize) -> Result<Self, Fault> {
        let octets = u64::try_from(body_octets)?;
        let message = |number| Message {
            accepted: sample_message(number, 1, octets),
            envelope: Bytes::new(),
            body: sample_body(number, body_octets).into(),
        };
        let messages = (0..VARIETY).map(message).collect();
        let mut mail = Self { messages, envelope_octets: 0, body_octets };
        mail.envelope_octets = mail.measure(work)?;
        for (number, message) in (0..).zip(&mut mail.messages) {
            message.envelope = sample_body(number, mail.envelope_octets).into();
        }
        Ok(mail)
    }

    /// What the spool writes beside the body, on average.
    fn measure(&self, work: &Path) -> Result<usize, Fault> {
        let folder = tempfile::tempdir_in(work)?;
        let spool = SegLog::open_dir(folder.path(), SegLogOptions::default())?;
        let before = spool.stats().octets_written;
        for message in &self.messages {
            block_on(ours::accept(&spool, message))?;
        }
        let written = usize::try_from(spool.stats().octets_written - before)?;
        Ok((written / self.messages.len()).saturating_sub(self.body_octets))
    }

    pub(crate) fn get(&self, number: u64) -> Result<&Message, Fault> {
        let place = usize::try_from(number % VARIETY)?;
        Ok(self.messages.get(place).ok_or("there is no mail")?)
    }

    pub(crate) fn envelope_octets(&self) -> usize {
        self.envelope_octets
    }

    pub(crate) fn body_octets(&self) -> usize {
        self.body_octets
    }

    /// Of envelope and body.
    pub(crate) fn octets(&self) -> usize {
        self.envelope_octets + self.body_octets
    }
}
