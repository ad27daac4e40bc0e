use proptest::prelude::*;

use super::*;

/// The facts, and whether the header section was too large.
fn scan(limits: ScanLimits, pieces: &[&[u8]]) -> (ContentFacts, bool) {
    let mut scan = ContentScan::new(limits).with_own_host("mx1.contoso.com".parse().unwrap());
    for piece in pieces {
        scan.push(piece);
    }
    let header_too_large = scan.header_too_large();
    (scan.finish(), header_too_large)
}

fn facts(content: &[u8]) -> ContentFacts {
    scan(ScanLimits::default(), &[content]).0
}

#[test]
fn ordinary_message_gives_all_facts() {
    let content = b"Received: from a (b) by mx1.contoso.com with ESMTP; date\r\n\
        Received: from c\r\n by other.example; date\r\n\
        From: a@contoso.com\r\nDate: x\r\nSubject: Two\r\n words\r\n\
        message-id: <1@contoso.com> (comment)\r\n\r\nbody\r\nReceived: not one\r\n";
    let facts = facts(content);
    let body = b"\r\nbody\r\nReceived: not one\r\n";
    assert_eq!(facts.octets, content.len() as u64);
    assert_eq!(facts.header_octets, (content.len() - body.len()) as u64);
    assert_eq!((facts.received_count, facts.own_received_count), (2, 1));
    assert_eq!(facts.subject.as_deref(), Some("Two words"));
    assert_eq!(facts.message_id.map(|id| id.to_string()).as_deref(), Some("<1@contoso.com>"));
    assert!(!facts.eight_bit);
    assert_eq!(facts.line_octets_max, 56);
}

#[test]
fn content_without_header_or_body_is_taken() {
    assert_eq!(facts(b""), ContentFacts::default());
    assert_eq!(scan(ScanLimits::default(), &[]), (ContentFacts::default(), false));
    let header_only = facts(b"Subject: x");
    assert_eq!((header_only.header_octets, header_only.line_octets_max), (10, 10));
    assert_eq!(header_only.subject.as_deref(), Some("x"));
    let body_only = facts(b"\r\nSubject: x\r\n");
    assert_eq!((body_only.header_octets, body_only.subject), (0, None));
}

#[test]
fn first_of_several_fields_counts() {
    let facts = facts(b"Subject: a\r\nSubject: b\r\nMessage-ID: none\r\nMessage-ID: <b>\r\n");
    assert_eq!(facts.subject.as_deref(), Some("a"));
    assert_eq!(facts.message_id.unwrap().as_str(), "<b>");
}

#[test]
fn eight_bit_is_seen_in_header_and_body() {
    assert!(facts(b"Subject: \xfc\r\n\r\n").eight_bit);
    assert!(facts(b"A: b\r\n\r\n\xfc").eight_bit);
    assert!(!facts(b"A: b\r\n\r\n\x7f").eight_bit);
}

// attacks.md 8: a subject goes into logs.
#[test]
fn subject_is_cleaned_and_cut() {
    let facts = facts(format!("Subject: a\0\u{1b}[2J{}\r\n", "\u{fc}".repeat(300)).as_bytes());
    let subject = facts.subject.unwrap();
    assert!(subject.starts_with("a??[2J\u{fc}"), "{subject}");
    assert_eq!(subject.chars().count(), ContentScan::SUBJECT_CHARACTERS_MAX);
}

#[test]
fn header_section_at_its_limit_is_read_and_beyond_it_is_cut() {
    let limits = ScanLimits::default().with_header_octets_max(25);
    let (whole, header_too_large) = scan(limits, &[b"Subject: x\r\nReceived: a\r\n"]);
    assert_eq!(whole.header_octets, 25);
    assert!(!header_too_large);
    assert_eq!(whole.received_count, 1);
    let (larger, header_too_large) = scan(limits, &[b"Subject: x\r\nReceived: abcd\r\n\r\nbody"]);
    assert_eq!(larger.header_octets, 25);
    assert!(header_too_large);
    assert_eq!(larger.received_count, 0, "a field that is cut gives no fact");
    assert_eq!(larger.subject.as_deref(), Some("x"));
}

#[test]
fn received_is_ours_by_its_by_clause_alone() {
    let table: [(&str, bool); 9] = [
        (" from a by mx1.contoso.com with ESMTP", true),
        (" from a by MX1.Contoso.com; date", true),
        ("\r\n\tby\r\n\tmx1.contoso.com\r\n", true),
        (" by mx1.contoso.com", true),
        (" from by by mx1.contoso.com", true),
        (" from mx1.contoso.com by other", false),
        (" from a (x by mx1.contoso.com) by other", false),
        (" from a by other; by mx1.contoso.com", false),
        (" from a by xmx1.contoso.com", false),
    ];
    let host = "mx1.contoso.com".parse().unwrap();
    for (value, expected) in table {
        assert_eq!(is_by(value.as_bytes(), &host), expected, "{value:?}");
    }
}

// attacks.md 13: no recursion.
#[test]
fn deep_comments_cost_no_stack() {
    let value = [b"(".repeat(100_000), b" by mx1.contoso.com".to_vec()].concat();
    assert!(!is_by(&value, &"mx1.contoso.com".parse().unwrap()));
}

/// The facts of lines, the simple way.
fn longest_line(content: &[u8]) -> u64 {
    let mut lines = content.split(|octet| *octet == b'\n').collect::<Vec<_>>();
    let last = lines.pop().unwrap_or_default().len();
    let ended = lines.iter().map(|line| line.strip_suffix(b"\r").unwrap_or(line).len());
    ended.chain([last]).max().unwrap_or(0) as u64
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "\r\n", "\n", "\r", "Subject: x", "Received: by mx1.contoso.com", "From: y", "Date:",
            "Message-ID: <a@b>", " ", ":", "\r\n\r\n", "\u{fc}",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..5),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn cuts_between_pieces_change_nothing(
        content in content(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        limit in prop_oneof![Just(256 * 1024usize), 0..80usize],
    ) {
        let limits = ScanLimits::default().with_header_octets_max(limit);
        let whole = scan(limits, &[&content]);
        let octets: Vec<&[u8]> = content.chunks(1).collect();
        prop_assert_eq!(&scan(limits, &octets), &whole);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(content.len() + 1)).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut start = 0;
        for cut in cuts.into_iter().chain([content.len()]) {
            pieces.push(&content[start..cut]);
            start = cut;
        }
        prop_assert_eq!(&scan(limits, &pieces), &whole);
        let (whole, _) = whole;
        prop_assert_eq!(whole.line_octets_max, longest_line(&content));
        prop_assert_eq!(whole.octets, content.len() as u64);
    }

    #[test]
    fn header_section_agrees_with_the_parser_of_whole_content(content in content()) {
        let facts = facts(&content);
        let section = crate::HeaderSection::parse(&content);
        prop_assert_eq!(facts.header_octets, section.octets().len() as u64);
        let received = section.fields().filter(|field| field.is("received")).count();
        prop_assert_eq!(facts.received_count as usize, received);
        prop_assert_eq!(facts.subject.is_some(), section.first("Subject").is_some());
        prop_assert_eq!(facts.eight_bit, !content.is_ascii());
    }
}
