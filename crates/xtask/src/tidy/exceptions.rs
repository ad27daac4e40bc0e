//! The list of exceptions: each with a reason, none without need.

use crate::finding::Finding;

struct Exception<'l> {
    line: usize,
    rule: &'l str,
    path: &'l str,
}

impl Exception<'_> {
    fn covers(&self, finding: &Finding) -> bool {
        let folder = self.path.ends_with('/') && finding.path.starts_with(self.path);
        finding.rule == self.rule && (folder || finding.path == self.path)
    }
}

/// Takes out what the list excuses; adds what is wrong with the list.
pub(super) fn apply(list_path: &str, list: &str, findings: Vec<Finding>) -> Vec<Finding> {
    let mut wrong = Vec::new();
    let mut exceptions = Vec::new();
    for (number, text) in list.lines().enumerate() {
        if text.trim().is_empty() || text.starts_with('#') {
            continue;
        }
        let line = number.saturating_add(1);
        match text.split('|').map(str::trim).collect::<Vec<_>>().as_slice() {
            [rule, path, reason] if !reason.is_empty() => {
                exceptions.push(Exception { line, rule, path });
            }
            _ => wrong.push(finding(list_path, line, "write rule | file | reason".to_owned())),
        }
    }
    for exception in &exceptions {
        if !findings.iter().any(|finding| exception.covers(finding)) {
            let message = format!("nothing in {} needs this any more: remove it", exception.path);
            wrong.push(finding(list_path, exception.line, message));
        }
    }
    let excused = |finding: &Finding| exceptions.iter().any(|e| e.covers(finding));
    wrong.extend(findings.into_iter().filter(|finding| !excused(finding)));
    wrong
}

fn finding(path: &str, line: usize, message: String) -> Finding {
    Finding { path: path.to_owned(), line, rule: "exceptions", message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str) -> Finding {
        Finding { path: path.to_owned(), line: 3, rule: "std-fs", message: String::new() }
    }

    #[test]
    fn exception_excuses_its_file_and_folder_alone() {
        let list = "# comment\nstd-fs | a/x.rs | why\nstd-fs | b/ | why\n";
        let left = apply("l", list, vec![found("a/x.rs"), found("b/y.rs"), found("a/z.rs")]);
        assert_eq!(left, [found("a/z.rs")]);
    }

    #[test]
    fn exception_without_reason_is_found() {
        for list in ["std-fs | a/x.rs |", "std-fs | a/x.rs", "std-fs"] {
            assert_eq!(apply("l", list, Vec::new()).len(), 1, "{list}");
        }
    }

    #[test]
    fn exception_without_need_is_found() {
        let left = apply("l", "std-fs | a/x.rs | why", Vec::new());
        assert_eq!(left.iter().map(|f| f.line).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn exception_for_another_rule_excuses_nothing() {
        let left = apply("l", "clock | a/x.rs | why", vec![found("a/x.rs")]);
        assert_eq!(left.len(), 2);
    }
}
