//! The examples without a runtime, `smtp_sink_blocking` and `smtp_send_blocking`, as somebody sees
//! them who starts both: what one sends arrives at the other.
#![expect(clippy::unwrap_used, reason = "tests fail by panic")]

use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use tempfile::TempDir;

/// The program, which cargo builds for every test run of the root package.
fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    Command::new(profile.join("examples").join(name))
}

/// A running sink; dropping it ends it.
struct Sink {
    folder: TempDir,
    child: Child,
    lines: BufReader<ChildStdout>,
    address: String,
}

impl Sink {
    /// Starts a sink that refuses mail for `refused`.
    fn refusing(refused: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let mut child = example("smtp_sink_blocking")
            .arg("127.0.0.1:0")
            .arg(folder.path())
            .arg(refused)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut sink = Self { folder, child, lines, address: String::new() };
        let said = sink.line();
        said.strip_prefix("listening at ").unwrap().clone_into(&mut sink.address);
        sink
    }

    /// The next line that it prints.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The next message: what is said of it, and its content.
    fn message(&mut self) -> (String, Vec<u8>) {
        let line = self.line();
        let (path, said) = line.split_once(": ").unwrap();
        assert_eq!(PathBuf::from(path).parent(), Some(self.folder.path()), "{line}");
        (said.to_owned(), fs::read(path).unwrap())
    }

    /// Sends `content` to it, and gives what the client printed.
    fn send(&self, words: &[&str], content: &[u8]) -> Output {
        send(&[&[self.address.as_str()], words].concat(), content)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // Whatever it returns, the process is gone or was never there.
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

fn send(words: &[&str], content: &[u8]) -> Output {
    let mut child = example("smtp_send_blocking")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(content).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn text(octets: &[u8]) -> &str {
    str::from_utf8(octets).unwrap()
}

#[test]
fn each_recipient_has_a_line_and_a_refused_one_fails_the_run() {
    let mut sink = Sink::refusing("nobody@example.net");
    let to = ["a@example.com", "b@example.net", "nobody@example.net", "c@example.net"];
    let sent = sink.send(&to, b"Subject: x\n\nbody\n");
    assert_eq!(
        text(&sent.stdout),
        "relayed <b@example.net>: 250 2.6.0 Queued mail for delivery\n\
         failed <nobody@example.net>: 550 5.1.1 User unknown\n\
         relayed <c@example.net>: 250 2.6.0 Queued mail for delivery\n"
    );
    assert_eq!(sent.status.code(), Some(1));
    let (said, content) = sink.message();
    assert_eq!(said, "20 octets from <a@example.com> to <b@example.net> <c@example.net>");
    assert_eq!(text(&content), "Subject: x\r\n\r\nbody\r\n");
}

#[test]
fn content_arrives_octet_for_octet() {
    let mut sink = Sink::refusing("nobody@example.net");
    let dots = b"Subject: dots\r\n\r\n.\r\n..\r\n.one\r\n\r\n.\r\n".to_vec();
    let mut eight_bit = b"Subject: x\r\n\r\n".to_vec();
    eight_bit.extend(0x80..=0xff_u8);
    eight_bit.extend(b"\r\n");
    // Above a mebibyte it goes in chunks.
    let large = b"Subject: large\r\n\r\n".to_vec();
    let large = [large, b".line of a large message\r\n".repeat(400_000)].concat();
    for content in [dots, eight_bit, large] {
        let sent = sink.send(&["<>", "b@example.net"], &content);
        assert_eq!(sent.status.code(), Some(0), "{sent:?}");
        let (said, arrived) = sink.message();
        assert_eq!(said, format!("{} octets from <> to <b@example.net>", content.len()));
        assert!(arrived == content, "{} octets came of {}", arrived.len(), content.len());
    }
}

#[test]
fn what_may_be_tried_again_ends_with_75() {
    let mut sink = Sink::refusing("nobody@example.net");
    fs::remove_dir_all(sink.folder.path()).unwrap();
    let sent = sink.send(&["a@example.com", "b@example.net"], b"x\n");
    assert_eq!(
        text(&sent.stdout),
        "deferred <b@example.net>: 451 4.3.0 No such file or directory (os error 2)\n"
    );
    assert_eq!(sent.status.code(), Some(75));
    // With nobody there at all it is no better and no worse.
    sink.child.kill().unwrap();
    sink.child.wait().unwrap();
    let sent = sink.send(&["a@example.com", "b@example.net"], b"x\n");
    assert_eq!(sent.status.code(), Some(75));
    assert!(text(&sent.stderr).contains(&sink.address), "{sent:?}");
}

#[test]
fn message_that_the_peer_cannot_take_fails_without_a_try() {
    let sink = Sink::refusing("nobody@example.net");
    let sent = sink.send(&["a@example.com", "b@example.net"], &b"x\n".repeat(20_000_000));
    assert!(text(&sent.stdout).starts_with("failed <b@example.net>: "), "{sent:?}");
    assert!(text(&sent.stdout).contains("5.3.4"), "{sent:?}");
    assert_eq!(sent.status.code(), Some(1));
    assert_eq!(fs::read_dir(sink.folder.path()).unwrap().count(), 0);
}

#[test]
fn help_is_no_error_and_bad_words_are_one_line() {
    for name in ["smtp_sink_blocking", "smtp_send_blocking"] {
        let help = example(name).arg("--help").output().unwrap();
        assert_eq!(help.status.code(), Some(0));
        assert!(text(&help.stdout).starts_with(&format!("usage: {name} ")));
    }
    for (name, words, named) in [
        ("smtp_sink_blocking", &["127.0.0.1:0"][..], "--help"),
        ("smtp_sink_blocking", &["here", "/tmp"], "here"),
        ("smtp_sink_blocking", &["127.0.0.1:0", "/no/such/folder"], "/no/such/folder"),
        ("smtp_sink_blocking", &["127.0.0.1:0", "/dev/null"], "/dev/null"),
        ("smtp_sink_blocking", &["127.0.0.1:0", "/tmp", "nobody"], "nobody"),
        ("smtp_send_blocking", &[], "--help"),
        ("smtp_send_blocking", &["127.0.0.1:9"], "--help"),
        ("smtp_send_blocking", &["127.0.0.1:9", "a@b.example"], "--help"),
        ("smtp_send_blocking", &["127.0.0.1:9", "a", "b@b.example"], "a: "),
        ("smtp_send_blocking", &["127.0.0.1:9", "a@b.example", "b c@d.example"], "b c@d.example"),
    ] {
        let ended = example(name).args(words).stdin(Stdio::null()).output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{name} {words:?}");
        let said = text(&ended.stderr);
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.starts_with(name) && said.contains(named), "{said}");
        assert!(ended.stdout.is_empty(), "{name} {words:?}");
    }
}
