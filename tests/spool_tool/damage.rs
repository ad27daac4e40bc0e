//! Damage by hand: named with its place, and everything else is served.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use transom_queue::testing::{sample_deferred, sample_delivered};
use transom_queue::{AdminVerb, Intent, Op, POISON_ACTOR, Settled};
use transom_types::InternalMessageId;

use crate::sample::{accept, commit, open};
use crate::tool::{run_on, tree};

/// A spool with messages of `octets` each, and their bodies.
fn filled(spool: &Path, count: u64, octets: usize) -> Vec<(InternalMessageId, Vec<u8>)> {
    let log = open(spool);
    (0..count).map(|number| accept(&log, number, 1, octets)).collect()
}

fn files(spool: &Path, folder: &str, ending: &str) -> Vec<PathBuf> {
    let files = crate::process::files_below(&spool.join(folder));
    files.into_iter().filter(|path| path.to_str().unwrap().ends_with(ending)).collect()
}

/// Exports all, of which `lost` must fail; the others are what was accepted.
fn export_all_but(
    spool: &Path,
    messages: &[(InternalMessageId, Vec<u8>)],
    lost: &[InternalMessageId],
) -> String {
    let out = TempDir::new().unwrap();
    let ended = run_on(spool, &["export", "--to", out.path().to_str().unwrap()]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for (id, body) in messages {
        let file = out.path().join(format!("{id}.eml"));
        if lost.contains(id) {
            assert!(!file.exists(), "{id} is damaged");
            assert!(!file.with_extension("smtp").exists(), "{id} is damaged");
        } else {
            assert!(fs::read(&file).unwrap() == *body, "{id}");
        }
    }
    ended.stdout
}

#[test]
fn a_body_that_was_cut_is_named_and_the_others_are_served() {
    let folder = TempDir::new().unwrap();
    let spool = folder.path().join("spool");
    let messages = filled(&spool, 3, 200_000);
    let lost = messages[1].0;
    let blobs = files(&spool, "blob", "-0");
    assert_eq!(blobs.len(), 3);
    let cut = blobs.iter().find(|path| path.ends_with(format!("{:016x}-0", lost.0))).unwrap();
    OpenOptions::new().write(true).open(cut).unwrap().set_len(70_000).unwrap();

    let checked = run_on(&spool, &["check"]);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    let name = cut.strip_prefix(&spool).unwrap().display();
    let damage = format!("damaged: {name} at 65536: block 1 of {name} does not verify");
    assert!(checked.stdout.contains(&damage), "{}", checked.stdout);
    assert!(checked.stdout.contains(&format!("(message {lost})")), "{}", checked.stdout);
    assert!(checked.stdout.contains("2 messages wait"), "{}", checked.stdout);
    assert!(checked.stdout.ends_with("1 damages\n"), "{}", checked.stdout);
    let exported = export_all_but(&spool, &messages, &[lost]);
    assert!(exported.contains(&format!("not exported: message {lost} is damaged")), "{exported}");
    assert!(exported.contains("2 messages exported"), "{exported}");
}

#[test]
fn a_segment_that_was_deleted_is_named_and_the_others_are_served() {
    let folder = TempDir::new().unwrap();
    let spool = folder.path().join("spool");
    let messages = filled(&spool, 16, 15_000);
    let segments = files(&spool, "log", ".seg");
    assert!(segments.len() > 3, "{segments:?}");
    let gone = &segments[1];
    let content = fs::read(gone).unwrap();
    fs::remove_file(gone).unwrap();
    let lies_there = |body: &[u8]| content.windows(64).any(|window| *window == body[100..164]);
    let lost: Vec<_> =
        messages.iter().filter(|(_, body)| lies_there(body)).map(|(id, _)| *id).collect();
    assert!(!lost.is_empty() && lost.len() < messages.len());

    let checked = run_on(&spool, &["check"]);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    let name = gone.strip_prefix(&spool).unwrap().display();
    let damage = format!("damaged: {name} at 0: the segment is missing\n");
    assert!(checked.stdout.contains(&damage), "{}", checked.stdout);
    let listed = run_on(&spool, &["list", "--short"]);
    assert_eq!(listed.code, Some(1), "{listed:?}");
    let told =
        format!("spool: {damage}spool: 1 damages may have cost messages; check tells where\n");
    assert_eq!(listed.stderr, told);
    let left = messages.len() - lost.len();
    assert!(listed.stdout.ends_with(&format!("{left} messages\n")), "{}", listed.stdout);
    assert!(
        export_all_but(&spool, &messages, &lost).contains(&format!("{left} messages exported"))
    );
}

#[test]
fn one_wrong_bit_in_a_record_is_found() {
    let folder = TempDir::new().unwrap();
    let spool = folder.path().join("spool");
    let messages = filled(&spool, 3, 1_000);
    let segment = files(&spool, "log", ".seg").remove(0);
    let mut octets = fs::read(&segment).unwrap();
    let body = &messages[1].1;
    let at = octets.windows(64).position(|window| *window == body[..64]).unwrap();
    octets[at - 20] ^= 4;
    fs::write(&segment, octets).unwrap();

    let checked = run_on(&spool, &["check"]);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    let name = segment.strip_prefix(&spool).unwrap().display();
    let damage = checked.stdout.lines().next().unwrap();
    let offset = damage.strip_prefix(&format!("damaged: {name} at ")).unwrap();
    let offset: usize = offset.split(':').next().unwrap().parse().unwrap();
    assert!(offset < at && at - offset < 1_000, "{damage}");
    assert!(damage.ends_with("octets that were durable do not verify"), "{damage}");
    let ended = run_on(&spool, &["list"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("check tells where"), "{}", ended.stderr);
    export_all_but(&spool, &messages, &[messages[1].0]);
}

#[test]
fn what_holds_a_message_is_listed() {
    let folder = TempDir::new().unwrap();
    let spool = folder.path().join("spool");
    let log = open(&spool);
    let ids = [1, 2, 3, 4].map(|number| accept(&log, number, 2, 500).0);
    let settled =
        |recipient, outcome, retry_at| Settled { recipient, outcome, attempted: true, retry_at };
    let retry_at = std::time::SystemTime::now() + std::time::Duration::from_mins(121);
    let recipients =
        vec![settled(0, sample_deferred(1), Some(retry_at)), settled(1, sample_delivered(1), None)];
    let suspend =
        |id, actor: &str| Op::Admin { id, verb: AdminVerb::Suspend, actor: actor.to_owned() };
    let intent = Intent { recipients: vec![0], host: "mx.fabrikam.com".to_owned(), attempt: 1 };
    commit(&log, vec![Op::Settle { id: ids[0], recipients, delay_notified: false }]);
    commit(&log, vec![suspend(ids[1], "ann"), suspend(ids[2], POISON_ACTOR)]);
    commit(&log, vec![Op::Intent { id: ids[3], intent }]);
    drop(log);

    let listed = run_on(&spool, &["list"]);
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let lines: Vec<&str> = listed.stdout.lines().collect();
    let ends = [
        (0, "  age 1h01m  500 octets  from <sender1@contoso.com>  1 of 2 recipients open"),
        (1, "to <user0.of1@fabrikam.com>  deferred 4.3.0, 1 attempt, next in 2h00m"),
        (2, "to <user1.of1@fabrikam.com>  delivered 2.6.0, 1 attempt"),
        (3, "2 of 2 recipients open  held by ann"),
        (4, "to <user0.of2@fabrikam.com>  untried, next at once"),
        (6, "2 of 2 recipients open  poison"),
        (9, "2 of 2 recipients open  in doubt at mx.fabrikam.com"),
        (12, "4 messages"),
    ];
    for (line, end) in ends {
        assert!(lines[line].ends_with(end), "{line}: {}", listed.stdout);
    }
    let short = run_on(&spool, &["list", "--short"]);
    assert_eq!(short.stdout.lines().count(), 5, "{}", short.stdout);
    assert!(tree(&spool).len() > 5);
}
