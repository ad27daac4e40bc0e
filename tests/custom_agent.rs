//! The example of agents of one's own, as a child process.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests panic, and wait for the program"
)]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Ends the program with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn reply(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            self.0.read_line(&mut line).unwrap();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }

    fn expect(&mut self, line: &str, reply: &str) {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
        let found = self.reply();
        assert!(found.starts_with(reply), "{line}: {found}");
    }
}

#[test]
fn doorkeeper_of_the_example_lets_only_friends_disturb_the_boss() {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut program = Command::new(profile.join("examples/custom_agent"));
    program.arg("127.0.0.1:0").arg(folder.path()).stdout(Stdio::piped());
    let mut program = Program(program.spawn().expect("cargo builds the example for the tests"));
    let mut line = String::new();
    BufReader::new(program.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening at [").unwrap().trim_end_matches(']');
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut client = Client(BufReader::new(stream));
    assert!(client.reply().starts_with("220"));
    client.expect("EHLO client.example", "250");
    client.expect("MAIL FROM:<x@client.example>", "250");
    client.expect("RCPT TO:<boss@contoso.example>", "550 5.7.1 Not to be disturbed");
    client.expect("RCPT TO:<ann@contoso.example>", "250");
    client.expect("RSET", "250");
    client.expect("MAIL FROM:<x@friends.example>", "250");
    client.expect("RCPT TO:<boss@contoso.example>", "250");
    client.expect("DATA", "354");
    client.expect("Subject: hi\r\n\r\nHello.\r\n.", "250 2.6.0");
    let new = folder.path().join("contoso.example/boss/new");
    let mut found = Vec::new();
    for _ in 0..600 {
        found = std::fs::read_dir(&new).map(|all| all.flatten().collect()).unwrap_or_default();
        if !found.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let mail = std::fs::read_to_string(found[0].path()).unwrap();
    assert!(
        mail.contains("\r\nX-Came-From: 127.0.0.1\r\n") || mail.contains("\nX-Came-From: "),
        "{mail}"
    );
}
