//! A spool that `kill -9` left, and one that is in use.

use std::fs;

use tempfile::TempDir;

use crate::process::Server;
use crate::smtp::Client;
use crate::tool::{run, run_on, tree};

/// A transport that holds five messages, one of them too large for the log.
fn holding(folder: &TempDir) -> Server {
    let server = Server::in_folder(folder.path(), &["--suspend-delivery"]);
    let mut client = Client::connect(server.address());
    client.say("EHLO client.example");
    for number in 0..5 {
        let reply = client.send("ann@contoso.example", &content(number));
        assert!(reply.starts_with("250 "), "{reply}");
    }
    server
}

fn content(number: usize) -> String {
    let line = format!("This is line {number} of a letter.\r\n");
    let lines = if number == 4 { 20_000 } else { 3 };
    format!("Subject: letter {number}\r\n\r\n{}", line.repeat(lines).trim_end())
}

#[test]
fn a_spool_that_a_kill_left_gives_all_its_messages_and_stays_as_it_is() {
    let folder = TempDir::new().unwrap();
    // Dropping it kills it.
    drop(holding(&folder));
    let spool = folder.path().join("spool");

    let checked = run_on(&spool, &["check"]);
    assert_eq!((checked.code, &*checked.stderr), (Some(0), ""), "{checked:?}");
    for line in ["5 messages wait", "the last run ended by a kill or a crash", "no damage"] {
        assert!(checked.stdout.contains(line), "{}", checked.stdout);
    }

    let listed = run_on(&spool, &["list"]);
    assert_eq!((listed.code, &*listed.stderr), (Some(0), ""), "{listed:?}");
    let from = listed.stdout.matches("from <sender@client.example>  1 of 1 recipients open");
    assert_eq!(from.count(), 5, "{}", listed.stdout);
    let to = listed.stdout.matches("    to <ann@contoso.example>  untried, next at once\n");
    assert_eq!(to.count(), 5, "{}", listed.stdout);

    let out = folder.path().join("out");
    let exported = run_on(&spool, &["export", "--to", out.to_str().unwrap()]);
    assert_eq!((exported.code, &*exported.stderr), (Some(0), ""), "{exported:?}");
    assert!(exported.stdout.contains("5 messages exported"), "{}", exported.stdout);
    let files = crate::process::files_below(&out);
    let contents = files.iter().filter(|path| path.extension().unwrap() == "eml");
    let contents: Vec<String> = contents.map(|path| fs::read_to_string(path).unwrap()).collect();
    assert_eq!((contents.len(), files.len()), (5, 10));
    for (number, exported) in contents.iter().enumerate() {
        assert!(exported.starts_with("Received: "), "{number}");
        assert!(exported.ends_with(&format!("{}\r\n", content(number))), "{number}");
    }
}

#[test]
fn a_spool_in_use_is_left_alone_and_its_owner_named() {
    let folder = TempDir::new().unwrap();
    let server = holding(&folder);
    let spool = folder.path().join("spool").display().to_string();
    let out = folder.path().join("out");
    let owner = format!("{spool}: in use by process {}", server.pid());
    for arguments in [
        &["check", &*spool][..],
        &["list", &spool],
        &["export", "--to", out.to_str().unwrap(), &spool],
    ] {
        let ended = run(arguments);
        assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{ended:?}");
        assert_eq!(ended.stderr, format!("spool: {owner}\n"));
    }
    assert!(!out.exists());
    let mut client = Client::connect(server.address());
    assert!(client.say("EHLO client.example").starts_with("250"));
    assert!(client.send("ann@contoso.example", "Subject: x\r\n\r\nx").starts_with("250 "));
    assert_eq!(server.stop().code, Some(0));
    assert!(run(&["check", &spool]).stdout.contains("6 messages wait"));
}

#[test]
fn a_spool_goes_on_where_it_was_after_it_was_looked_at() {
    let folder = TempDir::new().unwrap();
    drop(holding(&folder));
    let spool = folder.path().join("spool");
    for verb in ["check", "list"] {
        assert_eq!(run_on(&spool, &[verb]).code, Some(0));
    }
    let server = Server::in_folder(folder.path(), &[]);
    let mail = crate::process::wait_for_mail(&folder.path().join("mail"), 5);
    assert_eq!(mail.len(), 5);
    assert_eq!(server.stop().code, Some(0));
    let before = tree(&spool);
    assert!(run(&["check", spool.to_str().unwrap()]).stdout.contains("ended in order"));
    assert!(tree(&spool) == before);
}
