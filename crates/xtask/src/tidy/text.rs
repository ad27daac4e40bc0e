//! Rules for every file, and for Markdown.

use crate::finding::Finding;

/// Largest file in the repository, in octets.
const BLOB_OCTETS_MAX: usize = 256 * 1024;
/// Longest README, in lines: what is longer belongs into the docs.
const README_LINES_MAX: usize = 150;

/// No blob above the limit.
pub(super) fn check_size(path: &str, octets: usize) -> Vec<Finding> {
    let message =
        format!("{octets} octets, more than {BLOB_OCTETS_MAX}: generate it, or keep it elsewhere");
    let finding = Finding { path: path.to_owned(), line: 0, rule: "blob-size", message };
    if octets > BLOB_OCTETS_MAX { vec![finding] } else { Vec::new() }
}

/// One title a file; a README that can be read at once.
pub(super) fn check_markdown(path: &str, content: &str) -> Vec<Finding> {
    let finding = |line, rule, message| Finding { path: path.to_owned(), line, rule, message };
    let mut findings = Vec::new();
    let titles = titles(content);
    match titles.as_slice() {
        [_] => {}
        [] => findings.push(finding(0, "one-title", "begin with one `# Title`".to_owned())),
        [_, others @ ..] => findings.extend(
            others
                .iter()
                .map(|&line| finding(line, "one-title", "a second title: make it `##`".to_owned())),
        ),
    }
    let lines = content.lines().count();
    if path.ends_with("README.md") && lines > README_LINES_MAX {
        let message = format!("{lines} lines, more than {README_LINES_MAX}: move some to docs");
        findings.push(finding(lines, "readme-lines", message));
    }
    findings
}

/// The lines that begin with one `#`, outside of code blocks.
fn titles(content: &str) -> Vec<usize> {
    let mut in_code = false;
    let mut titles = Vec::new();
    for (line, number) in content.lines().zip(1..) {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code && line.starts_with("# ") {
            titles.push(number);
        }
    }
    titles
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(findings: &[Finding]) -> Vec<(&str, usize)> {
        findings.iter().map(|finding| (finding.rule, finding.line)).collect()
    }

    #[test]
    fn large_blob_is_found() {
        assert_eq!(rules(&check_size("a.bin", BLOB_OCTETS_MAX + 1)), [("blob-size", 0)]);
        assert!(check_size("a.bin", BLOB_OCTETS_MAX).is_empty());
    }

    #[test]
    fn second_title_is_found() {
        assert_eq!(rules(&check_markdown("a.md", "# a\n\n# b\n")), [("one-title", 3)]);
    }

    #[test]
    fn missing_title_is_found() {
        assert_eq!(rules(&check_markdown("a.md", "## a\n")), [("one-title", 0)]);
    }

    #[test]
    fn comment_in_a_code_block_is_no_title() {
        assert!(check_markdown("a.md", "# a\n```sh\n# not a title\n```\n").is_empty());
    }

    #[test]
    fn long_readme_is_found() {
        let long = format!("# a\n{}", "x\n".repeat(README_LINES_MAX));
        let line = README_LINES_MAX + 1;
        assert_eq!(rules(&check_markdown("README.md", &long)), [("readme-lines", line)]);
        assert!(check_markdown("docs/other.md", &long).is_empty());
    }
}
