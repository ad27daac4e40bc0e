//! Says what a configuration does with a recipient or with a peer, and why.
//!
//! `cargo run --release --example explain -- CONFIG RECIPIENT` says where a message goes,
//! `cargo run --release --example explain -- CONFIG --peer ADDR:PORT` which receive connector a
//! client at ADDR meets that connects to our port PORT, and with which rights.
#![expect(clippy::print_stderr, reason = "it talks to a person")]

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use transom::connector::{CheckedConfiguration, Configuration};
use transom::routing::explain;
use transom::types::ForwardPath;

const HELP: &str = "\
usage: explain CONFIG RECIPIENT [--size OCTETS]
       explain CONFIG --peer ADDR:PORT
  CONFIG            the configuration, in TOML, or in JSON where its name ends so
  RECIPIENT         where does mail to it go, and why?
  --size OCTETS     how big the message is (10000)
  --peer ADDR:PORT  which connector does a client at ADDR meet that connects to our PORT, and
                    with which rights? An IPv6 address stands in brackets
Exit code 2: the configuration cannot be read, or its parts do not fit together.";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        say(HELP);
        return ExitCode::SUCCESS;
    }
    match run(&words) {
        Ok(text) => {
            say(text.trim_end());
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            eprintln!("{wrong}");
            ExitCode::from(2)
        }
    }
}

/// Says it on the console. Where nobody reads it, nothing is to be done.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

fn run(words: &[String]) -> Result<String, String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [file, "--peer", peer] => {
            let peer: SocketAddr =
                peer.parse().map_err(|_| format!("--peer {peer}: is no ADDR:PORT"))?;
            explain_peer(&read(file)?, peer)
        }
        [file, recipient] => explain_recipient(&read(file)?, recipient, 10_000),
        [file, recipient, "--size", size] => {
            let size = size.parse().map_err(|_| format!("--size {size}: is no number"))?;
            explain_recipient(&read(file)?, recipient, size)
        }
        _ => Err(HELP.to_owned()),
    }
}

fn read(file: &str) -> Result<CheckedConfiguration, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let is_json = Path::new(file).extension().is_some_and(|ending| ending == "json");
    let configuration =
        if is_json { Configuration::from_json(&text) } else { Configuration::from_toml(&text) };
    let lines = |errors: Vec<String>| {
        errors.iter().map(|error| format!("{file}: {error}")).collect::<Vec<_>>().join("\n")
    };
    configuration
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
        .and_then(|configuration| {
            let checked = configuration.check();
            checked.map_err(|errors| errors.iter().map(ToString::to_string).collect())
        })
        .map_err(lines)
}

fn explain_peer(configuration: &CheckedConfiguration, peer: SocketAddr) -> Result<String, String> {
    let told = configuration.explain_receive_at_port(peer.port(), peer.ip());
    if told.is_empty() {
        return Err(format!("nothing listens at port {} for {}", peer.port(), peer.ip()));
    }
    let told: Vec<String> = told.iter().map(ToString::to_string).collect();
    Ok(told.join("\n"))
}

fn explain_recipient(
    configuration: &CheckedConfiguration,
    recipient: &str,
    size: u64,
) -> Result<String, String> {
    let bracketed =
        if recipient.starts_with('<') { recipient.to_owned() } else { format!("<{recipient}>") };
    let path: ForwardPath =
        bracketed.parse().map_err(|error| format!("{recipient}: is no recipient: {error}"))?;
    Ok(explain(configuration, &path, size).to_string())
}
