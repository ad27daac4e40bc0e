//! What an idle client session costs. Alone in its binary, as the counter counts what the whole
//! process does.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that panics has failed")]

use std::alloc::System;
use std::time::Instant;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use transom_smtp::client::{ClientConfig, ClientEvent, ClientOutput, ClientSession, Transaction};
use transom_smtp::codec::HelloName;
use transom_types::{ForwardPath, MailParameters, Recipient, RemoteHost, ReversePath};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Most octets of an idle session, its own and those on the heap.
const OCTETS_MAX: usize = 1024;

/// What a large provider says, and more.
const EHLO: &str = "250-mx.example.com at your service, [192.0.2.1]\r\n250-SIZE 157286400\r\n\
    250-8BITMIME\r\n250-PIPELINING\r\n250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n\
    250-BINARYMIME\r\n250-REQUIRETLS\r\n250-SMTPUTF8\r\n250-AUTH PLAIN LOGIN XOAUTH2\r\n\
    250-MT-PRIORITY MIXER\r\n250 LIMITS RCPTMAX=100 MAILMAX=50\r\n";

fn config() -> ClientConfig {
    let remote = RemoteHost { name: "mx1.mail.example.com".into(), address: None };
    ClientConfig::new(HelloName::new("mail-out-17.example.net").unwrap().into_owned(), remote)
}

fn transaction() -> Transaction {
    let path: ForwardPath = "<bob@example.com>".parse().unwrap();
    Transaction {
        reverse_path: ReversePath::Null,
        parameters: MailParameters::default(),
        recipients: (0..50).map(|at| (at, Recipient::from(path.clone()))).collect(),
        size: 100,
        eight_bit: false,
        utf8: false,
    }
}

/// A session that has sent one message to fifty recipients and is ready for the next.
fn idle(now: Instant, out: &mut Vec<u8>) -> ClientSession {
    let mut session = ClientSession::new(config(), now);
    let rest = format!("{}354 go\r\n", "250 2.1.5 ok\r\n".repeat(51));
    let mut replies = ["220 mx ESMTP\r\n", EHLO, &rest, "250 2.6.0 taken\r\n"].into_iter();
    let (mut transaction, mut unread) = (Some(transaction()), Vec::new());
    loop {
        let step = session.poll(now, &unread, out);
        unread.drain(..step.consumed);
        match step.output {
            ClientOutput::Event(ClientEvent::Ready) => match transaction.take() {
                Some(transaction) => drop(session.begin_transaction(transaction).unwrap()),
                None => return session,
            },
            ClientOutput::Event(ClientEvent::SendContent) => {
                session.write_content(b"hi\r\n", out).unwrap();
                session.end_content(now, out).unwrap();
            }
            ClientOutput::Wait(_) => unread.extend_from_slice(replies.next().unwrap().as_bytes()),
            ClientOutput::Event(ClientEvent::Done(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn idle_session_takes_at_most_a_kibibyte() {
    #[expect(clippy::disallowed_methods, reason = "an origin for instants; no test waits")]
    let now = Instant::now();
    let mut out = Vec::with_capacity(16 * 1024);
    drop(idle(now, &mut out));
    out.clear();
    // The harness has a thread of its own that may allocate meanwhile: the least of some runs.
    let heap = |_| {
        let region = Region::new(ALLOCATOR);
        let session = idle(now, &mut out);
        let change = region.change();
        out.clear();
        assert!(session.is_ready());
        change.bytes_allocated.saturating_sub(change.bytes_deallocated)
    };
    let heap = (0..10).map(heap).min().unwrap();
    let own = size_of::<ClientSession>();
    assert!(heap > 0, "the counter counts nothing");
    println!("{own} octets and {heap} on the heap");
    assert!(own + heap <= OCTETS_MAX, "{own} octets and {heap} on the heap");
}
