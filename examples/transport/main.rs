//! A whole transport in one program: takes mail, keeps it, delivers it into Maildirs or relays it.
//!
//! `cargo run --release --example transport` shows the life of three messages and then goes on
//! serving; `--help` lists the flags that make a server of it.
#![expect(clippy::print_stderr, reason = "it talks to a person")]

mod arguments;
mod files;
mod samples;
mod serve;

use std::io::Write as _;
use std::process::ExitCode;

use arguments::{Arguments, Parsed};
use rustix::process::{Resource, getrlimit, setrlimit};

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args_os().skip(1)) {
        Ok(Parsed::Run(arguments)) => arguments,
        Ok(Parsed::Help) => {
            say(arguments::HELP);
            return ExitCode::SUCCESS;
        }
        Err(wrong) => return fail(&wrong),
    };
    show_warnings();
    raise_descriptors();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("the runtime cannot start: {error}")),
    };
    match runtime.block_on(serve::run(&arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(wrong) => fail(&wrong.to_string()),
    }
}

/// Says a line on the console. Where nobody reads it any more, the mail goes on.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Shows warnings and errors of the transport, one line each. Where nobody reads them any more,
/// the mail goes on.
fn show_warnings() {
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .init();
}

/// Each connection is a descriptor, and the soft limit is a thousand on most systems. Where it
/// cannot be raised, it stays.
fn raise_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

/// One line that names the thing, and exit code 2.
fn fail(wrong: &str) -> ExitCode {
    eprintln!("transport: {wrong}");
    ExitCode::from(2)
}
