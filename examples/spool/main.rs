//! A spool that no process has open: verifies it, lists it, writes its messages to files. Changes
//! nothing in it.
//!
//! ```text
//! cargo run --release --example spool -- check /var/spool/transom
//! ```
#![expect(clippy::print_stderr, reason = "it talks to a person")]

mod arguments;
mod export;
mod list;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use arguments::Arguments;
use transom_queue::Inspection;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args_os().skip(1)) {
        Ok(arguments) => arguments,
        Err(wrong) => return fail(&wrong),
    };
    let mut out = io::stdout().lock();
    match run(&arguments, &mut out) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // Whoever read it has seen enough.
        Err(Wrong::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Wrong::Output(error)) => fail(&format!("standard output: {error}")),
        Err(Wrong::Spool(wrong)) => fail(&wrong),
    }
}

/// Why it cannot go on.
enum Wrong {
    Output(io::Error),
    Spool(String),
}

impl From<io::Error> for Wrong {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Whether all is well.
fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<bool, Wrong> {
    match arguments {
        Arguments::Help => {
            writeln!(out, "{}", arguments::HELP)?;
            Ok(true)
        }
        Arguments::Check { spool } => check(&open(spool)?, out),
        Arguments::List { spool, short } => {
            let spool = open(spool)?;
            Ok(list::list(&spool, *short, out)? & is_whole(&spool)?)
        }
        Arguments::Export { spool: path, to, ids } => {
            let spool = open(path)?;
            export::prepare(path, to).map_err(Wrong::Spool)?;
            Ok(export::export(&spool, to, ids, out)? & is_whole(&spool)?)
        }
    }
}

fn open(path: &Path) -> Result<Inspection, Wrong> {
    Inspection::open_dir(path).map_err(|error| Wrong::Spool(error.to_string()))
}

/// Says what is damaged beside single messages.
fn is_whole(spool: &Inspection) -> Result<bool, Wrong> {
    let files = spool.survey(&mut |damage| eprintln!("spool: damaged: {damage}"));
    let files = files.map_err(|error| Wrong::Spool(error.to_string()))?;
    let damages = spool.report().quarantined.len();
    if damages > 0 {
        eprintln!("spool: {damages} damages may have cost messages; check tells where");
    }
    Ok(files == 0 && damages == 0)
}

/// Verifies everything and says what was found.
fn check(spool: &Inspection, out: &mut dyn Write) -> Result<bool, Wrong> {
    let mut written = Ok(());
    let checked = spool.check(&mut |damage| {
        if written.is_ok() {
            written = writeln!(out, "damaged: {damage}");
        }
    });
    written?;
    let checked = checked.map_err(|error| Wrong::Spool(error.to_string()))?;
    let report = spool.report();
    writeln!(
        out,
        "{} segments with {} batches and {} records",
        checked.segments, checked.batches, checked.records
    )?;
    writeln!(
        out,
        "{} messages wait, with {} octets of content",
        checked.messages, checked.content_octets
    )?;
    let ended = match (report.clean, report.power_cut) {
        (true, _) => "in order",
        (false, false) => "by a kill or a crash",
        (false, true) => "with the machine",
    };
    writeln!(out, "the last run ended {ended}")?;
    if report.torn_batches > 0 {
        writeln!(out, "{} batches were cut off, answered to nobody", report.torn_batches)?;
    }
    if checked.unreferenced > 0 {
        writeln!(out, "{} files in blob/ belong to no message", checked.unreferenced)?;
    }
    if checked.set_aside > 0 {
        writeln!(out, "{} things were set aside in quarantine/ before", checked.set_aside)?;
    }
    if checked.damages == 0 {
        writeln!(out, "no damage")?;
    } else {
        writeln!(out, "{} damages", checked.damages)?;
    }
    Ok(checked.damages == 0)
}

fn fail(wrong: &str) -> ExitCode {
    eprintln!("spool: {wrong}");
    ExitCode::from(2)
}
