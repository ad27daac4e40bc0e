//! What every message passes is parsed without allocation. Alone in its binary, as the counter
//! counts what the whole process does.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that panics has failed")]

use std::alloc::System;
use std::hint::black_box;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use transom_smtp::codec::data::{BareNewline, ContentDecoder, ContentPiece};
use transom_smtp::codec::{CommandRef, ExtensionRegistry};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const LINES: [&str; 22] = [
    "EHLO mail-out-17.example.com",
    "HELO [192.0.2.1]",
    "LHLO localhost",
    "MAIL FROM:<>",
    "MAIL FROM:<john.smith@contoso.example>",
    "MAIL FROM:<john.smith@contoso.example> SIZE=123456 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=Q1",
    "MAIL FROM:<a@b.example> AUTH=a@b.example REQUIRETLS BY=120;R MT-PRIORITY=3",
    "MAIL FROM:<a@b.example> HOLDUNTIL=2026-01-01T00:00:00Z AUTH=<>",
    "RCPT TO:<bob.jones@fabrikam.example>",
    "RCPT TO:<\"bob jones\"@[IPv6:2001:db8::1]>",
    "RCPT TO:<b\u{fc}cher@b\u{fc}cher.example>",
    "RCPT TO:<a@b.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bob.jones@fabrikam.example",
    "RCPT TO:<a@b.example> RRVS=2014-04-03T23:01:00Z",
    "DATA",
    "BDAT 65536",
    "BDAT 12 LAST",
    "RSET",
    "NOOP",
    "QUIT",
    "STARTTLS",
    "AUTH PLAIN AGFsaWNlAHNlY3JldA==",
    "VRFY bob",
];

/// How often `run` allocates. The harness has a thread of its own that may allocate meanwhile, so
/// the least of some runs counts.
fn allocations(mut run: impl FnMut()) -> usize {
    let count = |_| {
        let region = Region::new(ALLOCATOR);
        run();
        let change = region.change();
        change.allocations + change.reallocations
    };
    (0..10).map(count).min().unwrap()
}

#[test]
fn no_allocation_on_the_common_path() {
    let registry = ExtensionRegistry::new();
    assert_eq!(allocations(|| drop(black_box(Box::new(1)))), 1, "the counter counts nothing");
    for line in LINES {
        let parse = || black_box(CommandRef::parse(line.as_bytes(), &registry)).is_ok();
        assert!(parse(), "{line}");
        assert_eq!(allocations(|| assert!(parse())), 0, "{line}");
    }
    let mut content = b"Subject: x\r\n\r\n..stuffed\r\nplain\r\n".repeat(1000);
    content.extend_from_slice(b".\r\n");
    let decoded = content.len() - 1000 - 3;
    assert_eq!(allocations(|| assert_eq!(decode(&content), decoded)), 0);
}

/// Octets of the content.
fn decode(mut rest: &[u8]) -> usize {
    let mut decoder = ContentDecoder::for_data(BareNewline::Reject);
    let mut octets = 0;
    loop {
        let step = decoder.decode(rest);
        rest = rest.get(step.consumed..).unwrap();
        match step.piece {
            ContentPiece::Content(piece) => octets += piece.len(),
            ContentPiece::End => return octets,
            other => panic!("{other:?}"),
        }
    }
}
