//! What it takes to open a spool in which messages wait.

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use rustix::fs::{Advice, fadvise};
use transom_queue::{SegLog, SegLogOptions, Spool};

use crate::Fault;
use crate::process::{heap, peak};

pub(crate) fn run(folder: &Path) -> Result<(), Fault> {
    forget_cache(folder)?;
    let empty = heap_of_empty()?;
    let (heap_before, peak_before) = (heap(), peak()?);
    let began = Instant::now();
    let spool = SegLog::open_dir(folder, SegLogOptions::default())?;
    let opened = began.elapsed();
    let index = heap().saturating_sub(heap_before).saturating_sub(empty);
    let peak_open = peak()?.saturating_sub(peak_before) >> 20;
    let report = spool.load(&mut drop)?;
    let (loaded, peak_loaded) = (began.elapsed(), peak()?.saturating_sub(peak_before) >> 20);
    println!("\na spool is opened, nothing of it in the page cache");
    println!(
        "  {} messages are there after {:.2} s, and loaded after {:.2} s",
        report.messages,
        opened.as_secs_f64(),
        loaded.as_secs_f64()
    );
    println!(
        "  {:.1} octets of index a message; {peak_open} MiB of memory at most to open it, \
         {peak_loaded} MiB to load all",
        index as f64 / report.messages as f64,
    );
    Ok(())
}

/// What an open spool takes of the heap with nothing in it.
fn heap_of_empty() -> Result<usize, Fault> {
    let folder = tempfile::tempdir()?;
    drop(SegLog::open_dir(folder.path(), SegLogOptions::default())?);
    let before = heap();
    let spool = SegLog::open_dir(folder.path(), SegLogOptions::default())?;
    let taken = heap().saturating_sub(before);
    drop(spool);
    Ok(taken)
}

/// Asks the system to drop the segments from its cache.
fn forget_cache(folder: &Path) -> Result<(), Fault> {
    for entry in std::fs::read_dir(folder.join("log"))? {
        let file = File::open(entry?.path())?;
        file.sync_all()?;
        fadvise(&file, 0, None, Advice::DontNeed)?;
    }
    Ok(())
}
