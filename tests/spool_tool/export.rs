//! Messages as files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;
use transom_queue::testing::sample_delivered;
use transom_queue::{Op, Settled};

use crate::sample::{accept, commit, open};
use crate::tool::{run_limited, run_on, tree};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn contents_are_as_they_were_stored_and_the_envelope_stands_beside() {
    let folder = TempDir::new().unwrap();
    let (spool, out) = (folder.path().join("spool"), folder.path().join("new/out"));
    let log = open(&spool);
    // None is text, which makes no difference.
    let messages = [0, 1, 3, 4]
        .map(|number| accept(&log, number, 2, usize::try_from(number).unwrap() * 40_000));
    let outcome = sample_delivered(1);
    let settled = Settled { recipient: 1, outcome, attempted: true, retry_at: None };
    let settle = Op::Settle { id: messages[1].0, recipients: vec![settled], delay_notified: false };
    commit(&log, vec![settle]);
    drop(log);

    let ended = run_on(&spool, &["export", "--to", text(&out)]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{ended:?}");
    for (id, body) in &messages {
        let file = out.join(format!("{id}.eml"));
        assert!(fs::read(&file).unwrap() == *body, "{id}");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let envelope = fs::read_to_string(out.join(format!("{}.smtp", messages[1].0))).unwrap();
    let lines: Vec<&str> = envelope.split("\r\n").collect();
    assert!(lines[0].starts_with(&format!("# message {} (", messages[1].0)), "{envelope}");
    assert_eq!(
        lines[1..],
        [
            "MAIL FROM:<sender1@contoso.com> SIZE=40000 BODY=8BITMIME RET=HDRS ENVID=QQ314159",
            "# untried:",
            "RCPT TO:<user0.of1@fabrikam.com>",
            "# delivered 2.6.0, 1 attempt:",
            "# RCPT TO:<user1.of1@fabrikam.com> NOTIFY=SUCCESS,FAILURE \
             ORCPT=rfc822;first@fabrikam.com",
            ""
        ]
    );
}

#[test]
fn nothing_is_overwritten_and_the_rest_is_exported() {
    let folder = TempDir::new().unwrap();
    let (spool, out) = (folder.path().join("spool"), folder.path().join("out"));
    let log = open(&spool);
    let messages = [1, 2, 3].map(|number| accept(&log, number, 1, 700));
    drop(log);
    fs::create_dir(&out).unwrap();
    let names = [format!("{}.eml", messages[0].0), format!("{}.smtp", messages[1].0)];
    for name in &names {
        fs::write(out.join(name), "mine").unwrap();
    }
    let ended = run_on(&spool, &["export", "--to", text(&out)]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for name in &names {
        assert_eq!(fs::read(out.join(name)).unwrap(), b"mine");
        assert!(ended.stdout.contains(&format!("{name}: File exists")), "{}", ended.stdout);
    }
    assert!(ended.stdout.contains("1 messages exported"), "{}", ended.stdout);
    assert!(fs::read(out.join(format!("{}.eml", messages[2].0))).unwrap() == messages[2].1);
    // The content without its envelope is gone again.
    assert_eq!(fs::read_dir(&out).unwrap().count(), 4);
}

#[test]
fn one_message_is_exported_by_its_id_and_an_unknown_one_named() {
    let folder = TempDir::new().unwrap();
    let (spool, out) = (folder.path().join("spool"), folder.path().join("out"));
    let log = open(&spool);
    let [_, (id, body)] = [1, 2].map(|number| accept(&log, number, 1, 700));
    drop(log);
    let chosen = ["export", "--to", text(&out), "--id", &id.to_string(), "--id", "77"];
    let ended = run_on(&spool, &chosen);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let unknown = "not exported: message 77 is not in the spool\n";
    assert!(ended.stdout.starts_with(unknown), "{}", ended.stdout);
    assert!(fs::read(out.join(format!("{id}.eml"))).unwrap() == body);
    assert_eq!(fs::read_dir(&out).unwrap().count(), 2);
}

#[test]
fn a_disk_that_takes_no_more_ends_the_export_without_a_part_of_a_message() {
    let folder = TempDir::new().unwrap();
    let (spool, out) = (folder.path().join("spool"), folder.path().join("out"));
    let log = open(&spool);
    let [small, large, last] =
        [(1, 700), (2, 300_000), (3, 700)].map(|(number, octets)| accept(&log, number, 1, octets));
    drop(log);
    let before = tree(&spool);
    // Files of 64 KiB at most: to whoever writes, as good as a disk without room.
    let ended = run_limited("-f 128", &["export", "--to", text(&out), text(&spool)]);
    assert!(tree(&spool) == before);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let name = out.join(format!("{}.eml", large.0));
    let wrong = format!("not exported: message {}: {}: File too large", large.0, name.display());
    assert!(ended.stdout.contains(&wrong), "{}", ended.stdout);
    assert!(ended.stdout.contains("1 messages exported"), "{}", ended.stdout);
    assert!(ended.stdout.contains("2 were not"), "{}", ended.stdout);
    assert!(fs::read(out.join(format!("{}.eml", small.0))).unwrap() == small.1);
    let left = [&large, &last].map(|(id, _)| out.join(format!("{id}.eml")).exists());
    assert_eq!((left, fs::read_dir(&out).unwrap().count()), ([false, false], 2));
}

#[test]
fn a_body_larger_than_the_memory_is_checked_and_exported() {
    let folder = TempDir::new().unwrap();
    let (spool, out) = (folder.path().join("spool"), folder.path().join("out"));
    let log = open(&spool);
    let (id, body) = accept(&log, 1, 1, 64 << 20);
    drop(log);
    // 48 MiB, program and all.
    for verb in [&["check"][..], &["export", "--to", text(&out)]] {
        let ended = run_limited("-v 49152", &[verb, &[text(&spool)]].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    assert!(fs::read(out.join(format!("{id}.eml"))).unwrap() == body);
}
