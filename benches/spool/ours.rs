//! The spool, through its public interface.

use std::path::Path;
use std::time::{Duration, Instant};

use futures::stream::{FuturesUnordered, StreamExt};
use transom_queue::testing::block_on;
use transom_queue::{Accept, Durability, Op, SegLog, SegLogOptions, Spool};
use transom_types::InternalMessageId;

use crate::Fault;
use crate::cell::{Cell, Sent};
use crate::mail::Message;
use crate::store::Store;

/// How many bodies are read, and so verified, when messages are counted.
const READ: usize = 100;

pub(crate) struct Ours(SegLog);

impl Ours {
    pub(crate) fn open(folder: &Path) -> Result<Self, Fault> {
        Ok(Self(SegLog::open_dir(folder, SegLogOptions::default())?))
    }
}

impl Store for Ours {
    fn put(&self, _number: u64, message: &Message) -> Result<(), Fault> {
        block_on(accept(&self.0, message)).map(drop)
    }

    fn close(self: Box<Self>) -> Result<u64, Fault> {
        self.0.close()?;
        Ok(self.0.stats().fsyncs)
    }
}

/// What a session does with a message.
pub(crate) async fn accept(spool: &SegLog, message: &Message) -> Result<InternalMessageId, Fault> {
    let mut ingest = spool.begin(Some(message.accepted.facts.octets))?;
    let id = ingest.id();
    ingest.write(&message.body).await?;
    let body = ingest.finish().await?;
    let accept = Accept { body, message: message.accepted.clone() };
    spool.commit(vec![Op::Accept(Box::new(accept))], Durability::Sync).await?;
    Ok(id)
}

/// Thousands of commits at once, all of them futures of this thread.
pub(crate) fn run_outstanding(
    cell: &Cell<'_>,
    folder: &Path,
) -> Result<(Sent, Duration, u64), Fault> {
    let spool = SegLog::open_dir(folder, SegLogOptions::default())?;
    let (schedule, mut sent) = (cell.schedule(), Sent::default());
    block_on(async {
        let hand_in = async |number: u64| {
            let began = Instant::now();
            accept(&spool, cell.mail.get(number)?).await?;
            Ok::<_, Fault>(began)
        };
        let mut numbers = 0..cell.messages_max();
        let mut waiting = FuturesUnordered::new();
        waiting.extend(numbers.by_ref().take(cell.producers).map(&hand_in));
        while let Some(began) = waiting.next().await {
            sent.add(schedule, began?);
            if !schedule.is_over(Instant::now()) {
                waiting.extend(numbers.next().map(&hand_in));
            }
        }
        Ok::<_, Fault>(())
    })?;
    let took = schedule.warm().elapsed();
    spool.close()?;
    Ok((sent, took, spool.stats().fsyncs))
}

pub(crate) fn count(folder: &Path) -> Result<u64, Fault> {
    let spool = SegLog::open_dir(folder, SegLogOptions::default())?;
    let mut ids = Vec::new();
    let report = spool.load(&mut |message| ids.push(message.id))?;
    for id in ids.iter().step_by((ids.len() / READ).max(1)) {
        block_on(spool.open(*id))?;
    }
    Ok(report.messages)
}
