//! `cargo xtask tidy`: rules of the house that no compiler checks.

mod exceptions;
mod manifest;
mod source;
mod text;

use std::fs;

use crate::finding::Finding;
use crate::levels::{IO_LEVEL, house};
use crate::workspace::Workspace;

/// Where the exceptions stand.
const EXCEPTIONS: &str = "crates/xtask/exceptions.txt";

/// Checks every file that git tracks or would track.
pub(crate) fn check(workspace: &Workspace) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for path in workspace.files()? {
        findings.extend(check_file(workspace, &path)?);
    }
    for member in &workspace.members {
        findings.extend(manifest::check_member(member));
    }
    let list = fs::read_to_string(workspace.root.join(EXCEPTIONS))
        .map_err(|wrong| format!("{EXCEPTIONS}: {wrong}"))?;
    let mut findings = exceptions::apply(EXCEPTIONS, &list, findings);
    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    Ok(findings)
}

fn check_file(workspace: &Workspace, path: &str) -> Result<Vec<Finding>, String> {
    let octets = fs::read(workspace.root.join(path)).map_err(|wrong| format!("{path}: {wrong}"))?;
    let mut findings = text::check_size(path, octets.len());
    let content = String::from_utf8_lossy(&octets);
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension {
        "rs" => {
            findings.extend(source::check_form(path, &content));
            if is_sans_io(workspace, path) {
                findings.extend(source::check_sans_io(path, &content));
            }
        }
        "md" => findings.extend(text::check_markdown(path, &content)),
        _ if path == "Cargo.toml" => findings.extend(manifest::check_root(path, &content)),
        _ => {}
    }
    if path.ends_with("Cargo.toml") {
        findings.extend(manifest::check_lints(path, &content));
    }
    Ok(findings)
}

/// Whether the file is library code of a crate below the I/O level. Tests may do as they like.
fn is_sans_io(workspace: &Workspace, path: &str) -> bool {
    let below = |name: &str| house(name).is_some_and(|house| house.level < IO_LEVEL);
    let member = workspace.member_of(path).is_some_and(|member| below(&member.name));
    let library = path.contains("/src/") && !path.ends_with("/tests.rs");
    member && library && !path.contains("/tests/")
}
