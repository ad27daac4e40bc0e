//! Front ends that say for whom they speak, by the PROXY protocol and by XCLIENT, and those who
//! only claim to. Peers at 127.0.0.2 are trusted with PROXY, peers at 127.0.0.3 with XCLIENT,
//! 127.0.0.1 with nothing. Clients in 10.0.0.0/8 may relay, others may not.

mod proxy;
mod xclient;

use std::net::SocketAddr;

use tokio::net::{TcpSocket, TcpStream};
use transom_connector::{ReceiveConnector, ReceiveLimits, RemoteRange};
use transom_runtime::{Transport, TransportBuilder};
use transom_smtp::codec::proxy::{ProxyEnds, ProxyHeader, ProxyOrigin, ProxyTransport};
use transom_tracking::EventId;

use crate::support::{Client, Events, Mailbox, address, anywhere, bare, eventually, message, stop};

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
