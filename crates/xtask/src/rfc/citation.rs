//! Citations in the sources: `[RFC 5321 §4.2-a, §4.3.2] test`.

use crate::finding::Finding;

/// How every citation begins. Prose may name an RFC without brackets.
const BEGIN: &str = "[RFC ";

/// One address in an RFC that a comment names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Citation {
    /// Of the RFC.
    pub(super) number: u32,
    /// `4.2`; empty where the RFC as a whole is meant.
    pub(super) section: String,
    /// `a` of `4.2-a`.
    pub(super) suffix: Option<String>,
    /// Whether it stands over a test.
    pub(super) is_test: bool,
    pub(super) path: String,
    pub(super) line: usize,
}

impl Citation {
    /// `path:line`.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.path, self.line)
    }
}

/// All citations of a file, and those that cannot be read.
pub(super) fn read(path: &str, content: &str) -> (Vec<Citation>, Vec<Finding>) {
    let mut citations = Vec::new();
    let mut findings = Vec::new();
    for (text, line) in content.lines().zip(1..) {
        for (_, behind) in text
            .match_indices(BEGIN)
            .filter_map(|(at, begin)| text.split_at_checked(at.saturating_add(begin.len())))
        {
            match read_one(behind) {
                Some(found) => citations.extend(found.into_iter().map(|citation| Citation {
                    path: path.to_owned(),
                    line,
                    ..citation
                })),
                None => findings.push(Finding {
                    path: path.to_owned(),
                    line,
                    rule: "rfc-citation",
                    message: "write `[RFC 5321 \u{a7}4.2]` or `[RFC 5321 \u{a7}4.2-a]` on one line"
                        .to_owned(),
                }),
            }
        }
    }
    (citations, findings)
}

/// What stands behind `[RFC `, up to the bracket and the word after it.
fn read_one(text: &str) -> Option<Vec<Citation>> {
    let (inside, behind) = text.split_once(']')?;
    let is_test = behind.trim_start().starts_with("test");
    let (number, addresses) = inside.split_once(' ').unwrap_or((inside, ""));
    let number = number.parse().ok()?;
    let citation = |section: &str, suffix: Option<&str>| Citation {
        number,
        section: section.to_owned(),
        suffix: suffix.map(str::to_owned),
        is_test,
        path: String::new(),
        line: 0,
    };
    if addresses.is_empty() {
        return Some(vec![citation("", None)]);
    }
    addresses
        .split(", ")
        .map(|address| {
            let address = address.strip_prefix('\u{a7}')?;
            let (section, suffix) = match address.split_once('-') {
                Some((section, suffix)) => (section, Some(suffix)),
                None => (address, None),
            };
            let good = is_section(section) && suffix.is_none_or(is_suffix);
            good.then(|| citation(section, suffix))
        })
        .collect()
}

/// `4.5.3.2`, or `F.2` of an appendix.
pub(super) fn is_section(text: &str) -> bool {
    let (first, rest) = text.split_once('.').unwrap_or((text, "0"));
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let letter = first.len() == 1 && first.bytes().all(|b| b.is_ascii_uppercase());
    (letter || number(first)) && rest.split('.').all(number)
}

/// Letters that tell the requirements of a section apart.
pub(super) fn is_suffix(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase())
}
