//! `cargo xtask rfc`: which requirement of which RFC is kept where, and what proves it.
//!
//! `tests/rfc/<number>.toml` lists the requirements of one RFC, in our own words ([`registry`]
//! shows the form). A comment in the sources binds to them ([`citation`]):
//!
//! ```text
//! // [RFC 5321 §4.2-a] the rule in our own words     over the code that keeps it
//! // [RFC 5321 §4.2-a] test                          over the test that proves it
//! // [RFC 5321 §4.2-a, §4.3.2-b] test                where one place serves several
//! // [RFC 5321 §4.2] the rule                        names the section
//! ```
//!
//! `§4.2-a` is the requirement `5321-4.2-a`. A section alone binds where the registry has one
//! requirement for it; where it has several, it is a pointer for the reader and proves nothing.
//! Nothing is marked as done by hand: done is what has both code and test, or code alone where the
//! registry says why no test can be. What is not kept needs an `exception` with its reason.

mod citation;
mod registry;
mod report;

use std::collections::BTreeMap;
use std::fs;

use crate::finding::Finding;
use crate::workspace::Workspace;
use citation::Citation;
use registry::Registry;

/// The folder of the registry.
const FOLDER: &str = "tests/rfc/";
/// Sections of RFCs that are cited and of which nothing is listed.
const OTHERS: &str = "tests/rfc/others.toml";
/// Where the printed table stands for readers.
const TABLE: &str = "docs/rfc.md";
/// Our own sources cite nothing: what looks so is an example.
const OWN_SOURCES: &str = "crates/xtask/";

/// The registry and what the sources say of it.
#[derive(Debug, Default)]
pub(crate) struct Map {
    registries: BTreeMap<u32, Registry>,
    /// By RFC, its sections; see [`OTHERS`].
    others: BTreeMap<u32, Vec<String>>,
    citations: Vec<Citation>,
    /// What could not be read.
    findings: Vec<Finding>,
}

impl Map {
    /// Reads the registry and every source that git tracks or would track.
    pub(crate) fn read(workspace: &Workspace) -> Result<Self, String> {
        let mut map = Self::default();
        for path in workspace.files()? {
            let is_source = has_citations(&path);
            let is_registry = path.starts_with(FOLDER) && extension(&path) == "toml";
            if !is_source && !is_registry {
                continue;
            }
            let octets = fs::read(workspace.root.join(&path));
            let octets = octets.map_err(|wrong| format!("{path}: {wrong}"))?;
            let content = String::from_utf8_lossy(&octets);
            if is_source {
                map.add_source(&path, &content);
            } else {
                map.add_registry(&path, &content);
            }
        }
        Ok(map)
    }

    fn add_source(&mut self, path: &str, content: &str) {
        let (citations, findings) = citation::read(path, content);
        self.citations.extend(citations);
        self.findings.extend(findings);
    }

    fn add_registry(&mut self, path: &str, content: &str) {
        if path == OTHERS {
            let (others, findings) = registry::read_others(path, content);
            self.others = others;
            return self.findings.extend(findings);
        }
        let (registry, findings) = registry::read(path, content);
        self.findings.extend(findings);
        self.registries.insert(registry.number, registry);
    }

    /// What fails the build; `printed` is the table as it stands in [`TABLE`].
    pub(crate) fn check(&self, printed: &str) -> Vec<Finding> {
        let mut findings = self.findings.clone();
        findings.extend(report::check(self));
        if findings.is_empty() && printed != self.document() {
            let message = "not what is printed now: run `cargo xtask rfc --write`".to_owned();
            let path = TABLE.to_owned();
            findings.push(Finding { path, line: 0, rule: "rfc-table", message });
        }
        findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
        findings
    }

    /// The same, with the table as it stands in the workspace.
    pub(crate) fn check_in(&self, workspace: &Workspace) -> Vec<Finding> {
        self.check(&fs::read_to_string(workspace.root.join(TABLE)).unwrap_or_default())
    }

    /// Writes the table for readers; gives its path.
    pub(crate) fn write(&self, workspace: &Workspace) -> Result<String, String> {
        fs::write(workspace.root.join(TABLE), self.document())
            .map_err(|wrong| format!("{TABLE}: {wrong}"))?;
        Ok(TABLE.to_owned())
    }

    /// One line an RFC.
    pub(crate) fn table(&self) -> String {
        report::table(self)
    }

    /// The requirements of one RFC, what is open of them first.
    pub(crate) fn open(&self, number: &str) -> Result<String, String> {
        let registry = number.parse().ok().and_then(|number: u32| self.registries.get(&number));
        let registry = registry.ok_or_else(|| format!("there is no {FOLDER}{number}.toml"))?;
        Ok(report::open(self, registry))
    }

    fn document(&self) -> String {
        report::document(self)
    }
}

/// Whether a file may cite: sources, scripts and dialogs.
fn has_citations(path: &str) -> bool {
    matches!(extension(path), "rs" | "sh" | "py" | "smtp") && !path.starts_with(OWN_SOURCES)
}

fn extension(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, extension)| extension)
}

#[cfg(test)]
mod tests;
