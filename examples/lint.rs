//! Finds mistakes in a configuration before mail does.
//!
//! `cargo run --release --example lint -- CONFIG` prints each finding with its place in the file
//! and what to do. Exit code 0: no error (there may be warnings), 1: errors, 2: unreadable.
#![expect(clippy::print_stderr, reason = "it talks to a person")]

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use transom::connector::{Configuration, Finding, LintContext, Severity};

const HELP: &str = "\
usage: lint CONFIG [FLAGS]
  CONFIG                     the configuration, in TOML, or in JSON where its name ends so
What the file cannot say; what is not told is not judged:
  --agent NAME               this delivery agent is registered, and only those named
                             (repeatable; --no-agent: none)
  --certificate-name NAME    the certificate is for this host (repeatable; --no-certificate)
  --directory-domain DOMAIN  a directory knows the recipients of this domain, and only of those
                             named (repeatable; --no-directory)
  --no-authentication        nobody judges passwords
  --own-address ADDR         this host has this address too (repeatable)
  --own-host NAME            this host has this name too (repeatable)
Exit code 0: no errors, but perhaps warnings; 1: errors; 2: the file cannot be read.";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        say(HELP);
        return ExitCode::SUCCESS;
    }
    match run(&words) {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => ExitCode::FAILURE,
        Err(wrong) => {
            eprintln!("{wrong}");
            ExitCode::from(2)
        }
    }
}

/// Says it on the console. Where nobody reads it, the exit code says enough.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Whether there are errors.
fn run(words: &[String]) -> Result<bool, String> {
    let Some((file, flags)) = words.split_first() else { return Err(HELP.to_owned()) };
    let context = context(flags)?;
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let is_json = Path::new(file).extension().is_some_and(|ending| ending == "json");
    let configuration =
        if is_json { Configuration::from_json(&text) } else { Configuration::from_toml(&text) };
    let configuration = configuration.map_err(|errors| {
        errors.iter().map(|error| format!("{file}: {error}")).collect::<Vec<_>>().join("\n")
    })?;
    let findings = configuration.lint(&context);
    for finding in &findings {
        say(&shown(file, &text, finding));
    }
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let warnings = findings.len().saturating_sub(errors);
    say(&format!("{file}: {errors} errors, {warnings} warnings"));
    Ok(errors > 0)
}

fn shown(file: &str, text: &str, finding: &Finding) -> String {
    match finding.place.find_in(text) {
        Some((line, column)) => format!("{file}: line {line}, column {column}: {finding}"),
        None => format!("{file}: {finding}"),
    }
}

/// What only the host knows.
fn context(flags: &[String]) -> Result<LintContext, String> {
    let mut context = LintContext::default();
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        let mut value = || flags.next().ok_or_else(|| format!("{flag} needs a value"));
        match flag.as_str() {
            "--agent" => context.agents.get_or_insert_default().push(value()?.clone()),
            "--no-agent" => context.agents = Some(Vec::new()),
            "--certificate-name" => {
                context.certificate_names.get_or_insert_default().push(value()?.clone());
            }
            "--no-certificate" => context.certificate_names = Some(Vec::new()),
            "--directory-domain" => {
                let domain = parsed(flag, value()?)?;
                context.directory_domains.get_or_insert_default().push(domain);
            }
            "--no-directory" => context.directory_domains = Some(Vec::new()),
            "--no-authentication" => context.authenticates = Some(false),
            "--own-address" => context.own_addresses.push(parsed(flag, value()?)?),
            "--own-host" => context.own_hosts.push(parsed(flag, value()?)?),
            _ => return Err(format!("unknown flag {flag}; --help lists the flags")),
        }
    }
    Ok(context)
}

fn parsed<T: std::str::FromStr<Err: std::error::Error>>(
    flag: &str,
    value: &str,
) -> Result<T, String> {
    value.parse().map_err(|error| format!("{flag} {value}: {error}"))
}
