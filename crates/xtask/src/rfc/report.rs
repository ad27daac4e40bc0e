//! What is kept, what is proved, what is open.

use std::fmt::Write as _;

use super::Map;
use super::citation::Citation;
use super::registry::{Registry, Requirement};
use crate::finding::Finding;

/// One requirement with the places that cite it.
struct State<'m> {
    requirement: &'m Requirement,
    code: Vec<&'m Citation>,
    tests: Vec<&'m Citation>,
}

impl State<'_> {
    /// Neither done nor excepted.
    fn is_open(&self) -> bool {
        let tested = !self.tests.is_empty() || self.requirement.not_testable.is_some();
        self.requirement.exception.is_none() && (self.code.is_empty() || !tested)
    }

    fn is_exception(&self) -> bool {
        self.requirement.exception.is_some()
    }
}

/// Every citation has its place in the registry, and every MUST is kept and proved or excepted.
pub(super) fn check(map: &Map) -> Vec<Finding> {
    let unknown = map.citations.iter().filter_map(|citation| check_citation(map, citation));
    let registries = map.registries.values();
    unknown.chain(registries.flat_map(|registry| check_requirements(map, registry))).collect()
}

fn check_citation(map: &Map, citation: &Citation) -> Option<Finding> {
    let Citation { number, section, suffix, path, line, .. } = citation;
    let finding =
        |message| Some(Finding { path: path.clone(), line: *line, rule: "rfc-citation", message });
    let Some(registry) = map.registries.get(number) else {
        let known = map.others.get(number);
        if suffix.is_none()
            && known.is_some_and(|sections| section.is_empty() || sections.contains(section))
        {
            return None;
        }
        return finding(format!("add RFC {number} \u{a7}{section} to {}", super::OTHERS));
    };
    let mut of_section = registry.requirements.iter().filter(|known| known.section == *section);
    match suffix {
        Some(suffix) => {
            let id = format!("{number}-{section}-{suffix}");
            if of_section.any(|known| known.id == id) {
                return None;
            }
            finding(format!("{} has no {id}", registry.path))
        }
        None if section.is_empty() || registry.cited.contains(section) => None,
        None if of_section.next().is_some() => None,
        None => finding(format!("{} has no section {section}", registry.path)),
    }
}

fn check_requirements(map: &Map, registry: &Registry) -> Vec<Finding> {
    let finding = |state: &State<'_>, message| Finding {
        path: registry.path.clone(),
        line: state.requirement.line,
        rule: "rfc-open",
        message,
    };
    let mut findings = Vec::new();
    for state in states(map, registry) {
        let id = &state.requirement.id;
        if state.is_exception() && !state.code.is_empty() && !state.tests.is_empty() {
            findings.push(finding(&state, format!("{id} has code and test: no exception")));
        }
        if state.requirement.not_testable.is_some() && !state.tests.is_empty() {
            findings.push(finding(&state, format!("{id} has a test: it is testable")));
        }
        if state.requirement.level == "MUST" && state.is_open() {
            let missing = match (state.code.is_empty(), state.tests.is_empty()) {
                (true, true) => "code and test",
                (true, false) => "code",
                (false, _) => "a test",
            };
            let message = format!("{id} is a MUST and lacks {missing}, or an exception");
            findings.push(finding(&state, message));
        }
    }
    findings
}

/// Each requirement with what cites it. A section alone speaks for its only requirement.
fn states<'m>(map: &'m Map, registry: &'m Registry) -> Vec<State<'m>> {
    let state = |requirement: &'m Requirement| {
        let in_section = |other: &&Requirement| other.section == requirement.section;
        let alone = registry.requirements.iter().filter(in_section).count() == 1;
        let speaks_of_it = |citation: &&Citation| {
            citation.number == registry.number
                && citation.section == requirement.section
                && match &citation.suffix {
                    Some(suffix) => {
                        let section = &requirement.section;
                        requirement.id == format!("{}-{section}-{suffix}", registry.number)
                    }
                    None => alone,
                }
        };
        let cited = map.citations.iter().filter(speaks_of_it);
        let (tests, code) = cited.partition(|citation| citation.is_test);
        State { requirement, code, tests }
    };
    registry.requirements.iter().map(state).collect()
}

/// One line an RFC, aligned for the eye and good Markdown.
pub(super) fn table<'m>(map: &'m Map) -> String {
    let mut rows = Vec::new();
    let mut sums = [0_usize; 5];
    for registry in map.registries.values() {
        let states = states(map, registry);
        let count = |wanted: fn(&State<'m>) -> bool| states.iter().filter(|s| wanted(s)).count();
        let counts = [
            states.len(),
            count(|state| !state.code.is_empty()),
            count(|state| !state.tests.is_empty()),
            count(State::is_exception),
            count(State::is_open),
        ];
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum = sum.saturating_add(count);
        }
        rows.push((registry.number.to_string(), registry.title.as_str(), counts));
    }
    rows.push(("all".to_owned(), "", sums));
    let width = rows.iter().map(|(_, title, _)| title.len()).max().unwrap_or(0);
    let mut out = format!(
        "| RFC  | {:width$} | requirements | implemented | tested | exceptions | todo |\n\
         |------|{:-<2$}|-------------:|------------:|-------:|-----------:|-----:|\n",
        "title",
        "",
        width.saturating_add(2),
    );
    for (number, title, [requirements, code, tests, exceptions, open]) in rows {
        let _ = writeln!(
            out,
            "| {number:4} | {title:width$} | {requirements:12} | {code:11} | {tests:6} | \
             {exceptions:10} | {open:4} |"
        );
    }
    out
}

/// The requirements of one RFC: the open ones, then the others with their places.
pub(super) fn open(map: &Map, registry: &Registry) -> String {
    let (open, rest): (Vec<_>, Vec<_>) =
        states(map, registry).into_iter().partition(State::is_open);
    let mut out = format!(
        "RFC {} {}: {} of {} open\n",
        registry.number,
        registry.title,
        open.len(),
        open.len().saturating_add(rest.len())
    );
    for (heading, states) in [("open", open), ("done or excepted", rest)] {
        if !states.is_empty() {
            let _ = writeln!(out, "\n{heading}");
        }
        for state in states {
            let Requirement { id, level, party, summary, .. } = state.requirement;
            let _ = writeln!(out, "  {id} {level} {party}: {summary}");
            for (word, citations) in [("code", &state.code), ("test", &state.tests)] {
                for citation in citations {
                    let _ = writeln!(out, "    {word} {}", citation.place());
                }
            }
            let reasons = [
                ("exception", &state.requirement.exception),
                ("no test", &state.requirement.not_testable),
            ];
            for (word, reason) in reasons {
                if let Some(reason) = reason {
                    let _ = writeln!(out, "    {word}: {reason}");
                }
            }
        }
    }
    out
}

/// The page for readers: the table and every exception.
pub(super) fn document(map: &Map) -> String {
    let mut out = format!(
        "# RFC map\n\n\
         Printed by `cargo xtask rfc --write`. A requirement counts as implemented where the code\n\
         that keeps it cites it, as tested where a test does; `cargo xtask rfc 5321 --open` names\n\
         the places. The requirements themselves stand in `tests/rfc/`.\n\n{}\n\
         ## Exceptions\n\n\
         Requirements that we do not keep as they stand, do not offer, or that bind another\n\
         party.\n",
        table(map)
    );
    for registry in map.registries.values() {
        let states = states(map, registry);
        let excepted: Vec<_> = states.iter().filter(|state| state.is_exception()).collect();
        if !excepted.is_empty() {
            let _ = writeln!(out, "\n### RFC {}: {}\n", registry.number, registry.title);
        }
        for Requirement { id, level, summary, exception, .. } in
            excepted.iter().map(|state| state.requirement)
        {
            let reason = exception.as_deref().unwrap_or_default();
            let _ = writeln!(out, "- `{id}` ({level}) {summary}: {reason}.");
        }
    }
    out
}
