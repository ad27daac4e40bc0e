//! Configuration files as somebody sees them who has `examples/explain` and `examples/lint`.
//!
//! What `docs/configuration.md` shows is what the programs print: with `TRANSOM_UPDATE_DOCS=1`
//! the test writes it there.
#![expect(clippy::panic, clippy::unwrap_used, reason = "tests fail by panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use transom::connector::{Configuration, LintRule};

const DOCS: &str = "docs/configuration.md";
const SAMPLES: &str = "examples/config";
const BAD: &str = "examples/config/bad";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// How a run ended.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs an example, which cargo builds for every test run of the root package.
fn run(example: &str, arguments: &[&str]) -> Ended {
    let own = std::env::current_exe().unwrap();
    let profile = own.parent().and_then(Path::parent).unwrap();
    let binary = profile.join("examples").join(example);
    assert!(binary.is_file(), "{}: build it: cargo build --examples", binary.display());
    let output = Command::new(binary).args(arguments).current_dir(root()).output().unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The files of a folder, by the names without ending.
fn samples(folder: &str) -> Vec<(String, String)> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let mut paths: Vec<PathBuf> = paths.collect();
    paths.sort();
    let name = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let file = |path: &PathBuf| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| (name(path), file(path))).collect()
}

/// What a sample wants lint to be told.
fn flags(text: &str) -> Vec<&str> {
    let line = text.lines().find_map(|line| line.strip_prefix("# lint needs to be told: "));
    line.into_iter().flat_map(str::split_whitespace).collect()
}

/// The rules and severities of findings, as lint prints them: `error[open-relay]`.
fn found(stdout: &str) -> BTreeSet<String> {
    let places = stdout.lines().filter(|line| line.starts_with("examples/"));
    let words = places.flat_map(str::split_whitespace).filter(|word| word.ends_with(']'));
    words
        .filter(|word| word.starts_with("error[") || word.starts_with("warning["))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_good_sample_is_clean() {
    let samples = samples(SAMPLES);
    assert!(samples.len() >= 4);
    for (_, file) in samples {
        let ended = run("lint", &[&file]);
        assert_eq!(ended.stdout, format!("{file}: 0 errors, 0 warnings\n"));
        assert_eq!(ended.code, Some(0), "{file}");
    }
}

#[test]
fn every_bad_sample_shows_exactly_its_kind_with_its_place() {
    for (name, file) in samples(BAD).into_iter().filter(|(name, _)| name != "unreadable") {
        let text = read(&file);
        let ended = run("lint", &[&[file.as_str()], flags(&text).as_slice()].concat());
        let error = BTreeSet::from([format!("error[{name}]")]);
        let warning = BTreeSet::from([format!("warning[{name}]")]);
        match found(&ended.stdout) {
            found if found == error => assert_eq!(ended.code, Some(1), "{file}"),
            found if found == warning => assert_eq!(ended.code, Some(0), "{file}"),
            found => panic!("{file}: {found:?}\n{}", ended.stdout),
        }
        let place = ended.stdout.strip_prefix(&format!("{file}: line "));
        assert!(place.is_some_and(|rest| rest.contains(", column ")), "{}", ended.stdout);
        assert!(ended.stdout.contains("\n  what to do: "), "{}", ended.stdout);
    }
}

#[test]
fn every_kind_of_finding_has_a_bad_sample() {
    let samples: BTreeSet<String> = samples(BAD).into_iter().map(|(name, _)| name).collect();
    for rule in LintRule::ALL {
        assert!(samples.contains(rule.id()), "{BAD}/{rule}.toml is missing");
    }
}

#[test]
fn what_cannot_be_read_ends_with_2_and_says_where() {
    let file = "examples/config/bad/unreadable.toml";
    for ended in [run("lint", &[file]), run("explain", &[file, "ann@contoso.com"])] {
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
        let wrong: Vec<&str> = ended.stderr.lines().collect();
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        let begins = ["line 5, column 1: ", "line 8, column 1: ", "line 9, column 33: "];
        for (line, begin) in wrong.iter().zip(begins) {
            assert!(line.starts_with(&format!("{file}: {begin}")), "{line}");
        }
    }
    for arguments in [vec![], vec!["no/such.toml"], vec!["Cargo.toml", "--flag"]] {
        assert_eq!(run("lint", &arguments).code, Some(2), "{arguments:?}");
    }
}

#[test]
fn explain_refuses_what_does_not_fit_together() {
    let file = "examples/config/bad/invalid.toml";
    let ended = run("explain", &[file, "ann@contoso.com"]);
    assert_eq!(ended.code, Some(2));
    let said = "receive connector \"From the internet\" has an idle time-out above its session";
    assert!(ended.stderr.starts_with(&format!("{file}: {said}")), "{}", ended.stderr);
}

#[test]
fn explain_answers_for_peers_of_both_families() {
    let file = "examples/config/internet_edge.toml";
    for (peer, connector) in [
        ("192.0.2.7:25", "From the internet"),
        ("10.1.2.3:25", "From inside"),
        ("[2001:db8::7]:25", "From the internet"),
        ("[::ffff:10.1.2.3]:25", "From inside"),
    ] {
        let ended = run("explain", &[file, "--peer", peer]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let first = ended.stdout.lines().next().unwrap();
        assert!(first.ends_with(&format!("meets \"{connector}\".")), "{peer}: {first}");
    }
    let ended = run("explain", &[file, "--peer", "192.0.2.7:26"]);
    assert_eq!(ended.code, Some(2));
    assert_eq!(ended.stderr, "nothing listens at port 26 for 192.0.2.7\n");
}

#[test]
fn a_sample_in_json_says_the_same() {
    let text = read("examples/config/internet_edge.toml");
    let configuration = Configuration::from_toml(&text).unwrap();
    let again = Configuration::from_toml(&configuration.to_toml());
    assert_eq!(again, Ok(configuration.clone()));
    let json = r#"{
        "server_name": "mx1.contoso.com",
        "accepted_domains": [{ "domain": "contoso.com" }]
    }"#;
    let json = Configuration::from_json(json).unwrap();
    assert_eq!(json.server_name, configuration.server_name);
    assert_eq!(json.accepted_domains, configuration.accepted_domains);
}

/// The docs with the output of each command that stands there, and with the list of all fields.
fn written_anew(docs: &str) -> String {
    let mut out = String::new();
    let mut lines = docs.lines();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        if let Some(command) = line.strip_prefix("$ cargo run --release --example ") {
            let (example, arguments) = command.split_once(" -- ").unwrap();
            let arguments: Vec<&str> = arguments.split_whitespace().collect();
            let ended = run(example, &arguments);
            out.push_str(&ended.stdout);
            out.push_str(&ended.stderr);
            out.push_str("```\n");
            lines.by_ref().find(|line| *line == "```");
        } else if line == "<!-- every field, as the code has it -->" {
            out.push('\n');
            out.push_str(&Configuration::reference());
            break;
        }
    }
    out
}

#[test]
fn the_docs_show_what_the_programs_print_and_the_defaults_of_the_code() {
    let docs = read(DOCS);
    let new = written_anew(&docs);
    assert!(docs.matches("\n$ cargo run ").count() >= 5);
    if std::env::var_os("TRANSOM_UPDATE_DOCS").is_some() {
        fs::write(root().join(DOCS), new).unwrap();
    } else {
        let same = docs == new;
        assert!(same, "{DOCS} is stale: TRANSOM_UPDATE_DOCS=1 cargo test --test configuration");
    }
}
