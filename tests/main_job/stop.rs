//! Stopping and starting again.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use crate::process::{Server, mail_in, wait_for_mail, wait_until};
use crate::smtp::Client;

#[test]
fn mail_held_by_suspended_delivery_is_delivered_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let mail = folder.path().join("mail");
    let server = Server::in_folder(folder.path(), &["--suspend-delivery"]);
    let mut client = Client::connect(server.address());
    client.say("EHLO client.example");
    for n in 0..10 {
        let reply = client.send("ann@contoso.example", &content(n));
        assert!(reply.starts_with("250 "), "{reply}");
    }
    let ended = server.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains(" 10 messages left"), "{}", ended.stdout);
    assert_eq!(mail_in(&mail).len(), 0);

    let server = Server::in_folder(folder.path(), &[]);
    assert_eq!(numbers(&wait_for_mail(&mail, 10)), (0..10).collect());
    let ended = server.stop();
    assert!(ended.stdout.contains(": 10 messages waited in it"), "{}", ended.stdout);
    assert!(ended.stdout.contains(" 0 messages left"), "{}", ended.stdout);
}

#[test]
fn what_was_answered_with_250_survives_a_stop_during_traffic() {
    const CLIENTS: usize = 8;
    let folder = TempDir::new().unwrap();
    let server = Server::in_folder(folder.path(), &[]);
    let address = server.address();
    let count = AtomicUsize::new(0);
    let taken: HashSet<usize> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                scope.spawn({
                    let count = &count;
                    move || send_until_closed(address, client, count)
                })
            })
            .collect();
        wait_until(|| count.load(Ordering::Relaxed) >= 100);
        server.signal_stop();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let ended = server.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(taken.len() >= 100, "{}", taken.len());

    // What had not been delivered waits in the spool: the next run delivers it.
    let server = Server::in_folder(folder.path(), &[]);
    let mail = wait_for_mail(&folder.path().join("mail"), taken.len());
    assert_eq!(server.stop().code, Some(0));
    let found = numbers(&mail);
    assert!(taken.is_subset(&found), "lost: {:?}", taken.difference(&found));
    // An idle spool that was stopped in order has no doubt, so nothing is there twice.
    assert_eq!(mail.len(), found.len());
}

/// Sends numbered messages until the server says goodbye. The numbers of those it took.
fn send_until_closed(
    address: std::net::SocketAddr,
    client: usize,
    count: &AtomicUsize,
) -> HashSet<usize> {
    let mut taken = HashSet::new();
    let mut session = Client::connect(address);
    session.say("EHLO client.example");
    for n in (client * 1_000_000).. {
        match session.try_send("ann@contoso.example", &content(n)) {
            Some(reply) if reply.starts_with("250 ") => {
                taken.insert(n);
                count.fetch_add(1, Ordering::Relaxed);
            }
            Some(reply) => {
                assert!(reply.starts_with("421 "), "{reply}");
                break;
            }
            None => break,
        }
    }
    taken
}

fn content(n: usize) -> String {
    format!("X-Number: {n}\r\n\r\ntext")
}

fn numbers(mail: &[Vec<u8>]) -> HashSet<usize> {
    let number = |mail: &Vec<u8>| {
        let text = String::from_utf8_lossy(mail);
        let line = text.lines().find_map(|line| line.strip_prefix("X-Number: "));
        line.unwrap().trim().parse().unwrap()
    };
    mail.iter().map(number).collect()
}
