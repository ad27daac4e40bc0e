//! Another configuration under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use transom_connector::{
    AcceptedDomain, Configuration, Permissions, ReceiveConnector, Rights, SendConnector,
};
use transom_runtime::ReloadError;
use transom_tracking::EventId;

use crate::support::{
    Client, Events, Mailbox, address, anywhere, bare, eventually, message, node, stop,
};

const FOREIGN: &str = "RCPT TO:<x@elsewhere.example>";
const MAIL: &str = "MAIL FROM:<a@client.example>";

fn configuration(connector: ReceiveConnector) -> Configuration {
    Configuration::new("mx.contoso.example".parse().unwrap())
        .with_accepted_domain(AcceptedDomain::authoritative("contoso.example").unwrap())
        .with_receive_connector(connector)
}

fn relaying(relays: bool) -> ReceiveConnector {
    let relay = if relays { Rights::ACCEPT_ANY_RECIPIENT } else { Rights::NONE };
    let rights = Rights::ANONYMOUS_USERS | relay;
    ReceiveConnector::internet(anywhere())
        .with_remote_ranges(vec!["127.0.0.0/8".parse().unwrap()])
        .with_permissions(Permissions::none().with_anonymous(rights))
}

#[tokio::test]
async fn session_keeps_its_rights_and_the_next_one_has_the_new() {
    let transport = bare(&Events::default())
        .receive_connector(relaying(false))
        .suspend_delivery(true)
        .start()
        .await
        .unwrap();
    let mut before = Client::ready(address(&transport)).await;
    before.expect(MAIL, "250").await;
    before.expect(FOREIGN, "550 5.7.1").await;
    let addresses = transport.reload(configuration(relaying(true))).await.unwrap();
    assert_eq!(addresses, [address(&transport)]);
    before.expect(FOREIGN, "550 5.7.1").await;
    let mut after = Client::ready(address(&transport)).await;
    after.expect(MAIL, "250").await;
    after.expect(FOREIGN, "250").await;
    stop(transport).await;
}

#[tokio::test]
async fn invalid_configuration_leaves_the_old_one_in_force() {
    let transport = bare(&Events::default())
        .receive_connector(relaying(true))
        .suspend_delivery(true)
        .start()
        .await
        .unwrap();
    let twice = configuration(relaying(false)).with_receive_connector(relaying(false));
    let error = transport.reload(twice).await.unwrap_err();
    assert!(matches!(error, ReloadError::Invalid(_)), "{error}");
    let other = Configuration::new("other.example".parse().unwrap());
    let error = transport.reload(other).await.unwrap_err();
    assert!(matches!(error, ReloadError::ServerName { .. }), "{error}");
    let asking = configuration(relaying(false)).with_send_connector(SendConnector::internet());
    let error = transport.reload(asking).await.unwrap_err();
    assert!(matches!(error, ReloadError::NoResolver), "{error}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let binding = taken.local_addr().unwrap();
    let other = configuration(relaying(false).with_binding(binding));
    let error = transport.reload(other).await.unwrap_err();
    assert!(error.to_string().contains(&binding.to_string()), "{error}");
    let mut client = Client::ready(address(&transport)).await;
    client.expect(MAIL, "250").await;
    client.expect(FOREIGN, "250").await;
    stop(transport).await;
}

#[tokio::test]
async fn new_bindings_open_and_vanished_ones_close() {
    let transport = bare(&Events::default()).receive_connector(relaying(false)).start().await;
    let transport = transport.unwrap();
    let old = address(&transport);
    let mut under_way = Client::ready(old).await;
    let v6: std::net::SocketAddr = "[::1]:0".parse().unwrap();
    let mut connector = relaying(false).with_remote_ranges(vec!["::1".parse().unwrap()]);
    connector.bindings = vec![v6];
    let addresses = transport.reload(configuration(connector)).await.unwrap();
    assert_eq!(addresses.len(), 1);
    Client::ready(addresses[0]).await;
    eventually("the old binding is closed", async || {
        tokio::net::TcpStream::connect(old).await.is_err()
    })
    .await;
    under_way.expect(MAIL, "250").await;
    under_way.expect("RCPT TO:<b@contoso.example>", "250").await;
    stop(transport).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reload_under_load_drops_no_session_and_loses_no_message() {
    let (events, mailbox) = (Events::default(), Mailbox::default());
    let transport = node(&events, &mailbox).start().await.unwrap();
    let to = address(&transport);
    let is_over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..8)
        .map(|client| {
            let is_over = Arc::clone(&is_over);
            tokio::spawn(async move {
                let mut sent = 0usize;
                while !is_over.load(Ordering::Relaxed) {
                    let mut session = Client::ready(to).await;
                    for _ in 0..5 {
                        let subject = format!("c{client}n{sent}");
                        let to = ["b@contoso.example"];
                        let content = message(&subject);
                        let reply = session.submit("a@client.example", &to, &content).await;
                        assert!(reply.starts_with("250 2.6.0"), "{reply}");
                        sent += 1;
                    }
                    session.expect("QUIT", "221").await;
                }
                sent
            })
        })
        .collect();
    for round in 0..20 {
        let now = transport.reload(configuration(relaying(round % 2 == 0))).await.unwrap();
        assert_eq!(now, [to]);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    is_over.store(true, Ordering::Relaxed);
    let mut sent = 0;
    for client in clients {
        sent += client.await.unwrap();
    }
    events.wait(EventId::Deliver, sent).await;
    let mut subjects: Vec<_> = mailbox.mail().into_iter().map(|(_, content)| content).collect();
    subjects.sort();
    subjects.dedup();
    assert_eq!((subjects.len(), events.count(EventId::Fail)), (sent, 0));
    println!("{sent} messages over 20 reloads");
    stop(transport).await;
}
