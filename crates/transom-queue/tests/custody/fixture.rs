//! Spools of earlier versions, kept so that every later version opens them.
//!
//! A fixture is a text: the files of a spool, and what it holds. One is added whenever the format
//! grows, by `TRANSOM_FIXTURE=<name> cargo test -p transom-queue --test custody fixture`, and none
//! is ever changed.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::IoSlice;
use std::path::PathBuf;
use std::time::SystemTime;
use std::{env, fs};

use transom_queue::io::{OpenMode, SpoolIo};
use transom_queue::testing::{CrashKind, SimFs, block_on, sample_body};
use transom_queue::{Accepted, AdminVerb, Durability, Edit, EditList, MessageState};
use transom_types::{InternalMessageId, Outcome};

use crate::histories::{accept, admin};
use crate::ledger::Opened;
use crate::model::{Step, edited};
use crate::sim::{Sim, open};
use crate::workload::Workload;

/// Octets in a line; lines of zeros are left out.
const LINE: usize = 32;

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "custody", "fixtures"].iter().collect()
}

/// A spool that was killed: with an Intent, a suspension, forks, a large body, edits, notes,
/// reclaimed and recycled segments, and records behind the mark.
fn made() -> SimFs {
    let mut sim = Sim::new(77);
    let mut workload = Workload::new(77);
    sim.run(&mut workload, 60).expect("commits");
    sim.reclaim();
    let large = sim.commit(accept(1, 2, 6_000)).accepted[0];
    sim.commit(Step::Note { key: 1, value: Some(5) });
    sim.commit(admin(large, AdminVerb::Suspend));
    let forked = sim.commit(accept(4, 3, 500)).accepted[0];
    sim.commit(Step::Categorize { id: forked, forks: vec![vec![0], vec![2]] });
    sim.commit(Step::Intent { id: forked, recipients: vec![1] });
    let stamp = Edit { at: 0, remove: 20, insert: "X-Stamp: one\r\n".into() };
    let edits = EditList::new(vec![stamp]).expect("in order");
    sim.commit(Step::Edit { id: large, edits });
    sim.try_commit(&[accept(7, 1, 100)], Durability::Buffered).expect("commit");
    sim.fs.crash(CrashKind::Kill)
}

fn write_down(fs: &SimFs) -> String {
    let mut text = String::new();
    let holds =
        |path: &String| !path.starts_with("reserve/") && path.strip_suffix(".free").is_none();
    for path in fs.paths().into_iter().filter(holds) {
        let content = fs.content(&path).expect("a file");
        writeln!(text, "file {path} {}", content.len()).unwrap();
        for (number, line) in content.chunks(LINE).enumerate() {
            if line.iter().any(|octet| *octet != 0) {
                write!(text, "{} ", number * LINE).unwrap();
                for octet in line {
                    write!(text, "{octet:02x}").unwrap();
                }
                text.push('\n');
            }
        }
    }
    text
}

fn read_back(text: &str) -> SimFs {
    let mut files: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    let mut path = "";
    for line in text.lines().take_while(|line| !line.starts_with("holds")) {
        if let Some(named) = line.strip_prefix("file ") {
            let (name, octets) = named.rsplit_once(' ').expect("a length");
            path = name;
            files.insert(path, vec![0; octets.parse().unwrap()]);
            continue;
        }
        let (at, hex) = line.split_once(' ').expect("an offset");
        let at: usize = at.parse().unwrap();
        for (number, pair) in hex.as_bytes().chunks(2).enumerate() {
            let pair = std::str::from_utf8(pair).unwrap();
            files.get_mut(path).unwrap()[at + number] = u8::from_str_radix(pair, 16).unwrap();
        }
    }
    let fs = SimFs::new(1);
    for (path, content) in files {
        if let Some((folder, _)) = path.rsplit_once('/') {
            fs.create_dir(folder.split('/').next().unwrap()).expect("a folder");
            fs.create_dir(folder).expect("a folder");
        }
        let file = fs.open(path, OpenMode::CreateNew).expect("a file");
        file.write_all_at(0, &[IoSlice::new(&content)]).expect("a write");
    }
    fs
}

/// Named field by field: what a later version adds must not change it.
fn describe(id: InternalMessageId, message: &Accepted, state: &MessageState) -> String {
    let mut text = format!(
        "message {} network {:x} parent {:?} received {:?} from {} by {}\n",
        id.0,
        message.network_id.0,
        message.parent.map(|parent| parent.0),
        message.received_at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs(),
        message.envelope.reverse_path,
        message.ingress.connector,
    );
    for (recipient, now) in message.envelope.recipients.iter().zip(&state.recipients) {
        let retry_at = now.retry_at.map(|at| at.duration_since(SystemTime::UNIX_EPOCH).unwrap());
        let outcome = now.outcome.as_ref().map(Outcome::is_terminal);
        let (path, attempts) = (&recipient.forward_path, now.attempts);
        writeln!(text, "  to {path} attempts {attempts} retry {retry_at:?} ends {outcome:?}")
            .unwrap();
    }
    for edit in state.edits.edits() {
        writeln!(text, "  edit {} {} {:?}", edit.at, edit.remove, edit.insert).unwrap();
    }
    let intent = state.intent.as_ref().map(|it| (&it.recipients, &it.host, it.attempt));
    writeln!(text, "  {intent:?} {:?} {}", state.suspended, state.delay_notified).unwrap();
    text
}

/// All that the spool holds, bodies checked, as text.
fn holds(store: &Opened) -> String {
    let mut text = String::from("holds\n");
    for (id, (message, state)) in &store.loaded {
        text += &describe(*id, message, state);
        let stored = block_on(store.spool.open(*id)).expect("opens");
        let octets = usize::try_from(message.facts.octets).unwrap();
        let number = u64::try_from(message.network_id.0 >> 64).unwrap();
        let right = edited(sample_body(number, octets), &state.edits);
        let mut body = vec![0; right.len() + 1];
        assert_eq!(stored.content.read_at(0, &mut body), Ok(right.len()));
        assert!(body[..right.len()] == right, "the body of {id}");
    }
    for note in store.spool.notes("", SystemTime::UNIX_EPOCH) {
        writeln!(text, "note {} {:?}", note.key, note.value).unwrap();
    }
    text
}

#[test]
fn spools_of_every_earlier_version_open_with_all_they_hold() {
    if let Ok(name) = env::var("TRANSOM_FIXTURE") {
        let fs = made();
        let text = write_down(&fs) + &holds(&open(&read_back(&write_down(&fs))).expect("opens"));
        let path = folder().join(format!("{name}.txt"));
        assert!(!path.exists(), "{}: a fixture is never changed", path.display());
        fs::write(path, text).unwrap();
    }
    let mut count = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let store = open(&read_back(&text)).expect("opens");
        assert_eq!(store.report.quarantined, Vec::<String>::new(), "{}", path.display());
        let (_, held) = text.split_once("\nholds\n").expect("what it holds");
        assert_eq!(holds(&store), format!("holds\n{held}"), "{}", path.display());
        count += 1;
    }
    assert!(count >= 1);
}
