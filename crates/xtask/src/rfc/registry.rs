//! The registry: `tests/rfc/<number>.toml`.
//!
//! ```toml
//! title = "Simple Mail Transfer Protocol"
//! cited = ["2.4"]                # sections that the sources name and that ask nothing here
//!
//! [[requirement]]
//! id = "5321-4.2-a"              # RFC, section, letters of our choice
//! section = "4.2"
//! level = "MUST"                 # MUST, SHOULD or MAY; REQUIRED, SHALL and the NOTs with them
//! party = "client"               # client, server or both
//! summary = "one line in our own words"
//! not_testable = "why"           # code is enough
//! exception = "why"              # neither code nor test is asked for
//! ```
//!
//! The reader takes that much of TOML and no more: tables of such lines, strings without escapes,
//! lists of strings on one line.

use std::collections::{BTreeMap, BTreeSet};

use super::citation::{is_section, is_suffix};
use crate::finding::Finding;

/// The requirements of one RFC.
#[derive(Clone, Debug, Default)]
pub(super) struct Registry {
    pub(super) number: u32,
    pub(super) title: String,
    pub(super) cited: Vec<String>,
    pub(super) requirements: Vec<Requirement>,
    pub(super) path: String,
}

/// One sentence of an RFC that binds us.
#[derive(Clone, Debug, Default)]
pub(super) struct Requirement {
    pub(super) id: String,
    pub(super) section: String,
    pub(super) level: String,
    pub(super) party: String,
    pub(super) summary: String,
    pub(super) not_testable: Option<String>,
    pub(super) exception: Option<String>,
    /// Of its table in the file.
    pub(super) line: usize,
}

/// Reads the file of one RFC; its name is the number.
pub(super) fn read(path: &str, content: &str) -> (Registry, Vec<Finding>) {
    let name = path.rsplit('/').next().and_then(|name| name.strip_suffix(".toml"));
    let number = name.and_then(|name| name.parse().ok());
    let mut registry =
        Registry { number: number.unwrap_or(0), path: path.to_owned(), ..Registry::default() };
    let mut findings = Vec::new();
    if number.is_none() {
        findings.push(finding(path, 0, "the name of the file is the number of an RFC"));
    }
    for (text, line) in lines(content) {
        if text == "[[requirement]]" {
            registry.requirements.push(Requirement { line, ..Requirement::default() });
        } else if !set(&mut registry, text) {
            findings.push(finding(path, line, "neither `[[requirement]]` nor a known key"));
        }
    }
    findings.extend(check(&registry));
    (registry, findings)
}

/// Reads the list of sections that are only cited: `1034 = ["3.6.2"]`.
pub(super) fn read_others(path: &str, content: &str) -> (BTreeMap<u32, Vec<String>>, Vec<Finding>) {
    let mut others = BTreeMap::new();
    let mut findings = Vec::new();
    for (text, line) in lines(content) {
        let entry = text
            .split_once(" = ")
            .and_then(|(number, value)| Some((number.parse::<u32>().ok()?, list(value)?)));
        match entry {
            Some((number, sections)) => drop(others.insert(number, sections)),
            None => findings.push(finding(path, line, "write `1034 = [\"3.6.2\"]`")),
        }
    }
    (others, findings)
}

fn lines(content: &str) -> impl Iterator<Item = (&str, usize)> {
    let lines = content.lines().map(str::trim).zip(1..);
    lines.filter(|(text, _)| !text.is_empty() && !text.starts_with('#'))
}

/// Whether the line was one of ours.
fn set(registry: &mut Registry, line: &str) -> bool {
    let Some((key, value)) = line.split_once(" = ") else { return false };
    let Some(requirement) = registry.requirements.last_mut() else {
        return match (key, string(value), list(value)) {
            ("title", Some(title), _) => {
                registry.title = title;
                true
            }
            ("cited", _, Some(sections)) => {
                registry.cited = sections;
                true
            }
            _ => false,
        };
    };
    let Some(value) = string(value) else { return false };
    match key {
        "id" => requirement.id = value,
        "section" => requirement.section = value,
        "level" => requirement.level = value,
        "party" => requirement.party = value,
        "summary" => requirement.summary = value,
        "not_testable" => requirement.not_testable = Some(value),
        "exception" => requirement.exception = Some(value),
        _ => return false,
    }
    true
}

fn string(value: &str) -> Option<String> {
    let inside = value.strip_prefix('"')?.strip_suffix('"')?;
    (!inside.contains(['"', '\\'])).then(|| inside.to_owned())
}

fn list(value: &str) -> Option<Vec<String>> {
    let inside = value.strip_prefix('[')?.strip_suffix(']')?;
    if inside.is_empty() {
        return Some(Vec::new());
    }
    inside.split(", ").map(string).collect()
}

/// What a registry must hold true by itself.
fn check(registry: &Registry) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut before = BTreeSet::new();
    if registry.title.is_empty() {
        findings.push(finding(&registry.path, 0, "`title` is missing"));
    }
    for requirement in &registry.requirements {
        let Requirement { id, section, level, party, summary, line, .. } = requirement;
        let mut wrong = |message| findings.push(finding(&registry.path, *line, message));
        let suffix = id
            .strip_prefix(&format!("{}-{section}-", registry.number))
            .filter(|suffix| is_section(section) && is_suffix(suffix));
        if suffix.is_none() {
            wrong("`id` is the RFC, the section and letters: 5321-4.2-a");
        }
        if !before.insert(id) {
            wrong("this `id` stands above already");
        }
        if !matches!(level.as_str(), "MUST" | "SHOULD" | "MAY") {
            wrong("`level` is MUST, SHOULD or MAY");
        }
        if !matches!(party.as_str(), "client" | "server" | "both") {
            wrong("`party` is client, server or both");
        }
        if summary.is_empty() {
            wrong("`summary` is missing");
        }
        let reasons = [&requirement.exception, &requirement.not_testable];
        if reasons.into_iter().flatten().any(|reason| reason.trim().is_empty()) {
            wrong("an exception needs its reason");
        }
    }
    findings
}

fn finding(path: &str, line: usize, message: &str) -> Finding {
    Finding { path: path.to_owned(), line, rule: "rfc-registry", message: message.to_owned() }
}
