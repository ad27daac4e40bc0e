//! A firewall that paints over what is said is named, and the session goes on with what is left.

use transom_smtp::client::{ClientTls, CloseReason};

use super::peer::{Act, CONTENT, Peer, config, every_way, send_every_way, transaction};

const STARS: &str = "220 ************0*2******\r\n";

#[test]
fn painted_extension_is_told_once_and_the_message_goes() {
    let mut peer = Peer::offering(&["SIZE", "XXXXXXXA", "XXXXXXXX"]);
    let run = every_way(config(), &mut peer, vec![transaction(1); 2], CONTENT);
    assert_eq!(run.masked, ["XXXXXXXA".into()]);
    assert_eq!(run.results.len(), 2);
    assert_eq!(run.close.unwrap().reason, CloseReason::Quit);
}

#[test]
fn painted_greeting_is_told() {
    let mut peer = Peer { greeting: Act::Say(STARS), ..Peer::default() };
    let run = send_every_way(&mut peer, 1);
    assert_eq!(run.masked, ["************0*2******".into()]);
    assert_eq!(run.outcomes(), ["relayed"]);
}

#[test]
fn painted_command_is_seen_in_its_refusal_and_helo_follows() {
    let refusal = "500 5.5.1 Command unrecognized: \"XXXX client.example\"\r\n";
    let mut peer = Peer { ehlo: Act::Say(refusal), ..Peer::default() };
    let run = send_every_way(&mut peer, 1);
    assert_eq!(run.masked, ["XXXX".into()]);
    assert_eq!(run.outcomes(), ["relayed"]);
    assert_eq!(peer.commands[1], "HELO client.example");
}

#[test]
fn required_tls_behind_a_firewall_says_so() {
    let refusal = "500 5.5.1 unrecognized: XXXX client.example\r\n";
    let peers = [
        Peer::offering(&["XXXXXXXA"]),
        Peer { greeting: Act::Say(STARS), ..Peer::offering(&["SIZE"]) },
        Peer { ehlo: Act::Say(refusal), ..Peer::default() },
    ];
    for mut peer in peers {
        let required = config().with_tls(ClientTls::Required);
        let run = every_way(required, &mut peer, vec![transaction(1)], CONTENT);
        let close = run.close.unwrap();
        assert_eq!((close.reason, run.ready), (CloseReason::TlsUnavailable, 0));
        let text = close.status.reply.text();
        assert!(text.contains("firewall") && text.contains(&*run.masked[0]), "{text}");
        assert_eq!(close.status.code.to_string(), "4.7.10");
    }
    let mut clean = Peer::offering(&["SIZE"]);
    let required = config().with_tls(ClientTls::Required);
    let run = every_way(required, &mut clean, vec![transaction(1)], CONTENT);
    assert!(run.masked.is_empty());
    assert!(!run.close.unwrap().status.reply.text().contains("firewall"));
}
