//! Front ends that say for whom they speak, by the PROXY protocol and by XCLIENT, and those who
//! only claim to. Peers at 127.0.0.2 are trusted with PROXY, peers at 127.0.0.3 with XCLIENT,
//! 127.0.0.1 with nothing. Clients in 10.0.0.0/8 may relay, others may not.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use transom_agent::{AuthenticationAnswer, Authenticator, PasswordQuestion, async_trait};
use transom_connector::{
    Permissions, ReceiveConnector, ReceiveLimits, ReceiveTls, RemoteRange, Rights,
};
use transom_runtime::{Certificate, Transport, TransportBuilder};
use transom_smtp::codec::proxy::{ProxyEnds, ProxyHeader, ProxyOrigin, ProxyTransport};
use transom_tracking::EventId;
use transom_types::Principal;

use crate::support::{
    Client, Events, Mailbox, QUIET, address, anywhere, bare, eventually, message, stop,
};
use crate::tls::{secured, write_certificate};

const BALANCER: &str = "127.0.0.2";
const PROXY: &str = "127.0.0.3";
const STRANGER: &str = "127.0.0.1";
/// May relay.
const INSIDE: &str = "10.0.0.7";
const OUTSIDE: &str = "203.0.113.9";
const ELSEWHERE: &str = "RCPT TO:<x@elsewhere.example>";

fn ranges(ranges: &[&str]) -> Vec<RemoteRange> {
    ranges.iter().map(|range| range.parse().unwrap()).collect()
}

fn internet() -> ReceiveConnector {
    ReceiveConnector::internet(anywhere())
        .with_proxy_networks(ranges(&[BALANCER]))
        .with_xclient_networks(ranges(&[PROXY]))
}

fn transport(events: &Events, mailbox: &Mailbox, connector: ReceiveConnector) -> TransportBuilder {
    bare(events)
        .receive_connector(connector)
        .receive_connector(ReceiveConnector::relay(anywhere(), ranges(&["10.0.0.0/8"])))
        .delivery_agent("mailbox", ["contoso.example"], mailbox.clone())
}

async fn started() -> Transport {
    transport(&Events::default(), &Mailbox::default(), internet()).start().await.unwrap()
}

async fn from(source: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(source.parse().unwrap(), 0)).unwrap();
    let stream = socket.connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Connects, says `first`, and reads a reply; empty where there is none.
async fn saying(source: &str, to: SocketAddr, first: &[u8]) -> (Client, String) {
    let mut client = Client::over(Box::new(from(source, to).await));
    client.write(first).await;
    let reply = client.reply().await;
    (client, reply)
}

fn v1(client: &str) -> Vec<u8> {
    format!("PROXY TCP4 {client} 192.0.2.25 50000 25\r\n").into_bytes()
}

fn v2(client: &str) -> Vec<u8> {
    let source = (client.parse().unwrap(), 50_000);
    let ends = ProxyEnds { source, destination: ("192.0.2.25".parse().unwrap(), 25) };
    let header = ProxyHeader::from(ProxyOrigin::V4(ProxyTransport::Stream, ends));
    let mut out = Vec::new();
    header.write_v2(true, &mut out).unwrap();
    out
}

fn v2_local() -> Vec<u8> {
    let mut out = Vec::new();
    ProxyHeader::from(ProxyOrigin::Local).write_v2(false, &mut out).unwrap();
    out
}

/// A session by XCLIENT, as `client`, behind the greeting.
async fn xclient(to: SocketAddr, client: &str) -> (Client, String) {
    let (mut proxy, greeting) = saying(PROXY, to, b"").await;
    assert!(greeting.starts_with("220 "), "{greeting}");
    let offers = proxy.expect("EHLO proxy.example", "250").await;
    assert!(offers.contains("XCLIENT"), "{offers}");
    let reply = proxy.say(&format!("XCLIENT ADDR={client}")).await;
    (proxy, reply)
}

/// Whether the session may relay.
async fn relays(client: &mut Client) -> bool {
    client.expect("EHLO client.example", "250").await;
    client.expect("MAIL FROM:<a@client.example>", "250").await;
    let reply = client.say(ELSEWHERE).await;
    assert!(reply.starts_with("250") || reply.starts_with("550 5.7.1 "), "{reply}");
    client.expect("RSET", "250").await;
    reply.starts_with("250")
}

#[tokio::test]
async fn client_behind_a_front_end_has_its_own_rights() {
    let transport = started().await;
    let to = address(&transport);
    for (client, may_relay) in [(INSIDE, true), (OUTSIDE, false)] {
        for header in [v1(client), v2(client)] {
            let (mut session, greeting) = saying(BALANCER, to, &header).await;
            assert!(greeting.starts_with("220 "), "{greeting}");
            assert_eq!(relays(&mut session).await, may_relay, "{client}");
        }
        let (mut session, greeting) = xclient(to, client).await;
        assert!(greeting.starts_with("220 "), "{greeting}");
        assert_eq!(relays(&mut session).await, may_relay, "{client}");
    }
    stop(transport).await;
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
async fn trace_field_and_log_have_the_client_and_not_the_front_end() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = transport(&events, &mailbox, internet()).start().await.unwrap();
    let to = address(&transport);
    let (by_header, _) = saying(BALANCER, to, &v2(OUTSIDE)).await;
    let (by_xclient, _) = xclient(to, "203.0.113.10").await;
    let by_v6 = "PROXY TCP6 2001:db8::7 2001:db8::1 1 25\r\n";
    let (by_v6, _) = saying(BALANCER, to, by_v6.as_bytes()).await;
    let sessions = [(by_header, OUTSIDE), (by_xclient, "203.0.113.10"), (by_v6, "2001:db8::7")];
    for (n, (mut session, client)) in sessions.into_iter().enumerate() {
        session.expect("EHLO client.example", "250").await;
        let recipient = format!("u{n}@contoso.example");
        session.submit("a@client.example", &[&recipient], &message("behind")).await;
        let content = mailbox.read(&recipient).await;
        let field = content.split("Subject").next().unwrap();
        assert!(field.contains(client), "{field}");
        assert!(!field.contains("127.0.0."), "{field}");
        let received = &events.of(EventId::Receive)[n];
        assert_eq!(received.client.ip, Some(client.parse().unwrap()));
        assert!(received.connector.as_ref().unwrap().as_str().starts_with("Internet"));
    }
    stop(transport).await;
}

#[tokio::test]
async fn places_are_counted_for_the_client() {
    let limits = ReceiveLimits::default().with_connections_per_source_max(1);
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport =
        transport(&events, &mailbox, internet().with_limits(limits)).start().await.unwrap();
    let to = address(&transport);
    let (first, greeting) = saying(BALANCER, to, &v1(OUTSIDE)).await;
    assert!(greeting.starts_with("220 "), "{greeting}");
    let (_, greeting) = saying(BALANCER, to, &v2(OUTSIDE)).await;
    assert!(greeting.starts_with("421 4.3.2 The maximum"), "{greeting}");
    let (_other, greeting) = saying(BALANCER, to, &v1("203.0.113.10")).await;
    assert!(greeting.starts_with("220 "), "{greeting}");
    let (_spoken_for, reply) = xclient(to, "203.0.113.11").await;
    assert!(reply.starts_with("220 "), "{reply}");
    let (_, greeting) = saying(BALANCER, to, &v1("203.0.113.11")).await;
    assert!(greeting.starts_with("421 4.3.2 The maximum"), "{greeting}");
    // The proxy has its own place back, for the next client.
    let (mut proxy, reply) = xclient(to, OUTSIDE).await;
    assert!(reply.starts_with("421 4.3.2 The maximum"), "{reply}");
    proxy.closed().await;
    drop(first);
    eventually("the place is free again", async || {
        let (_client, greeting) = saying(BALANCER, to, &v1(OUTSIDE)).await;
        greeting.starts_with("220 ")
    })
    .await;
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

// attacks.md 23
#[tokio::test]
async fn xclient_is_for_trusted_peers_alone() {
    let transport = started().await;
    let to = address(&transport);
    // A client behind a trusted balancer is no trusted proxy.
    for (source, header) in [(STRANGER, Vec::new()), (BALANCER, v1(OUTSIDE))] {
        let (mut client, _) = saying(source, to, &header).await;
        let offers = client.expect("EHLO client.example", "250").await;
        assert!(!offers.contains("XCLIENT") && !offers.contains("XFORWARD"), "{offers}");
        client.expect(&format!("XCLIENT ADDR={INSIDE}"), "550 5.7.0").await;
        client.expect(&format!("XFORWARD ADDR={INSIDE}"), "550 5.7.0").await;
        assert!(!relays(&mut client).await);
    }
    // A client of a trusted proxy is none either.
    let (mut client, _) = xclient(to, OUTSIDE).await;
    let offers = client.expect("EHLO client.example", "250").await;
    assert!(!offers.contains("XCLIENT"), "{offers}");
    client.expect(&format!("XCLIENT ADDR={INSIDE}"), "550 5.7.0").await;
    assert!(!relays(&mut client).await);
    stop(transport).await;
}

// attacks.md 23
#[tokio::test]
async fn xclient_is_refused_in_a_transaction() {
    let transport = started().await;
    let (mut proxy, _) = saying(PROXY, address(&transport), b"").await;
    proxy.expect("EHLO proxy.example", "250").await;
    proxy.expect("MAIL FROM:<a@client.example>", "250").await;
    proxy.expect(&format!("XCLIENT ADDR={INSIDE}"), "503").await;
    proxy.expect(ELSEWHERE, "550 5.7.1").await;
    proxy.expect("RCPT TO:<b@contoso.example>", "250").await;
    proxy.expect(&format!("XCLIENT ADDR={INSIDE}"), "503").await;
    stop(transport).await;
}

// attacks.md 23
#[tokio::test]
async fn commands_behind_xclient_are_not_taken_for_the_new_client() {
    let transport = started().await;
    let (mut proxy, _) = saying(PROXY, address(&transport), b"").await;
    proxy.expect("EHLO proxy.example", "250").await;
    proxy.write(format!("XCLIENT ADDR={INSIDE}\r\nEHLO a\r\n").as_bytes()).await;
    let reply = proxy.reply().await;
    assert!(reply.starts_with("554 5.5.0"), "{reply}");
    proxy.closed().await;
    stop(transport).await;
}

#[tokio::test]
async fn client_that_no_connector_serves_ends_the_session() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let near = internet().with_remote_ranges(ranges(&["127.0.0.0/8"]));
    let transport = transport(&events, &mailbox, near).start().await.unwrap();
    let to = address(&transport);
    for told in [OUTSIDE, "IPV6:2001:db8::1", "[UNAVAILABLE]", "[TEMPUNAVAIL]"] {
        let (mut proxy, reply) = xclient(to, told).await;
        assert!(reply.starts_with("421 4.3.2"), "{told}: {reply}");
        proxy.closed().await;
    }
    for header in [v1(OUTSIDE), v2(OUTSIDE)] {
        let (mut client, reply) = saying(BALANCER, to, &header).await;
        assert!(reply.starts_with("421 4.3.2"), "{reply}");
        client.closed().await;
    }
    stop(transport).await;
}

/// Everybody is alice.
struct Alice;

#[async_trait]
impl Authenticator for Alice {
    async fn password(&self, _: PasswordQuestion<'_>) -> AuthenticationAnswer {
        AuthenticationAnswer::Known(Principal::new("alice").unwrap())
    }
}

// attacks.md 23
#[tokio::test]
async fn xclient_leaves_nothing_of_a_login() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = write_certificate(folder.path());
    let permissions = Permissions::anonymous_users().with_authenticated(Rights::EXCHANGE_USERS);
    let connector = internet().with_tls(ReceiveTls::Offered).with_permissions(permissions);
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = transport(&events, &mailbox, connector)
        .certificate(Certificate::from_pem_files(&chain, &key).unwrap())
        .authenticator(Alice)
        .suspend_delivery(true)
        .start()
        .await
        .unwrap();
    let (mut client, _) = saying(PROXY, address(&transport), b"").await;
    client.expect("EHLO proxy.example", "250").await;
    client.expect("STARTTLS", "220").await;
    let mut client = Client::over(secured(client.into_stream(), &chain).await);
    client.expect("EHLO proxy.example", "250").await;
    client.expect("AUTH PLAIN AGFsaWNlAHNlY3JldA==", "235").await;
    client.expect("MAIL FROM:<a@client.example>", "250").await;
    client.expect(ELSEWHERE, "250").await;
    client.expect("RSET", "250").await;
    // A name that the proxy tells is no login, and what came before counts no more.
    client.expect(&format!("XCLIENT ADDR={OUTSIDE} LOGIN=alice HELO=x"), "220").await;
    client.expect("MAIL FROM:<a@client.example>", "503").await;
    assert!(!relays(&mut client).await);
    client.submit("a@client.example", &["b@contoso.example"], &message("as nobody")).await;
    events.wait(EventId::Receive, 1).await;
    let received = &events.of(EventId::Receive)[0];
    assert_eq!(received.client.ip, Some(OUTSIDE.parse().unwrap()));
    assert_eq!(received.client.hostname.as_deref(), Some("client.example"));
    // The connection is in TLS as before, and the client may log in for itself.
    assert!(received.source_context.as_ref().unwrap().contains("version=TLS1_3"));
    client.expect("AUTH PLAIN AGFsaWNlAHNlY3JldA==", "235").await;
    assert!(relays(&mut client).await);
    stop(transport).await;
}
