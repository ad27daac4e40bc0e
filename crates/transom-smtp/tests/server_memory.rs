//! What an idle server session keeps. Alone in its binary, as the counter counts what the whole
//! process does.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that panics has failed")]

use std::alloc::System;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use transom_smtp::sasl::{AuthOffer, Channel, Question, Verdict};
use transom_smtp::server::{Event, Extensions, Output, ServerConfig, ServerSession};
use transom_types::Principal;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// So many sessions at once, so that what the harness allocates meanwhile does not count.
const SESSIONS: usize = 100;
const OCTETS_MAX: usize = 1024;

/// Octets of heap that one of what `make` makes keeps.
fn heap<T>(mut make: impl FnMut() -> T) -> usize {
    let mut all = Vec::with_capacity(SESSIONS);
    let region = Region::new(ALLOCATOR);
    all.extend((0..SESSIONS).map(|_| make()));
    let change = region.change();
    let kept = change.bytes_allocated.saturating_sub(change.bytes_deallocated);
    drop(all);
    kept / SESSIONS
}

/// Plays a server session up to where it waits for the peer, who says one line at a time.
fn serve(
    config: &Arc<ServerConfig>,
    mut now: Instant,
    lines: &[&str],
    out: &mut Vec<u8>,
) -> ServerSession {
    let mut session = ServerSession::new(Arc::clone(config), false, now);
    session.set_client_address(IpAddr::from([192, 0, 2, 7]));
    let mut lines = lines.iter();
    let mut unread: &[u8] = b"";
    out.clear();
    loop {
        let step = session.poll(now, unread, out);
        unread = unread.get(step.consumed..).unwrap();
        match step.output {
            Output::Event(Event::Authenticate(question)) => {
                assert!(matches!(question, Question::Password { .. }));
                let alice = Principal::new("alice@contoso.example").unwrap();
                session.authenticate(Verdict::Granted(alice)).unwrap();
            }
            Output::Event(_) => session.accept().unwrap(),
            Output::StartTls => {
                session.handle_tls_established(now);
                let channel = Channel::default().with_tls_exporter([7; 32]);
                session.set_channel(channel.with_tls_server_end_point([8; 32]));
            }
            Output::Wait(_) => match lines.next() {
                Some(line) => unread = line.as_bytes(),
                None => return session,
            },
            Output::Pause(until) => now = until,
            Output::Close(why) => panic!("{why:?}: {}", out.escape_ascii()),
            _ => {}
        }
    }
}

fn server_config() -> Arc<ServerConfig> {
    let config = ServerConfig::new("mx.example".parse().unwrap());
    let extensions = Extensions::default().with_starttls(true).with_xclient(true);
    Arc::new(config.with_extensions(extensions).with_auth(AuthOffer::default().with_passwords()))
}

const EHLO: &str = "EHLO mail-out-17.example.com\r\n";
const MAIL: &str = "MAIL FROM:<john.smith@contoso.example> SIZE=1000\r\n";
const RCPT: &str = "RCPT TO:<bob.jones@fabrikam.example>\r\n";
const CONTENT: &str = "Subject: x\r\n\r\nhello\r\n.\r\n";
const LOGON: &str = "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n";

/// How far a session may have come: a name, and what the peer has said.
const SERVER: [(&str, &[&str]); 12] = [
    ("greeted", &[]),
    ("half a line", &["EHLO mail-out"]),
    ("EHLO", &[EHLO]),
    ("XCLIENT", &[EHLO, "XCLIENT NAME=spike.example ADDR=2001:db8::1\r\n", EHLO]),
    ("TLS", &[EHLO, "STARTTLS\r\n", EHLO]),
    ("inside AUTH", &[EHLO, "STARTTLS\r\n", EHLO, "AUTH LOGIN\r\n", "YWxpY2U=\r\n"]),
    ("AUTH", &[EHLO, "STARTTLS\r\n", EHLO, LOGON]),
    ("MAIL and RCPT", &[EHLO, MAIL, RCPT, RCPT, RCPT]),
    ("inside content", &[EHLO, MAIL, RCPT, "DATA\r\n", "Subject: x\r\n\r\nhel"]),
    ("between chunks", &[EHLO, MAIL, RCPT, "BDAT 6\r\n", "hello\r", "\n"]),
    ("after a transaction", &[EHLO, MAIL, RCPT, "DATA\r\n", CONTENT]),
    (
        "after all of it",
        &[EHLO, "STARTTLS\r\n", EHLO, LOGON, MAIL, RCPT, "DATA\r\n", CONTENT, "RSET\r\n"],
    ),
];

#[test]
fn idle_session_keeps_a_kibibyte_at_most() {
    #[expect(clippy::disallowed_methods, reason = "an origin for instants; no test waits")]
    let now = Instant::now();
    assert_eq!(heap(|| Box::new([0u8; 64])), 64, "the counter counts nothing");
    let config = server_config();
    let mut out = Vec::with_capacity(1 << 16);
    for (state, lines) in SERVER {
        let heap = heap(|| serve(&config, now, lines, &mut out));
        let octets = size_of::<ServerSession>() + heap;
        assert!(octets <= OCTETS_MAX, "a session keeps {octets} octets, {state}");
    }
}
