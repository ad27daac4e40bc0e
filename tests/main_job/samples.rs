//! What a first run without flags shows.

use tempfile::TempDir;

use crate::process::{Server, folder_flags, mail_in, room, run};

#[test]
fn once_shows_the_life_of_each_sample_and_ends_well() {
    let folder = TempDir::new().unwrap();
    room(folder.path());
    let flags = folder_flags(folder.path());
    let mut arguments = vec!["--once"];
    arguments.extend(flags.iter().map(String::as_str));
    let ended = run(&arguments);
    let said = ended.stdout;
    assert_eq!(ended.code, Some(0), "{said}{}", ended.stderr);
    for sample in ["delivered", "relayed", "bounced"] {
        assert!(said.contains(&format!("sample {sample}: ")), "{said}");
    }
    for event in ["RECEIVE", "DELIVER", "SEND", "FAIL", "DSN"] {
        assert!(said.lines().any(|line| line.contains(event)), "no {event} in {said}");
    }
    assert!(said.contains("every sample has its outcome"), "{said}");
    assert!(said.contains("the queue is empty"), "{said}");
    assert!(said.contains(" 0 messages left"), "{said}");
    // What Bob wrote, and the report about the third sample.
    let mail = mail_in(&folder.path().join("mail/contoso.example/ann"));
    let holds = |text: &str| {
        mail.iter().filter(|mail| String::from_utf8_lossy(mail).contains(text)).count()
    };
    assert_eq!(mail.len(), 2);
    assert_eq!(holds("Subject: Lunch on Thursday"), 1);
    assert_eq!(holds("\n.like this one"), 1);
    assert_eq!(holds("multipart/report"), 1);
}

#[test]
fn help_lists_every_flag() {
    let ended = run(&["--help"]);
    assert_eq!(ended.code, Some(0));
    for flag in [
        "--listen ADDR",
        "--listen-tls ADDR",
        "--cert FILE",
        "--key FILE",
        "--accepted-domain DOMAIN",
        "--mail DIR",
        "--relay-domain DOMAIN",
        "--smart-host HOST:PORT",
        "--relay-from CIDR",
        "--spool DIR",
        "--log-dir DIR",
        "--message-size-max N",
        "--suspend-delivery",
        "--no-samples",
        "--once",
    ] {
        assert!(ended.stdout.contains(flag), "{flag} is missing in {}", ended.stdout);
    }
}

#[test]
fn a_run_without_flags_goes_on_serving_until_it_is_told_to_stop() {
    let server = Server::listening(1, &[]);
    assert!(crate::smtp::Client::connect(server.address()).say("NOOP").starts_with("250 "));
    let ended = server.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("swaks --server"), "{}", ended.stdout);
}
