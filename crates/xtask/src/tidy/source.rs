//! Rules for Rust sources.

use crate::finding::Finding;

/// Longest line, in characters.
const COLUMNS_MAX: usize = 100;
/// Longest file, in lines.
const LINES_MAX: usize = 500;
/// Written in two halves, so that this file does not find itself.
const MARKER: &str = concat!("FIX", "ME");

/// What library code below the I/O level must not name: the rule, the words, and what to do.
const FORBIDDEN: [(&str, &[&str], &str); 3] = [
    (
        "std-fs",
        &["std::fs", "rustix::fs", "File::open", "File::create", "OpenOptions"],
        "files are the runtime's: take the octets as an argument",
    ),
    (
        "sockets",
        &["TcpStream", "TcpListener", "UdpSocket", "UnixStream", "UnixListener", "ToSocketAddrs"],
        "sockets are the runtime's: take the octets as an argument",
    ),
    (
        "clock",
        &["Instant::now", "SystemTime::now", "thread::sleep"],
        "time comes in as an argument: take `now`",
    ),
];

/// Width, length, and what must not stand in a source.
pub(super) fn check_form(path: &str, content: &str) -> Vec<Finding> {
    let finding = |line, rule, message| Finding { path: path.to_owned(), line, rule, message };
    let mut findings = Vec::new();
    for (line, number) in content.lines().zip(1..) {
        let columns = line.chars().count();
        if columns > COLUMNS_MAX {
            let message = format!("{columns} columns, more than {COLUMNS_MAX}: break the line");
            findings.push(finding(number, "columns", message));
        }
        if line.contains('\t') {
            findings.push(finding(number, "tab", "a tab: indent with spaces".to_owned()));
        }
        if line.contains(MARKER) {
            let message = format!("{MARKER}: do it, or file an issue and name it");
            findings.push(finding(number, "marker", message));
        }
        // The section sign stands in citations of RFCs.
        if let Some(c) = line.chars().find(|&c| !c.is_ascii() && c != '\u{a7}') {
            let message = format!("{:?} is not ASCII: write {}", c, c.escape_unicode());
            findings.push(finding(number, "ascii", message));
        }
    }
    let lines = content.lines().count();
    if lines > LINES_MAX {
        let message = format!("{lines} lines, more than {LINES_MAX}: make it a folder of parts");
        findings.push(finding(lines, "file-lines", message));
    }
    findings
}

/// No files, sockets and clocks outside of tests.
pub(super) fn check_sans_io(path: &str, content: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, code) in library_lines(content) {
        for (rule, words, advice) in FORBIDDEN {
            let Some(word) = words.iter().find(|word| names(code, word)) else { continue };
            let message = format!("{word} below level 4; {advice}");
            findings.push(Finding { path: path.to_owned(), line: number, rule, message });
        }
    }
    findings
}

/// The lines outside of comments and of the test module, which stands last in a file.
fn library_lines(content: &str) -> impl Iterator<Item = (usize, &str)> {
    content
        .lines()
        .zip(1..)
        .take_while(|(line, _)| *line != "mod tests {")
        .map(|(line, number)| (number, line.split_once("//").map_or(line, |(code, _)| code)))
}

/// Whether `code` has `word` as a whole: `MyTcpStream` is another thing than `TcpStream`.
fn names(code: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code.get(..at).and_then(|head| head.chars().next_back());
        let after = code.get(at.saturating_add(word.len())..).and_then(|tail| tail.chars().next());
        !before.is_some_and(part_of_name) && !after.is_some_and(part_of_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(findings: &[Finding]) -> Vec<(&str, usize)> {
        findings.iter().map(|finding| (finding.rule, finding.line)).collect()
    }

    #[test]
    fn long_line_is_found() {
        let content = format!("{}\n{}\n", "x".repeat(100), "x".repeat(101));
        assert_eq!(rules(&check_form("a.rs", &content)), [("columns", 2)]);
    }

    #[test]
    fn tab_is_found() {
        assert_eq!(rules(&check_form("a.rs", "\n\tlet x;\n")), [("tab", 2)]);
    }

    #[test]
    fn marker_is_found() {
        assert_eq!(rules(&check_form("a.rs", &format!("// {MARKER} later\n"))), [("marker", 1)]);
    }

    #[test]
    fn character_outside_ascii_is_found_but_the_section_sign() {
        assert_eq!(rules(&check_form("a.rs", "// \u{a7}4.2 \u{2026}\n")), [("ascii", 1)]);
        assert!(check_form("a.rs", "// [RFC 5321 \u{a7}4.2]\n").is_empty());
    }

    #[test]
    fn long_file_is_found() {
        assert_eq!(rules(&check_form("a.rs", &"x\n".repeat(501))), [("file-lines", 501)]);
        assert!(check_form("a.rs", &"x\n".repeat(500)).is_empty());
    }

    #[test]
    fn files_sockets_and_clocks_are_found() {
        let table = [
            ("use std::fs;", "std-fs"),
            ("    std::fs::read(path)", "std-fs"),
            ("use std::net::{IpAddr, TcpStream};", "sockets"),
            ("let l = TcpListener::bind(a);", "sockets"),
            ("let u = std::net::UdpSocket::bind(a);", "sockets"),
            ("let now = Instant::now();", "clock"),
            ("let now = std::time::SystemTime::now();", "clock"),
        ];
        for (code, rule) in table {
            assert_eq!(rules(&check_sans_io("a.rs", code)), [(rule, 1)], "{code}");
        }
    }

    #[test]
    fn names_that_only_contain_a_forbidden_one_are_fine() {
        for code in ["struct SimTcpStream;", "use std::net::IpAddr;", "fn std::fsx()"] {
            assert!(check_sans_io("a.rs", code).is_empty(), "{code}");
        }
    }

    #[test]
    fn comments_and_tests_may_name_anything() {
        let content = "// Instant::now\nfn f() {} // std::fs\n#[cfg(test)]\nmod tests {\n\
                       use std::fs;\n}\n";
        assert!(check_sans_io("a.rs", content).is_empty());
    }
}
