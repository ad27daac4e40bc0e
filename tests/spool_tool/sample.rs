//! A spool that was made through the public API.

use std::path::Path;
use std::time::{Duration, SystemTime};

use transom_queue::testing::{block_on, sample_body, sample_message};
use transom_queue::{Accept, Accepted, Durability, Op, SegLog, SegLogOptions, Spool};
use transom_types::InternalMessageId;

/// Small segments, so that a few messages fill some, and a file for each body above 16 KiB.
pub(crate) fn open(path: &Path) -> SegLog {
    let options = SegLogOptions::default()
        .with_segment_octets(64 << 10)
        .with_inline_octets_max(16 << 10)
        .with_reserve_octets(0);
    SegLog::open_dir(path, options).unwrap()
}

/// Accepts a message that came so many hours ago, and gives its body.
pub(crate) fn accept(
    log: &SegLog,
    number: u64,
    recipients: u32,
    octets: usize,
) -> (InternalMessageId, Vec<u8>) {
    let body = sample_body(number, octets);
    let sample = sample_message(number, recipients, u64::try_from(octets).unwrap());
    let received_at = SystemTime::now() - Duration::from_hours(number) - Duration::from_secs(90);
    (accept_body(log, &body, Accepted { received_at, ..sample }), body)
}

fn accept_body(log: &SegLog, body: &[u8], message: Accepted) -> InternalMessageId {
    block_on(async {
        let mut ingest = log.begin(None).unwrap();
        let id = ingest.id();
        for piece in body.chunks(1 << 20) {
            ingest.write(piece).await.unwrap();
        }
        let accept = Accept { body: ingest.finish().await.unwrap(), message };
        let accept = Op::Accept(Box::new(accept));
        log.commit(vec![accept], Durability::Sync).await.unwrap();
        id
    })
}

pub(crate) fn commit(log: &SegLog, ops: Vec<Op>) {
    block_on(log.commit(ops, Durability::Sync)).unwrap();
}
