//! `--config FILE`, and what SIGHUP does with it.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::{Server, folder_flags, mail_in, room, run, wait_for_mail};
use crate::smtp::Client;

/// One connector, and a domain that the agent has.
const CONTOSO: &str = r#"
server_name = "mx1.contoso.example"

[[accepted_domains]]
domain = "contoso.example"

[[receive_connectors]]
name = "In"
usage = "Internet"
bindings = ["127.0.0.1:0"]

[[send_connectors]]
name = "mailbox"
address_spaces = ["contoso.example", "fabrikam.example"]
agent = "mailbox"
"#;

fn start(folder: &Path, more: &[&str]) -> Server {
    room(folder);
    let config = folder.join("transom.toml").display().to_string();
    let flags = folder_flags(folder);
    let mut arguments = vec!["--config", config.as_str()];
    arguments.extend(flags.iter().map(String::as_str));
    arguments.extend(more);
    Server::listening(1, &arguments)
}

fn answer(client: &mut Client, recipient: &str) -> String {
    client.say("RSET");
    client.say("MAIL FROM:<sender@client.example>");
    client.say(&format!("RCPT TO:<{recipient}>"))
}

#[test]
fn a_file_says_what_is_served_and_a_directory_who_is_there() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("transom.toml"), CONTOSO).unwrap();
    let directory = folder.path().join("directory.toml");
    fs::write(&directory, "[[mailbox]]\naddress = \"ann@contoso.example\"\n").unwrap();
    let directory = directory.display().to_string();
    let server = start(folder.path(), &["--directory", &directory]);
    let mut client = Client::connect(server.address());
    assert!(client.say("EHLO client.example").starts_with("250-mx1.contoso.example"));
    assert!(answer(&mut client, "bob@contoso.example").starts_with("550 5.1.1"));
    client.say("RSET");
    assert!(client.send("ann@contoso.example", "Subject: x\r\n\r\nx").starts_with("250 "));
    wait_for_mail(&folder.path().join("mail"), 1);
    let ended = server.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn a_hangup_reads_the_file_anew_and_ends_no_session() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("transom.toml");
    fs::write(&file, CONTOSO).unwrap();
    let mut server = start(folder.path(), &[]);
    let mut before = Client::connect(server.address());
    before.say("EHLO client.example");
    assert!(answer(&mut before, "bob@fabrikam.example").starts_with("550 5.7.1"));

    // What is wrong changes nothing.
    fs::write(&file, format!("{CONTOSO}ports = 25\n")).unwrap();
    server.signal(Signal::HUP);
    let said = server.line();
    assert!(said.starts_with("not reloaded: --config "), "{said}");
    let wrong = "line 16, column 1: send_connectors[0]: there is no field ports; do you mean port?";
    assert!(said.ends_with(wrong), "{said}");

    fs::write(&file, format!("{CONTOSO}\n[[accepted_domains]]\ndomain = \"fabrikam.example\"\n"))
        .unwrap();
    server.signal(Signal::HUP);
    assert_eq!(server.line(), format!("reloaded; listening at {}", server.address()));
    let mut after = Client::connect(server.address());
    after.say("EHLO client.example");
    assert!(answer(&mut after, "bob@fabrikam.example").starts_with("250 "));
    // A session goes on under what it began with.
    assert!(answer(&mut before, "bob@fabrikam.example").starts_with("550 5.7.1"));
    before.say("RSET");
    assert!(before.send("ann@contoso.example", "Subject: x\r\n\r\nx").starts_with("250 "));
    wait_for_mail(&folder.path().join("mail"), 1);
    assert_eq!(mail_in(&folder.path().join("mail")).len(), 1);
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_file_that_cannot_be_read_ends_with_one_line() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("transom.toml");
    fs::write(&file, "server_nam = 'a'\nport = 25\n").unwrap();
    let file = file.display().to_string();
    let wrong = "line 1, column 1: server_name is missing (and 2 more, see lint)";
    let expected = format!("transport: --config {file}: {wrong}\n");
    let ended = run(&["--config", &file]);
    assert_eq!((ended.code, ended.stderr), (Some(2), expected));
    let ended = run(&["--config", &file, "--listen", "127.0.0.1:0"]);
    let expected = "transport: --listen does not go with --config, which says it\n";
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(2), expected));
}
