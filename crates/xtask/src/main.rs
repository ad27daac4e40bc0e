//! Project chores: `cargo xtask arrows`, `cargo xtask rfc` and `cargo xtask tidy`.
//!
//! Each check prints what it found, one line a finding, with file and line and what to do, and ends
//! with exit code 1 if there was anything, 2 if it could not look.

mod arrows;
mod finding;
mod levels;
mod rfc;
mod tidy;
mod workspace;

use std::io::{self, Write};
use std::process::ExitCode;

use finding::Finding;
use workspace::Workspace;

const USAGE: &str = "usage: cargo xtask arrows | rfc | tidy
  arrows  checks that dependencies between crates only go down
  rfc     prints what is kept and tested of the RFCs
      --check        checks that every MUST is, and that every citation has its requirement
      --write        writes the table into docs
      NUMBER --open  prints the requirements of one RFC, what is open of them first
  tidy    checks the rules of the house for sources, manifests and texts";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (text, code) = match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Err(why) => (why, 2),
        Ok(Answer::Text(text)) => (text.trim_end().to_owned(), 0),
        Ok(Answer::Findings(findings)) if findings.is_empty() => ("nothing found".to_owned(), 0),
        Ok(Answer::Findings(findings)) => {
            let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
            (format!("{}\n{} findings", lines.join("\n"), lines.len()), 1)
        }
    };
    let written = writeln!(io::stdout(), "{text}");
    ExitCode::from(if written.is_ok() { code } else { 2 })
}

/// What a chore has to say.
enum Answer {
    Text(String),
    Findings(Vec<Finding>),
}

fn run(arguments: &[&str]) -> Result<Answer, String> {
    let workspace = Workspace::read;
    let map = || rfc::Map::read(&workspace()?);
    match arguments {
        ["arrows"] => Ok(Answer::Findings(arrows::check(&workspace()?))),
        ["tidy"] => tidy::check(&workspace()?).map(Answer::Findings),
        ["rfc"] => Ok(Answer::Text(map()?.table())),
        ["rfc", "--check"] => Ok(Answer::Findings(map()?.check_in(&workspace()?))),
        ["rfc", "--write"] => map()?.write(&workspace()?).map(Answer::Text),
        ["rfc", number, "--open"] => map()?.open(number).map(Answer::Text),
        _ => Err(USAGE.to_owned()),
    }
}
