//! Whole lives of messages: what the spool writes until they have ended, with and without others
//! that are stuck, and what it costs to open it with those in it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt};
use transom_queue::testing::{block_on, sample_delivered};
use transom_queue::{Durability, Intent, Op, SegLog, SegLogOptions, Settled, Spool, Stats};
use transom_types::InternalMessageId;

use crate::Fault;
use crate::mail::Mail;
use crate::ours::accept;
use crate::process::written;

const BODY_OCTETS: usize = 4 << 10;
/// Messages that are under way at once.
const OUTSTANDING: usize = 256;
/// Messages between two looks at the figures: about as much mail as a segment holds.
const WINDOW: u64 = 16_384;
/// Windows of a life with nothing stuck: so many that what is made once hardly counts.
const WINDOWS: u64 = 32;

pub(crate) fn run(work: &Path, stuck: u64) -> Result<(), Fault> {
    let mail = Mail::new(work, BODY_OCTETS)?;
    println!("\nwhole lives of messages of {BODY_OCTETS} octets, {OUTSTANDING} at once");
    let folder = tempfile::tempdir_in(work)?;
    live(&folder.path().join("clear"), &mail, 0, WINDOWS)?;
    // Until all that is stuck was carried forward twice or so.
    let windows = (stuck * 2).div_ceil(WINDOW).max(WINDOWS);
    let full = folder.path().join("full");
    fill(&full, &mail, stuck)?;
    open_elsewhere(&full, stuck)?;
    live(&full, &mail, stuck, windows)?;
    // Now half of the log is of messages that have ended.
    open_elsewhere(&full, stuck)
}

/// Messages come that stay.
fn fill(folder: &Path, mail: &Mail, stuck: u64) -> Result<(), Fault> {
    let spool = SegLog::open_dir(folder, SegLogOptions::default())?;
    let began = Instant::now();
    block_on(each(stuck, |number| stay(&spool, mail, number)))?;
    spool.close()?;
    println!("{stuck} messages are stuck after {:.1} s", began.elapsed().as_secs_f64());
    Ok(())
}

/// Messages come and are delivered while `stuck` others wait, which are there already.
fn live(folder: &Path, mail: &Mail, stuck: u64, windows: u64) -> Result<(), Fault> {
    let spool = SegLog::open_dir(folder, SegLogOptions::default())?;
    let (first, octets_before, began) = (spool.stats(), written()?, Instant::now());
    let (mut before, mut worst) = (first, 0.0f64);
    for _ in 0..windows {
        block_on(each(WINDOW, |number| pass(&spool, mail, number)))?;
        let now = spool.stats();
        worst = worst.max(share(now.octets_copied - before.octets_copied, WINDOW));
        before = now;
    }
    let took = began.elapsed();
    let left = spool.stats().messages;
    if left != stuck {
        return Err(format!("{left} messages are open and {stuck} should be").into());
    }
    spool.close()?;
    print_life(&spool.stats(), &first, written()? - octets_before, windows * WINDOW, took);
    println!("  most copied in {WINDOW} messages: {worst:.2} octets an octet of mail");
    Ok(())
}

/// A message that stays.
async fn stay(spool: &SegLog, mail: &Mail, number: u64) -> Result<(), Fault> {
    accept(spool, mail.get(number)?).await.map(drop)
}

/// The life of a message: accepted, attempted, delivered.
async fn pass(spool: &SegLog, mail: &Mail, number: u64) -> Result<(), Fault> {
    let id = accept(spool, mail.get(number)?).await?;
    let intent = Intent { recipients: vec![0], host: "mx1.fabrikam.com".into(), attempt: 1 };
    spool.commit(vec![Op::Intent { id, intent }], Durability::Buffered).await?;
    spool.commit(vec![delivered(id, number)], Durability::Sync).await?;
    Ok(())
}

fn delivered(id: InternalMessageId, number: u64) -> Op {
    let outcome = sample_delivered(number);
    let settled = Settled { recipient: 0, outcome, attempted: true, retry_at: None };
    Op::Settle { id, recipients: vec![settled], delay_notified: false }
}

/// Does something for each number, for [`OUTSTANDING`] at once.
async fn each<F>(numbers: u64, work: impl Fn(u64) -> F) -> Result<(), Fault>
where
    F: Future<Output = Result<(), Fault>>,
{
    let mut results = stream::iter(0..numbers).map(work).buffer_unordered(OUTSTANDING);
    while let Some(result) = results.next().await {
        result?;
    }
    Ok(())
}

/// Octets for each octet of mail.
fn share(octets: u64, messages: u64) -> f64 {
    octets as f64 / (messages as f64 * BODY_OCTETS as f64)
}

fn print_life(now: &Stats, first: &Stats, written: u64, messages: u64, took: Duration) {
    let of = |octets| share(octets, messages);
    println!(
        "{messages} messages came and went, {:.0} a second",
        messages as f64 / took.as_secs_f64()
    );
    println!(
        "  octets an octet of mail: {:.2} into segments, {:.2} of them copies; {:.2} with zeros \
         and reserve",
        of(now.octets_written - first.octets_written),
        of(now.octets_copied - first.octets_copied),
        of(written),
    );
    let segments = now.segments_reclaimed - first.segments_reclaimed;
    let recycled = now.segments_recycled - first.segments_recycled;
    println!(
        "  {:.3} fsyncs a message; {} MiB of zeros ahead; {segments} segments freed, {recycled} of \
         them used again, {} now",
        (now.fsyncs - first.fsyncs) as f64 / messages as f64,
        (now.octets_ahead - first.octets_ahead) >> 20,
        now.segments,
    );
}

/// Opens the spool in a process of its own.
fn open_elsewhere(folder: &Path, stuck: u64) -> Result<(), Fault> {
    let out = Command::new(std::env::current_exe()?).arg("--open").arg(folder).output()?;
    let text = String::from_utf8(out.stdout)?;
    print!("{text}");
    if !out.status.success() || !text.contains(&format!("{stuck} messages are there")) {
        return Err(String::from_utf8_lossy(&out.stderr).into());
    }
    Ok(())
}
