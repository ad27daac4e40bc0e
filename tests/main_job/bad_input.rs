//! Bad input ends with one clear line that names the thing, with exit code 2, and touches nothing.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::process::{Server, binary, files_below, folder_flags, run, wait_for_mail};
use crate::smtp::Client;
use crate::tls::certificate_files;

/// A folder for all that the program keeps.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the program, which must refuse in one line that holds all of `named`. The folders are
    /// the usual ones unless `arguments` name others behind them.
    #[track_caller]
    fn refuses(&self, arguments: &[&str], named: &[&str]) {
        let before = content_of(self.folder.path());
        let flags = folder_flags(self.folder.path());
        let mut all: Vec<&str> = flags.iter().map(String::as_str).collect();
        all.extend(arguments);
        let ended = run(&all);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{arguments:?}: {}", ended.stderr);
        for name in named {
            assert!(ended.stderr.contains(name), "{arguments:?}: no {name} in {}", ended.stderr);
        }
        assert_eq!(ended.stdout, "", "{arguments:?}");
        let after = content_of(self.folder.path());
        let differ = |path: &&PathBuf| before.get(*path) != after.get(*path);
        let changed = before.keys().chain(after.keys()).find(differ);
        assert_eq!(changed, None, "{arguments:?}");
    }
}

/// Files with their octets, and folders with none.
fn content_of(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut content = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            content.extend(content_of(&path));
            content.insert(path, None);
        } else {
            let octets = fs::read(&path).unwrap();
            content.insert(path, Some(octets));
        }
    }
    content
}

const LISTEN: [&str; 2] = ["--listen", "127.0.0.1:0"];

#[test]
fn words_that_are_no_flags_or_values() {
    let place = Place::new();
    for (arguments, named) in [
        (&["--frobnicate"][..], &["--frobnicate", "--help"][..]),
        (&["extra"], &["extra"]),
        (&["--listen"], &["--listen needs a value"]),
        (&["--cert"], &["--cert needs a value"]),
        (&["--listen", "here"], &["--listen here"]),
        (&["--listen", "127.0.0.1:99999"], &["--listen 127.0.0.1:99999"]),
        (&["--listen-tls", "127.0.0.1"], &["--listen-tls 127.0.0.1"]),
        (&["--accepted-domain", "-bad-"], &["--accepted-domain -bad-"]),
        (&["--accepted-domain", "a..b"], &["--accepted-domain a..b"]),
        (&["--relay-domain", ""], &["--relay-domain"]),
        (&["--smart-host", ":25"], &["--smart-host :25"]),
        (&["--smart-host", "host:99999"], &["--smart-host host:99999"]),
        (&["--smart-host", "host:0"], &["--smart-host host:0"]),
        (&["--relay-from", "127.0.0.1/33"], &["--relay-from 127.0.0.1/33"]),
        (&["--relay-from", "300.0.0.1/8"], &["--relay-from 300.0.0.1/8"]),
        (&["--relay-from", "here"], &["--relay-from here"]),
        (&["--message-size-max", "much"], &["--message-size-max much"]),
        (&["--message-size-max", "0"], &["--message-size-max 0: must be at least 1"]),
        (&["--message-size-max", "-1"], &["--message-size-max -1"]),
        (&["--once", "--listen", "127.0.0.1:0"], &["--once"]),
        (&["--once", "--no-samples"], &["--once"]),
        (&["--once", "--suspend-delivery"], &["--once", "--suspend-delivery"]),
    ] {
        place.refuses(arguments, named);
    }
}

#[test]
fn a_word_that_is_no_utf_8() {
    let word = std::ffi::OsString::from_vec(b"--spool-\xff".to_vec());
    let ended = Command::new(binary()).arg(word).output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("--spool-"));
}

#[test]
fn domains_that_contradict_each_other() {
    let place = Place::new();
    let domains = ["--accepted-domain", "a.example", "--relay-domain", "a.example"];
    place.refuses(
        &[LISTEN, [domains[0], domains[1]], [domains[2], domains[3]]].concat(),
        &["a.example"],
    );
}

#[test]
fn a_spool_that_is_a_file_or_below_one() {
    let place = Place::new();
    fs::write(place.path("file"), "text").unwrap();
    for spool in [place.path("file"), place.path("file/below")] {
        let spool = spool.display().to_string();
        place.refuses(&[LISTEN, ["--spool", &spool]].concat(), &[&spool]);
    }
}

#[test]
fn mail_and_log_that_are_files_or_below_one() {
    let place = Place::new();
    fs::write(place.path("file"), "text").unwrap();
    for folder in [place.path("file"), place.path("file/below")] {
        let folder = folder.display().to_string();
        for flag in ["--mail", "--log-dir"] {
            place.refuses(&[LISTEN, [flag, &folder]].concat(), &[flag, &folder]);
        }
    }
}

#[test]
fn a_folder_of_other_things_is_no_spool() {
    let place = Place::new();
    fs::create_dir(place.path("spool")).unwrap();
    fs::write(place.path("spool/letter.txt"), "dear Ann").unwrap();
    let spool = place.path("spool").display().to_string();
    place.refuses(&LISTEN, &[&spool, "letter.txt"]);
}

#[test]
fn a_spool_of_a_foreign_format() {
    let place = Place::new();
    let server = Server::in_folder(place.folder.path(), &["--suspend-delivery"]);
    let mut client = Client::connect(server.address());
    client.say("EHLO client.example");
    assert!(client.send("ann@contoso.example", "Subject: x\r\n\r\nx").starts_with("250 "));
    assert_eq!(server.stop().code, Some(0));
    assert!(!files_below(&place.path("spool")).is_empty());
    let format = place.path("spool/FORMAT");
    let original = fs::read(&format).unwrap();
    let spool = place.path("spool").display().to_string();
    let altered: Vec<u8> = original.iter().map(|octet| octet ^ 1).collect();
    for foreign in [altered, b"another program's queue".to_vec(), Vec::new()] {
        fs::write(&format, foreign).unwrap();
        place.refuses(&LISTEN, &[&spool, "FORMAT", "reads format 1"]);
    }
    // Put right, it is the same spool as before.
    fs::write(&format, original).unwrap();
    let server = Server::in_folder(place.folder.path(), &[]);
    assert_eq!(wait_for_mail(&place.path("mail"), 1).len(), 1);
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_spool_in_use_names_its_owner() {
    let place = Place::new();
    let server = Server::in_folder(place.folder.path(), &[]);
    let spool = place.path("spool").display().to_string();
    // The owner writes its spool ahead, whoever else comes; only the other shall be looked at.
    server.freeze();
    place.refuses(&LISTEN, &[&spool, "in use", &server.pid().to_string()]);
    server.thaw();
    // The owner goes on as if nothing had been.
    assert!(Client::connect(server.address()).say("NOOP").starts_with("250 "));
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_port_that_is_taken() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    place.refuses(&["--listen", &address], &[&address]);
    place.refuses(&["--listen-tls", &address], &[&address]);
    place.refuses(&["--listen", "192.0.2.1:0"], &["192.0.2.1:0"]);
}

#[test]
fn certificates_that_cannot_be_used() {
    let place = Place::new();
    let files = certificate_files(place.folder.path());
    let nothing = place.path("nothing.pem").display().to_string();
    let text = place.path("text.pem");
    fs::write(&text, "no PEM at all").unwrap();
    let text = text.display().to_string();
    let listen = ["--listen-tls", "127.0.0.1:0"];
    for (cert, key, named) in [
        (&files.cert, &files.other_key, &files.cert),
        (&nothing, &files.key, &nothing),
        (&files.cert, &nothing, &nothing),
        (&text, &files.key, &text),
        (&files.cert, &text, &text),
        (&files.key, &files.key, &files.key),
    ] {
        place.refuses(&[listen, ["--cert", cert], ["--key", key]].concat(), &[named]);
    }
    place.refuses(&[listen, ["--cert", &files.cert]].concat(), &["--cert", "--key"]);
    place.refuses(&[listen, ["--key", &files.key]].concat(), &["--cert", "--key"]);
}
