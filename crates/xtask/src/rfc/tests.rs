use super::*;

const REGISTRY: &str = r#"
title = "An example"
cited = ["1.1"]

[[requirement]]
id = "9999-2-a"
section = "2"
level = "MUST"
party = "server"
summary = "answers"

[[requirement]]
id = "9999-3-a"
section = "3"
level = "MUST"
party = "client"
summary = "asks"

[[requirement]]
id = "9999-3-b"
section = "3"
level = "SHOULD"
party = "client"
summary = "asks kindly"
"#;

/// All that the sources of a project cite when nothing is wrong.
const SOURCE: &str = "// [RFC 9999 \u{a7}2] it answers\n\
                      // [RFC 9999 \u{a7}2] test\n\
                      // [RFC 9999 \u{a7}3-a] it asks\n\
                      // [RFC 9999 \u{a7}3-a] test: of asking\n";

fn map(registry: &str, source: &str) -> Map {
    let mut map = Map::default();
    map.add_registry("tests/rfc/9999.toml", registry);
    map.add_registry(OTHERS, "# others\n1034 = [\"3.6.2\"]\n7435 = []\n");
    map.add_source("crates/a/src/lib.rs", source);
    map
}

/// The findings, but that about the printed table.
fn found(registry: &str, source: &str) -> Vec<String> {
    let map = map(registry, source);
    map.check(&map.document()).iter().map(ToString::to_string).collect()
}

#[track_caller]
fn assert_found(registry: &str, source: &str, wanted: &str) {
    let found = found(registry, source);
    let [one] = found.as_slice() else { panic!("{wanted}: {found:#?}") };
    assert!(one.contains(wanted), "{wanted}: {one}");
}

#[test]
fn complete_map_has_no_findings() {
    assert_eq!(found(REGISTRY, SOURCE), [""; 0]);
}

#[test]
fn must_without_code_or_test_is_found() {
    let without = |gone: &str| SOURCE.replace(gone, "// ");
    let table = [
        (without("// [RFC 9999 \u{a7}2] test"), "9999-2-a is a MUST and lacks a test"),
        (without("// [RFC 9999 \u{a7}2] it"), "9999-2-a is a MUST and lacks code,"),
        (without("[RFC 9999 \u{a7}2]"), "9999-2-a is a MUST and lacks code and test"),
        (without("// [RFC 9999 \u{a7}3-a] test"), "9999-3-a is a MUST and lacks a test"),
    ];
    for (source, wanted) in table {
        assert_found(REGISTRY, &source, wanted);
    }
}

#[test]
fn section_with_several_requirements_is_bound_by_letter_alone() {
    let source = SOURCE.replace("\u{a7}3-a", "\u{a7}3");
    assert_found(REGISTRY, &source, "9999-3-a is a MUST and lacks code and test");
    let source = SOURCE.replace("\u{a7}3-a", "\u{a7}3-b, \u{a7}3-a");
    assert_eq!(found(REGISTRY, &source), [""; 0]);
}

#[test]
fn citation_that_the_registry_lacks_is_found() {
    let table = [
        ("[RFC 9999 \u{a7}4] no such section", "9999.toml has no section 4"),
        ("[RFC 9999 \u{a7}2-x] no such letter", "9999.toml has no 9999-2-x"),
        ("[RFC 9999 \u{a7}1.1-a] a section that is only cited", "9999.toml has no 9999-1.1-a"),
        ("[RFC 1034 \u{a7}9] no such section", "add RFC 1034 \u{a7}9"),
        ("[RFC 8888 \u{a7}1] no such RFC", "add RFC 8888 \u{a7}1"),
        ("[RFC 8888] no such RFC", "add RFC 8888"),
    ];
    for (citation, wanted) in table {
        assert_found(REGISTRY, &format!("{SOURCE}/// x {citation}"), wanted);
    }
    let good = "[RFC 9999 \u{a7}1.1] [RFC 9999] [RFC 1034 \u{a7}3.6.2] [RFC 7435]";
    assert_eq!(found(REGISTRY, &format!("{SOURCE}# {good}")), [""; 0]);
}

#[test]
fn citation_that_cannot_be_read_is_found() {
    for citation in [
        "[RFC 9999",
        "[RFC 9999 2]",
        "[RFC 9999 \u{a7}]",
        "[RFC 9999 \u{a7}2-]",
        "[RFC 9999 \u{a7}2-A]",
        "[RFC 9999 \u{a7}2,\u{a7}3-a]",
        "[RFC x \u{a7}2]",
        "[RFC 9999 \u{a7}2.]",
    ] {
        assert_found(REGISTRY, &format!("{SOURCE}// {citation}"), "on one line");
    }
}

#[test]
fn exception_needs_a_reason_and_a_need() {
    let excepted = REGISTRY.replace(
        "summary = \"answers\"",
        "summary = \"answers\"\nexception = \"not offered: nobody asks\"",
    );
    let silent = SOURCE.replace("[RFC 9999 \u{a7}2]", "");
    assert_eq!(found(&excepted, &silent), [""; 0]);
    assert_found(&excepted, SOURCE, "9999-2-a has code and test: no exception");
    let empty = excepted.replace("not offered: nobody asks", " ");
    assert_found(&empty, &silent, "an exception needs its reason");
}

#[test]
fn what_cannot_be_tested_needs_its_code() {
    let untestable = REGISTRY.replace(
        "summary = \"answers\"",
        "summary = \"answers\"\nnot_testable = \"is about what is never done\"",
    );
    let no_test = SOURCE.replace("// [RFC 9999 \u{a7}2] test", "");
    assert_eq!(found(&untestable, &no_test), [""; 0]);
    assert_found(&untestable, SOURCE, "9999-2-a has a test: it is testable");
    let nothing = SOURCE.replace("[RFC 9999 \u{a7}2]", "");
    assert_found(&untestable, &nothing, "9999-2-a is a MUST and lacks code and test");
}

#[test]
fn bad_registry_is_found_with_its_line() {
    let table = [
        ("id = \"9999-2-a\"", "id = \"9999-3-c\"", "`id` is the RFC"),
        ("id = \"9999-3-b\"", "id = \"9999-3-a\"", "stands above"),
        ("level = \"SHOULD\"", "level = \"should\"", "`level` is"),
        ("party = \"server\"", "party = \"relay\"", "`party` is"),
        ("summary = \"asks kindly\"", "", "`summary` is missing"),
        ("title = \"An example\"", "", "`title` is missing"),
        ("title = \"An example\"", "title = \"a\"\nwhat = \"b\"", "known key"),
        ("summary = \"asks\"", "summary = \"asks\"\ndone = true", "known key"),
    ];
    for (from, to, wanted) in table {
        let registry = REGISTRY.replace(from, to);
        let found = map(&registry, SOURCE).check("").iter().map(ToString::to_string).collect();
        let found: Vec<String> = found;
        assert!(
            found.iter().any(|one| one.starts_with("tests/rfc/9999.toml:") && one.contains(wanted)),
            "{wanted}: {found:#?}"
        );
    }
}

#[test]
fn table_counts_what_is_done() {
    let table = map(REGISTRY, SOURCE).table();
    assert_eq!(
        table,
        "| RFC  | title      | requirements | implemented | tested | exceptions | todo |\n\
         |------|------------|-------------:|------------:|-------:|-----------:|-----:|\n\
         | 9999 | An example |            3 |           2 |      2 |          0 |    1 |\n\
         | all  |            |            3 |           2 |      2 |          0 |    1 |\n"
    );
}

#[test]
fn open_requirements_come_first_and_the_others_with_their_places() {
    let map = map(REGISTRY, SOURCE);
    let text = map.open("9999").unwrap();
    let at = |wanted: &str| text.find(wanted).unwrap_or_else(|| panic!("{wanted}: {text}"));
    assert!(text.starts_with("RFC 9999 An example: 1 of 3 open\n"), "{text}");
    assert!(at("9999-3-b SHOULD client: asks kindly") < at("9999-2-a MUST server: answers"));
    assert!(at("code crates/a/src/lib.rs:1") < at("test crates/a/src/lib.rs:2"));
    assert!(map.open("1").is_err() && map.open("x").is_err());
}

#[test]
fn stale_page_is_found() {
    let map = map(REGISTRY, SOURCE);
    let [one] = map.check("# RFC map\n").try_into().unwrap();
    assert!(one.to_string().contains("cargo xtask rfc --write"), "{one}");
}

#[test]
fn our_own_examples_are_not_read() {
    assert!(!has_citations("crates/xtask/src/rfc/tests.rs"));
    assert!(!has_citations("docs/rfc.md"));
    for path in ["crates/a/src/b.rs", "tests/x.sh", "tests/y.py", "crates/a/tests/z.smtp"] {
        assert!(has_citations(path), "{path}");
    }
}
