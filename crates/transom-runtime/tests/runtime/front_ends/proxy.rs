//! The PROXY header: who is believed, and what is done about everybody else.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use transom_connector::{ReceiveConnector, ReceiveTls};
use transom_runtime::Certificate;
use transom_smtp::codec::proxy::{ProxyHeader, ProxyOrigin};
use transom_tracking::EventId;

use super::{
    BALANCER, INSIDE, OUTSIDE, STRANGER, from, internet, ranges, relays, saying, started,
    transport, v1, v2,
};
use crate::support::{Client, Events, Mailbox, QUIET, address, anywhere, message, stop};
use crate::tls::{secured, write_certificate};

fn v2_local() -> Vec<u8> {
    let mut out = Vec::new();
    ProxyHeader::from(ProxyOrigin::Local).write_v2(false, &mut out).unwrap();
    out
}

#[tokio::test]
async fn front_end_that_speaks_for_itself_has_its_own_address() {
    let own = ReceiveConnector::relay(anywhere(), ranges(&[BALANCER])).with_name("own");
    let connector = internet();
    let transport = transport(&Events::default(), &Mailbox::default(), connector)
        .receive_connector(own)
        .start()
        .await
        .unwrap();
    for header in [b"PROXY UNKNOWN\r\n".to_vec(), v2_local()] {
        let (mut session, greeting) = saying(BALANCER, address(&transport), &header).await;
        assert!(greeting.starts_with("220 "), "{greeting}");
        assert!(relays(&mut session).await);
    }
    stop(transport).await;
}

#[tokio::test]
async fn header_stands_before_implicit_tls() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = write_certificate(folder.path());
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = transport(&events, &mailbox, internet().with_tls(ReceiveTls::Implicit))
        .certificate(Certificate::from_pem_files(&chain, &key).unwrap())
        .start()
        .await
        .unwrap();
    for together in [false, true] {
        let stream = from(BALANCER, address(&transport)).await;
        // What TLS says first comes in one piece with the header, or behind it.
        let mut stream = tokio::io::BufWriter::new(stream);
        stream.write_all(&v2(OUTSIDE)).await.unwrap();
        if !together {
            stream.flush().await.unwrap();
            tokio::time::sleep(QUIET).await;
        }
        let stream = secured(Box::new(stream), &chain).await;
        let mut client = Client::over(stream);
        assert!(client.reply().await.starts_with("220 "));
        client.expect("EHLO client.example", "250").await;
        let reply = client.submit("a@c.example", &["b@contoso.example"], &message("in TLS")).await;
        assert!(reply.starts_with("250 2.6.0"), "{reply}");
    }
    events.wait(EventId::Receive, 2).await;
    for received in events.of(EventId::Receive) {
        assert_eq!(received.client.ip, Some(OUTSIDE.parse().unwrap()));
    }
    stop(transport).await;
}

#[tokio::test(start_paused = true)]
async fn header_that_does_not_come_is_not_waited_for_long() {
    let transport = started().await;
    for part in [&b""[..], b"PROXY TCP4 203.0", &v2(OUTSIDE)[..20]] {
        let mut silent = from(BALANCER, address(&transport)).await;
        silent.write_all(part).await.unwrap();
        let began = tokio::time::Instant::now();
        let read = silent.read(&mut [0; 16]).await;
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
        let took = began.elapsed();
        assert!(took >= Duration::from_secs(4) && took < Duration::from_secs(8), "{took:?}");
    }
    stop(transport).await;
}

#[tokio::test]
async fn header_that_does_not_come_does_not_hold_up_the_stop() {
    let transport = started().await;
    let _silent = from(BALANCER, address(&transport)).await;
    tokio::time::sleep(QUIET).await;
    let began = tokio::time::Instant::now();
    stop(transport).await;
    assert!(began.elapsed() < Duration::from_secs(3));
}

// attacks.md 23
#[tokio::test]
async fn what_cannot_be_a_header_closes_the_connection_and_is_named() {
    let log = Log::default();
    let _logging = tracing::subscriber::set_default(log.clone());
    let transport = started().await;
    let many = [&b"PROXY TCP4 "[..], &[b'1'; 200]].concat();
    // A length that no balancer needs.
    let mut huge = v2(OUTSIDE);
    huge[14..16].copy_from_slice(&u16::MAX.to_be_bytes());
    for (octets, named) in [
        (&b"EHLO front.example\r\n"[..], "no PROXY header"),
        (b"PROXY TCP4 203.0.113.9 192.0.2.25 nonsense 25\r\n", "malformed"),
        (b"PROXY TCP9 203.0.113.9 192.0.2.25 1 25\r\n", "malformed"),
        (&many, "too long"),
        (&huge, "too long"),
    ] {
        let (_client, reply) = saying(BALANCER, address(&transport), octets).await;
        assert_eq!(reply, "", "nothing is said to what is no header");
        let line = log.0.lock().unwrap().pop().unwrap();
        assert!(line.contains(named), "{line}");
        assert!(line.contains("front_end=127.0.0.2:"), "{line}");
        log.0.lock().unwrap().clear();
    }
    stop(transport).await;
}

/// Keeps what is warned of, one line each.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = String::new();
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            let _ = write!(line, "{field}={value:?} ");
        });
        self.0.lock().unwrap().push(line);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

// attacks.md 23
#[tokio::test]
async fn header_is_read_octet_by_octet() {
    let transport = started().await;
    for header in [v1(INSIDE), v2(INSIDE)] {
        let mut stream = from(BALANCER, address(&transport)).await;
        for octet in header {
            stream.write_all(&[octet]).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut client = Client::over(Box::new(stream));
        assert!(client.reply().await.starts_with("220 "));
        assert!(relays(&mut client).await);
    }
    stop(transport).await;
}

// attacks.md 23
#[tokio::test]
async fn header_from_an_untrusted_peer_is_an_early_talker() {
    let transport = started().await;
    let to = address(&transport);
    for header in [v1(INSIDE), v2(INSIDE), b"PROXY UNKNOWN\r\n".to_vec()] {
        for behind in [&b""[..], b"EHLO a\r\nMAIL FROM:<a@a.example>\r\n"] {
            // Said before the transport has a chance to accept.
            let mut stream = std::net::TcpStream::connect(to).unwrap();
            stream.write_all(&[&header[..], behind].concat()).unwrap();
            stream.set_nonblocking(true).unwrap();
            let mut client = Client::over(Box::new(TcpStream::from_std(stream).unwrap()));
            let reply = client.reply().await;
            assert!(reply.starts_with("554 5.5.0"), "{reply}");
            client.closed().await;
        }
    }
    stop(transport).await;
}

// attacks.md 23
#[tokio::test]
async fn header_from_an_untrusted_peer_behind_the_greeting_ends_the_session() {
    let transport = started().await;
    for header in [v1(INSIDE), b"PROXY UNKNOWN\r\n".to_vec()] {
        let (mut client, greeting) = saying(STRANGER, address(&transport), b"").await;
        assert!(greeting.starts_with("220 "), "{greeting}");
        client.write(&[&header[..], b"EHLO a\r\n"].concat()).await;
        let reply = client.reply().await;
        assert!(reply.starts_with("500 "), "{reply}");
        assert_eq!(client.reply().await, "", "it is no client");
    }
    // What looks like lines in version 2 is so many errors.
    let (mut client, _) = saying(STRANGER, address(&transport), b"").await;
    client.write(&[&v2(INSIDE)[..], b"\r\n"].concat()).await;
    let mut reply = client.reply().await;
    while reply.starts_with("500 ") {
        reply = client.reply().await;
    }
    assert!(reply.starts_with("421 4.7.0"), "{reply}");
    stop(transport).await;
}

// attacks.md 23
#[tokio::test]
async fn header_counts_once() {
    let transport = started().await;
    let to = address(&transport);
    let headers = [v1(OUTSIDE), v2(OUTSIDE)];
    for (first, second) in headers.iter().flat_map(|one| headers.iter().map(move |two| (one, two)))
    {
        let (mut client, reply) = saying(BALANCER, to, &[&first[..], second].concat()).await;
        assert!(reply.starts_with("554 5.5.0"), "{reply}");
        client.closed().await;
    }
    for second in [&b"EHLO a\r\n"[..], b"\r\n", b"x"] {
        let (mut client, reply) = saying(BALANCER, to, &[&v1(OUTSIDE)[..], second].concat()).await;
        assert!(reply.starts_with("554 5.5.0"), "{reply}");
        client.closed().await;
    }
    stop(transport).await;
}
