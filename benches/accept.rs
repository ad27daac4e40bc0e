//! Question: how many messages a second does a transport accept and make durable over a real
//! socket, how long does a client wait for its 250, and what does a message cost?
//!
//! `cargo bench --bench accept`, with these options behind `--`:
//!
//! - `--seconds N`: how long a cell runs (2);
//! - `--no-postfix`: without the comparison, which needs root and an installed Postfix;
//! - `--server ADDR --recipient MAILBOX`: only the load, against a server that runs already.
//!
//! A ratio is judged only where fdatasync is quick before and after: on a busy disk every server
//! waits for the disk. At one connection idle wake-ups make the rate bimodal, so the best of five
//! runs counts, on both sides.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "a bench reads the clock and prints what it measured"
)]

mod support;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use support::generator::{Load, Measured, drive};
use support::servers::Server;
use support::system::{cpu_time, fdatasync_p50};

/// Above this the disk is busy with something else.
const QUIET: Duration = Duration::from_micros(300);
/// A cell stops before its messages fill the disk.
const CELL_OCTETS_MAX: usize = 512 << 20;
const DOMAIN: &str = "bench.test";

/// One row of the table: connections, octets of content, runs of which the best counts, and the
/// ratio to Postfix that we aim at.
struct Cell {
    connections: usize,
    content_octets: usize,
    runs: usize,
    ratio_min: f64,
}

const CELLS: [Cell; 6] = [
    Cell { connections: 1, content_octets: 4 << 10, runs: 5, ratio_min: 3.0 },
    Cell { connections: 10, content_octets: 4 << 10, runs: 2, ratio_min: 6.0 },
    Cell { connections: 100, content_octets: 4 << 10, runs: 2, ratio_min: 10.0 },
    Cell { connections: 1, content_octets: 64 << 10, runs: 5, ratio_min: 0.0 },
    Cell { connections: 10, content_octets: 64 << 10, runs: 2, ratio_min: 0.0 },
    Cell { connections: 100, content_octets: 64 << 10, runs: 2, ratio_min: 6.0 },
];

struct Options {
    seconds: Duration,
    postfix: bool,
    server: Option<String>,
    recipient: String,
}

/// What one run of a cell gave.
#[derive(Default)]
struct Sample {
    measured: Measured,
    cpu_micros: f64,
    fsyncs: Option<f64>,
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("accept: {wrong}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut options = Options {
        seconds: Duration::from_secs(2),
        postfix: true,
        server: None,
        recipient: format!("user@{DOMAIN}"),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--seconds" => options.seconds = Duration::from_secs_f64(value()?.parse()?),
            "--no-postfix" => options.postfix = false,
            "--server" => options.server = Some(value()?),
            "--recipient" => options.recipient = value()?,
            "--bench" => {} // cargo says it to every bench
            other => return Err(format!("unknown option {other}").into()),
        }
    }
    Ok(options)
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    if let Some(server) = &options.server {
        for cell in &CELLS {
            print_row("server", cell, &sample(server.parse()?, 0, cell, options)?, None);
        }
        return Ok(());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let transport = build_transport(root)?;
    let work = tempfile::Builder::new().prefix("transom-accept.").tempdir()?;
    let folder = work.path();
    // Postfix runs under users of its own, who must get in.
    Command::new("chmod").arg("755").arg(folder).status()?;
    let postfix = options.postfix && Server::postfix(root, folder.join("try")).is_ok();
    if options.postfix && !postfix {
        println!("SKIPPED: no private Postfix can be started here, so nothing is compared");
    }
    let before = fdatasync_p50(folder)?;
    println!("fdatasync p50 before: {before:?}");
    println!("            conn  KiB    msg/s    p50 ms    p99 ms  CPU us/msg  fsync/msg");
    let mut lines = Vec::new();
    for cell in &CELLS {
        let (mut ours, mut theirs) = (Sample::default(), Sample::default());
        for _ in 0..cell.runs {
            let server = Server::transport(&transport, folder.join("transom"), DOMAIN)?;
            ours = better(ours, measure(server, cell, options)?);
            if postfix {
                let server = Server::postfix(root, folder.join("postfix"))?;
                theirs = better(theirs, measure(server, cell, options)?);
            }
        }
        print_row("transom", cell, &ours, None);
        if postfix {
            print_row("postfix", cell, &theirs, Some(ours.measured.rate()));
        }
        lines.extend(judge(cell, &ours, postfix.then_some(&theirs)));
    }
    let after = fdatasync_p50(folder)?;
    println!("fdatasync p50 after: {after:?}");
    if before.max(after) >= QUIET {
        println!("not judged: fdatasync p50 is not below {QUIET:?} before and after");
    } else {
        println!("{}", lines.join("\n"));
    }
    Ok(())
}

/// The example in the profile that this bench has, beside it. `TRANSPORT` names another binary.
fn build_transport(root: &Path) -> Result<PathBuf, Box<dyn Error>> {
    if let Some(binary) = std::env::var_os("TRANSPORT") {
        return Ok(binary.into());
    }
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--example", "transport"])
        .current_dir(root)
        .status()?;
    let own = std::env::current_exe()?;
    let binary = own.ancestors().nth(2).map(|release| release.join("examples/transport"));
    match binary {
        Some(binary) if status.success() && binary.is_file() => Ok(binary),
        _ => Err("the example transport does not build".into()),
    }
}

/// One run; it ends the server, which says then how often it synced.
fn measure(server: Server, cell: &Cell, options: &Options) -> Result<Sample, Box<dyn Error>> {
    let mut sample = sample(server.address, server.pid, cell, options)?;
    let messages = f64::from(sample.measured.messages.max(1));
    sample.fsyncs = server.stop()?.map(|fsyncs| f64::from(fsyncs) / messages);
    Ok(sample)
}

fn sample(
    address: std::net::SocketAddr,
    pid: u32,
    cell: &Cell,
    options: &Options,
) -> Result<Sample, Box<dyn Error>> {
    let load = Load {
        connections: cell.connections,
        content_octets: cell.content_octets,
        recipient: options.recipient.clone(),
        duration: options.seconds,
        messages_max: CELL_OCTETS_MAX / cell.content_octets.max(1),
    };
    let cpu_before = cpu_time(pid);
    let measured = drive(address, &load)?;
    // Zero stands for a server that is not ours to watch.
    let cpu = if pid == 0 { Duration::ZERO } else { cpu_time(pid).saturating_sub(cpu_before) };
    let cpu_micros = cpu.as_secs_f64() * 1e6 / f64::from(measured.messages.max(1));
    Ok(Sample { measured, cpu_micros, fsyncs: None })
}

fn better(a: Sample, b: Sample) -> Sample {
    if a.measured.rate() >= b.measured.rate() { a } else { b }
}

fn print_row(name: &str, cell: &Cell, sample: &Sample, ours: Option<f64>) {
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let fsyncs = sample.fsyncs.map_or_else(|| "-".to_owned(), |fsyncs| format!("{fsyncs:.2}"));
    let ratio = ours.map_or(String::new(), |ours| {
        format!("   transom is {:.1} times as fast", ours / sample.measured.rate())
    });
    println!(
        "{name:<10} {:>5} {:>4} {:>8.0} {:>9.2} {:>9.2} {:>11.0} {fsyncs:>10}{ratio}",
        cell.connections,
        cell.content_octets >> 10,
        sample.measured.rate(),
        millis(sample.measured.percentile(50)),
        millis(sample.measured.percentile(99)),
        sample.cpu_micros,
    );
}

/// Each aim that this cell has, met or not.
fn judge(cell: &Cell, ours: &Sample, theirs: Option<&Sample>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut aim = |met: bool, what: String| {
        let verdict = if met { "met" } else { "NOT MET" };
        let kib = cell.content_octets >> 10;
        lines.push(format!("{verdict}: {} connections, {kib} KiB: {what}", cell.connections));
    };
    if let Some(theirs) = theirs.filter(|_| cell.ratio_min > 0.0) {
        let ratio = ours.measured.rate() / theirs.measured.rate().max(f64::EPSILON);
        let what = format!("{ratio:.1} times Postfix, aim {}", cell.ratio_min);
        aim(ratio >= cell.ratio_min, what);
    }
    if cell.content_octets == 4 << 10 {
        if cell.connections == 100 {
            let p99 = ours.measured.percentile(99);
            aim(p99 <= Duration::from_millis(12), format!("p99 {p99:.1?}, aim 12 ms"));
        }
        let cpu_max = match cell.connections {
            10 => 60.0,
            100 => 40.0,
            _ => f64::INFINITY,
        };
        if cpu_max.is_finite() {
            let what = format!("server CPU {:.0} us a message, aim {cpu_max}", ours.cpu_micros);
            aim(ours.cpu_micros <= cpu_max, what);
        }
    }
    lines
}
