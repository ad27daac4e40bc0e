//! Question: how many messages a second does the spool make durable, and what does it write,
//! beside other ways to keep mail on the same disk?
//!
//! `cargo bench -p transom-spool-bench`, with these options behind `--`:
//!
//! - `--seconds N`: how long a cell runs (1);
//! - `--runs N`: how often each cell runs; the median counts (1);
//! - `--stuck N`: messages that lie in the spool while others pass, and that are there when it is
//!   opened (100000; the design speaks of 1000000, which takes 5 GB of disk and some minutes);
//! - `--part accept|life`: only one half;
//! - `--dir D`: where to write (`target/tmp`); what is written is removed again;
//! - `--open D`: only opens the spool in `D`. The bench runs itself so, as memory that was used
//!   before would hide what opening takes.
//!
//! Every store is given the same mail, by as many threads, and each waits until its message is
//! durable:
//!
//! - `files`: a file for each message, fsync of the file and of its folder;
//! - `sqlite`: WAL, `synchronous=FULL`. One thread writes; all messages that wait, 1 MiB at most,
//!   go into one transaction. The WAL is carried over each 16 MiB instead of each 4;
//! - `fjall`: one thread as above, one batch with `PersistMode::SyncData`; values are kept apart
//!   from keys, as its docs advise for large ones;
//! - `floor`: no store at all. One thread appends as many messages as there are producers, 1 MiB
//!   at most, and calls fdatasync after each batch.
//!
//! The envelope that the others store is as long as what the spool writes beside a body. After
//! each run the store is opened again and its messages are counted. Each run warms up for half as
//! long as it is timed. Syncs, CPU and octets given to `write` are those of the whole run, with
//! what the store does ahead and in the background until it is closed.
#![allow(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "a bench reads the clock and prints what it measured"
)]

mod cell;
mod files;
mod fjall_store;
mod floor;
mod group;
mod life;
mod mail;
mod open;
mod ours;
mod process;
mod sqlite;
mod store;
#[path = "../support/system.rs"]
mod system;

use std::alloc::System;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use cell::{Cell, Measured};
use mail::Mail;
use store::Kind;
use system::fdatasync_p50;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What goes wrong in a bench is printed and ends it.
type Fault = Box<dyn Error + Send + Sync>;

/// Above this the disk is busy with something else.
const QUIET: Duration = Duration::from_micros(300);
const KINDS: [Kind; 5] = [Kind::Ours, Kind::Files, Kind::Sqlite, Kind::Fjall, Kind::Floor];

struct Options {
    seconds: Duration,
    runs: usize,
    stuck: u64,
    accept: bool,
    life: bool,
    dir: PathBuf,
    open: Option<PathBuf>,
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("spool: {wrong}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options, Fault> {
    let mut options = Options {
        seconds: Duration::from_secs(1),
        runs: 1,
        stuck: 100_000,
        accept: true,
        life: true,
        dir: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tmp"),
        open: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--seconds" => options.seconds = Duration::try_from_secs_f64(value()?.parse()?)?,
            "--runs" => options.runs = value()?.parse::<usize>()?.max(1),
            "--stuck" => options.stuck = value()?.parse::<u64>()?.max(1),
            "--part" => {
                let part = value()?;
                options.accept = part == "accept";
                options.life = part == "life";
                if !options.accept && !options.life {
                    return Err(format!("no part {part}: accept or life").into());
                }
            }
            "--dir" => options.dir = value()?.into(),
            "--open" => options.open = Some(value()?.into()),
            "--bench" => {} // cargo says it to every bench
            other => return Err(format!("unknown option {other}").into()),
        }
    }
    Ok(options)
}

fn run(options: &Options) -> Result<(), Fault> {
    if let Some(spool) = &options.open {
        return open::run(spool);
    }
    std::fs::create_dir_all(&options.dir)?;
    let work = tempfile::Builder::new().prefix("transom-spool.").tempdir_in(&options.dir)?;
    let before = fdatasync_p50(work.path())?;
    println!("fdatasync p50 before: {} us", before.as_micros());
    if options.accept {
        accept(options, work.path())?;
    }
    if options.life {
        life::run(work.path(), options.stuck)?;
    }
    let after = fdatasync_p50(work.path())?;
    println!("fdatasync p50 after: {} us", after.as_micros());
    if before.max(after) > QUIET {
        println!("The disk was busy with something else: these figures judge nothing.");
    }
    Ok(())
}

/// All cells: the stores of one cell follow each other, so that they meet the same disk.
fn accept(options: &Options, work: &Path) -> Result<(), Fault> {
    for body_octets in [4 << 10, 64 << 10] {
        let mail = Mail::new(work, body_octets)?;
        println!("\n{body_octets} octets of body, {} of envelope", mail.envelope_octets());
        println!(
            "| producers | store | messages a second | ours is x times | syncs a message \
             | octets written an octet of body | p50 / p99 ms | CPU us a message |"
        );
        println!("|---|---|---|---|---|---|---|---|");
        let outstanding = (body_octets == 4 << 10).then_some(4_096);
        for producers in [1, 16, 128].into_iter().chain(outstanding) {
            let cell = Cell { mail: &mail, producers, seconds: options.seconds };
            print_cell(&cell, options.runs, work)?;
        }
    }
    Ok(())
}

fn print_cell(cell: &Cell<'_>, runs: usize, work: &Path) -> Result<(), Fault> {
    // With thousands of commits outstanding only the floor is asked for.
    let few = cell.producers <= 128;
    let kinds = KINDS.into_iter().filter(|kind| few || matches!(kind, Kind::Ours | Kind::Floor));
    let kinds: Vec<Kind> = kinds.collect();
    let mut samples: Vec<Vec<Measured>> = kinds.iter().map(|_| Vec::new()).collect();
    for _ in 0..runs {
        for (kind, samples) in kinds.iter().zip(&mut samples) {
            let folder = tempfile::Builder::new().prefix(kind.name()).tempdir_in(work)?;
            samples.push(cell.run(*kind, folder.path())?);
        }
    }
    let (mut ours, mut aims) = (0.0, Vec::new());
    for (kind, mut samples) in kinds.into_iter().zip(samples) {
        samples.sort_by(|a, b| a.rate().total_cmp(&b.rate()));
        let Some(sample) = samples.get(samples.len() / 2) else { continue };
        if matches!(kind, Kind::Ours) {
            ours = sample.rate();
        }
        print_row(kind, sample, ours, cell);
        if let Some(aim) = aim(kind, cell) {
            let judged = if ours / sample.rate() >= aim { "met" } else { "MISSED" };
            aims.push(format!("{aim} times {}: {judged}", kind.name()));
        }
    }
    if !aims.is_empty() {
        println!("aims at {} producers: {}", cell.producers, aims.join(", "));
    }
    Ok(())
}

/// How many times as fast as another store the spool should be.
fn aim(kind: Kind, cell: &Cell<'_>) -> Option<f64> {
    let large = cell.mail.body_octets() > 4 << 10;
    match (kind, cell.producers) {
        // Of the best, so of each.
        (Kind::Files | Kind::Sqlite | Kind::Fjall, _) if large => Some(0.9),
        (Kind::Files, 128) => Some(40.0),
        (Kind::Sqlite, 128) => Some(3.0),
        (Kind::Fjall, 128) => Some(1.0),
        (Kind::Floor, 4096) => Some(0.7),
        _ => None,
    }
}

fn print_row(kind: Kind, sample: &Measured, ours: f64, cell: &Cell<'_>) {
    let messages = sample.messages as f64;
    let octets = messages * cell.mail.body_octets() as f64;
    println!(
        "| {} | {} | {:.0} | {:.2} | {:.3} | {:.2} | {:.2} / {:.2} | {:.0} |",
        cell.producers,
        kind.name(),
        sample.rate(),
        ours / sample.rate(),
        sample.syncs as f64 / messages,
        sample.written as f64 / octets,
        sample.millis(500),
        sample.millis(990),
        sample.cpu.as_secs_f64() * 1e6 / messages,
    );
}
