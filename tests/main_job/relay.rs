//! Who may send what to whom, and how much.

use tempfile::TempDir;

use crate::process::{Server, wait_for_mail};
use crate::smtp::Client;

const CONTENT: &str = "Subject: test\r\n\r\ntext";

#[test]
fn a_peer_without_the_right_to_relay_is_refused() {
    let folder = TempDir::new().unwrap();
    let server = Server::in_folder(folder.path(), &["--relay-domain", "partner.example"]);
    let mut client = Client::connect(server.address());
    assert!(client.say("EHLO client.example").starts_with("250-"));
    assert!(client.say("MAIL FROM:<a@client.example>").starts_with("250 "));
    for foreign in ["b@elsewhere.example", "b@sub.contoso.example", "b@[192.0.2.1]"] {
        let reply = client.say(&format!("RCPT TO:<{foreign}>"));
        assert!(reply.starts_with("550 5.7.1 "), "{foreign}: {reply}");
    }
    for ours in ["b@contoso.example", "b@CONTOSO.example", "b@partner.example", "Postmaster"] {
        let reply = client.say(&format!("RCPT TO:<{ours}>"));
        assert!(reply.starts_with("250 "), "{ours}: {reply}");
    }
}

#[test]
fn a_peer_in_the_relay_range_may_send_anywhere() {
    let folder = TempDir::new().unwrap();
    let server = Server::in_folder(folder.path(), &["--relay-from", "127.0.0.1/32"]);
    let mut client = Client::connect(server.address());
    client.say("EHLO client.example");
    client.say("MAIL FROM:<a@client.example>");
    let reply = client.say("RCPT TO:<b@elsewhere.example>");
    assert!(reply.starts_with("250 "), "{reply}");
}

#[test]
fn a_peer_outside_the_relay_range_may_not() {
    let folder = TempDir::new().unwrap();
    let server = Server::in_folder(folder.path(), &["--relay-from", "192.0.2.0/24"]);
    let mut client = Client::connect(server.address());
    client.say("EHLO client.example");
    client.say("MAIL FROM:<a@client.example>");
    let reply = client.say("RCPT TO:<b@elsewhere.example>");
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
}

#[test]
fn a_message_above_the_size_limit_is_refused() {
    let folder = TempDir::new().unwrap();
    let server = Server::in_folder(folder.path(), &["--message-size-max", "10000"]);
    let mut client = Client::connect(server.address());
    let hello = client.say("EHLO client.example");
    assert!(hello.contains("SIZE 10000"), "{hello}");
    let declared = client.say("MAIL FROM:<a@client.example> SIZE=10001");
    assert!(declared.starts_with("552 5.3.4 "), "{declared}");
    let undeclared = client.send("b@contoso.example", &"0123456789\r\n".repeat(1_000));
    assert!(undeclared.starts_with("552 5.3.4 "), "{undeclared}");
    let small = client.send("b@contoso.example", CONTENT);
    assert!(small.starts_with("250 "), "{small}");
    assert_eq!(wait_for_mail(&folder.path().join("mail"), 1).len(), 1);
}

#[test]
fn a_thousand_connections_from_loopback_are_served_at_once() {
    let folder = TempDir::new().unwrap();
    let server = Server::in_folder(folder.path(), &[]);
    let mut clients: Vec<Client> = (0..1_000).map(|_| Client::connect(server.address())).collect();
    // All are open now; each sends one message.
    for (n, client) in clients.iter_mut().enumerate() {
        assert!(client.say("EHLO client.example").starts_with("250-"));
        let reply = client.send("b@contoso.example", &format!("Subject: {n}\r\n\r\ntext"));
        assert!(reply.starts_with("250 "), "connection {n}: {reply}");
    }
    for client in &mut clients {
        assert!(client.say("QUIT").starts_with("221 "));
    }
    assert_eq!(wait_for_mail(&folder.path().join("mail"), 1_000).len(), 1_000);
    assert_eq!(server.stop().code, Some(0));
}
