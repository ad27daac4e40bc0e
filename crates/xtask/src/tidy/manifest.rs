//! Rules for `Cargo.toml`: lints, and what a published crate must say about itself.

use crate::finding::Finding;
use crate::workspace::Member;

/// The root forbids unsafe code for all.
pub(super) fn check_root(path: &str, content: &str) -> Vec<Finding> {
    let table = table(content, "[workspace.lints.rust]");
    let forbids = table.iter().any(|line| squeeze(line) == "unsafe_code=\"forbid\"");
    let message = "set unsafe_code = \"forbid\" under [workspace.lints.rust]";
    found_unless(forbids, path, "lints", message).into_iter().collect()
}

/// Every member takes the lints of the workspace.
pub(super) fn check_lints(path: &str, content: &str) -> Vec<Finding> {
    let table = table(content, "[lints]");
    let takes = table.iter().any(|line| squeeze(line) == "workspace=true");
    found_unless(takes, path, "lints", "add [lints] workspace = true").into_iter().collect()
}

/// A published crate has a description, a licence and its settings for docs.rs; the others a
/// licence.
pub(super) fn check_member(member: &Member) -> Vec<Finding> {
    let path = member.manifest.as_str();
    let filled = |field: &Option<String>| field.as_ref().is_some_and(|text| !text.is_empty());
    let docs_rs = "add [package.metadata.docs.rs] all-features = true";
    let private = !member.published;
    [
        found_unless(filled(&member.license), path, "metadata", "add license.workspace = true"),
        found_unless(private || filled(&member.description), path, "metadata", "add a description"),
        found_unless(private || member.docs_rs, path, "metadata", docs_rs),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The lines of one table of a manifest.
fn table<'c>(content: &'c str, header: &str) -> Vec<&'c str> {
    let lines = content.lines().skip_while(|line| line.trim() != header).skip(1);
    lines.take_while(|line| !line.trim_start().starts_with('[')).collect()
}

fn squeeze(line: &str) -> String {
    line.chars().filter(|c| !c.is_whitespace()).collect()
}

fn found_unless(fine: bool, path: &str, rule: &'static str, message: &str) -> Option<Finding> {
    let message = message.to_owned();
    (!fine).then(|| Finding { path: path.to_owned(), line: 0, rule, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_that_allows_unsafe_code_is_found() {
        let good = "[workspace.lints.rust]\nunsafe_code = \"forbid\"\n";
        assert!(check_root("Cargo.toml", good).is_empty());
        for bad in ["", "[workspace.lints.rust]\nunsafe_code = \"deny\"\n[x]\n"] {
            assert_eq!(check_root("Cargo.toml", bad).len(), 1, "{bad}");
        }
    }

    #[test]
    fn member_without_the_lints_is_found() {
        assert!(check_lints("a/Cargo.toml", "[lints]\nworkspace = true\n").is_empty());
        for bad in ["[package]\n", "[lints]\n[x]\nworkspace = true\n"] {
            assert_eq!(check_lints("a/Cargo.toml", bad).len(), 1, "{bad}");
        }
    }

    #[test]
    fn published_member_that_says_nothing_is_found() {
        let member = Member { published: true, ..Member::default() };
        assert_eq!(check_member(&member).len(), 3);
        let license = Some("MIT".to_owned());
        let private = Member { license: license.clone(), ..Member::default() };
        assert!(check_member(&private).is_empty());
        let description = Some("d".to_owned());
        let full = Member { published: true, license, description, docs_rs: true, ..private };
        assert!(check_member(&full).is_empty());
    }
}
