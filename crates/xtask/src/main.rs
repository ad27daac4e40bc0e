//! Project chores: `cargo xtask arrows` and `cargo xtask tidy`.
//!
//! Each prints what it found, one line a finding, with file and line and what to do, and ends
//! with exit code 1 if there was anything, 2 if it could not look.

mod arrows;
mod finding;
mod levels;
mod tidy;
mod workspace;

use std::io::{self, Write};
use std::process::ExitCode;

use finding::Finding;

const USAGE: &str = "usage: cargo xtask arrows | tidy
  arrows  checks that dependencies between crates only go down
  tidy    checks the rules of the house for sources, manifests and texts";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["arrows"] => workspace::Workspace::read().map(|workspace| arrows::check(&workspace)),
        ["tidy"] => workspace::Workspace::read().and_then(|workspace| tidy::check(&workspace)),
        _ => Err(USAGE.to_owned()),
    };
    report(result)
}

fn report(result: Result<Vec<Finding>, String>) -> ExitCode {
    let (text, code) = match result {
        Err(why) => (why, 2),
        Ok(findings) if findings.is_empty() => ("nothing found".to_owned(), 0),
        Ok(findings) => {
            let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
            (format!("{}\n{} findings", lines.join("\n"), lines.len()), 1)
        }
    };
    let written = writeln!(io::stdout(), "{text}");
    ExitCode::from(if written.is_ok() { code } else { 2 })
}
