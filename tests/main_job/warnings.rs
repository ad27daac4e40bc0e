//! What an administrator should know of is said on stderr.

use std::fs;

use tempfile::TempDir;

use crate::process::{Server, files_below, wait_until};
use crate::smtp::Client;

#[test]
fn a_delivery_that_fails_is_said_in_one_line_on_stderr() {
    let folder = TempDir::new().unwrap();
    let server = Server::in_folder(folder.path(), &[]);
    fs::write(folder.path().join("mail"), "no folder").unwrap();
    let mut client = Client::connect(server.address());
    client.say("EHLO client.example");
    let reply = client.send("ann@contoso.example", "Subject: x\r\n\r\nx");
    assert!(reply.starts_with("250 "), "{reply}");
    let log = folder.path().join("log");
    wait_until(|| {
        files_below(&log).iter().any(|file| fs::read_to_string(file).unwrap().contains("DEFER"))
    });
    let ended = server.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let said: Vec<&str> = ended.stderr.lines().collect();
    assert!(
        said.iter().any(|line| {
            line.contains("WARN") && line.contains("cannot deliver into the Maildir")
        })
    );
    assert!(said.iter().all(|line| line.contains("WARN") || line.contains("ERROR")), "{said:?}");
}
