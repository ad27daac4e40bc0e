//! Damage anywhere: the spool opens with a report (P6), serves nothing that is damaged (P7),
//! deletes nothing, and goes on serving what is whole.

use std::collections::BTreeSet;
use std::thread;

use transom_queue::testing::{CrashKind, Rng, SimFs, block_on, sample_body};
use transom_queue::{Content, StoreError};
use transom_types::InternalMessageId;

use crate::histories::accept;
use crate::ledger::{Ledger, Opened};
use crate::model::edited;
use crate::sim::{Sim, open};
use crate::workload::Workload;

/// A spool with a past: several lives, segments, blobs, and every kind of record.
fn grown(seed: u64, clean: bool) -> Sim {
    let mut sim = Sim::new(seed);
    let mut workload = Workload::new(seed);
    for _ in 0..3 {
        sim.run(&mut workload, 40).expect("commits");
        sim.crash(CrashKind::Kill);
    }
    sim.run(&mut workload, 20).expect("commits");
    if clean {
        sim.close();
    } else {
        let old = sim.store.take();
        sim.fs = sim.fs.crash(CrashKind::Kill);
        drop(old);
    }
    sim
}

/// Changes one place in one file; says what it did.
fn damage(fs: &SimFs, rng: &mut Rng, paths: &[String]) -> String {
    let path = &paths[rng.index(paths.len())];
    let mut told = String::new();
    fs.damage(path, |octets| {
        if octets.is_empty() {
            octets.push(1);
            return;
        }
        let at = rng.index(octets.len());
        let end = octets.len().min(at + 1 + rng.index(600));
        match rng.below(5) {
            0 | 1 => octets[at] ^= 1 << rng.below(8),
            2 => octets[at..end].fill(0),
            3 => octets[at..end].iter_mut().for_each(|o| *o = rng.next_u64().to_le_bytes()[0]),
            _ => octets.truncate(at),
        }
        told = format!("{path} at {at}");
    });
    told
}

fn read_all(content: &Content) -> Result<Vec<u8>, StoreError> {
    let mut body = Vec::new();
    let mut buf = [0; 4_000];
    loop {
        match content.read_at(u64::try_from(body.len()).unwrap(), &mut buf)? {
            0 => return Ok(body),
            count => body.extend_from_slice(&buf[..count]),
        }
    }
}

/// P7: what is served is what was accepted. The ids that could not be served.
fn check_served(store: &Opened, ledger: &Ledger) -> BTreeSet<InternalMessageId> {
    let model = ledger.now();
    let mut unserved = BTreeSet::new();
    for (&id, (message, state)) in &store.loaded {
        let number = u64::try_from(message.network_id.0 >> 64).unwrap();
        let stored = match block_on(store.spool.open(id)) {
            Ok(stored) => stored,
            Err(error) => {
                assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
                unserved.insert(id);
                continue;
            }
        };
        let octets = usize::try_from(message.facts.octets).unwrap();
        match read_all(&stored.content) {
            Ok(body) => {
                let right = edited(sample_body(number, octets), &state.edits);
                assert!(body == right, "{id} is served damaged");
            }
            Err(error) => {
                assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
                unserved.insert(id);
            }
        }
    }
    unserved.extend(model.open.keys().filter(|id| !store.loaded.contains_key(id)));
    unserved
}

struct Told<'t>(&'t str);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("damaged: {}", self.0);
        }
    }
}

/// What the report names is there, with its reason beside it. What was cut off is told of alone.
fn check_quarantine(fs: &SimFs, store: &Opened) {
    for name in &store.report.quarantined {
        let path = format!("quarantine/{name}");
        let why = fs.content(&format!("{path}.why.json")).expect("a reason");
        let why = String::from_utf8(why).expect("text");
        let cut_off = why.contains("ends before") || why.contains("is missing");
        let held = ["bin", "seg", "blob"].map(|ending| fs.content(&format!("{path}.{ending}")));
        assert!(cut_off || held.iter().any(Option::is_some), "{path}: {:?}", fs.paths());
    }
}

#[test]
fn damage_anywhere_is_reported_and_never_served() {
    let (mut reported, mut torn, mut unseen, mut refused) = (0, 0, 0, 0);
    for seed in 0..4 {
        let sim = grown(seed, seed % 2 == 0);
        let paths = sim.fs.paths();
        let last = paths.iter().rfind(|path| path.strip_suffix(".seg").is_some()).expect("one");
        for round in 0..25 {
            let mut rng = Rng::new(seed << 32 | round);
            let fs = sim.fs.copy();
            let places = 1 + rng.below(4);
            let told: Vec<String> = (0..places).map(|_| damage(&fs, &mut rng, &paths)).collect();
            let told = format!("seed {seed} round {round}: {}", told.join(", "));
            let _told = Told(&told);
            let Ok(store) = open(&fs) else {
                // Only a FORMAT that cannot be read keeps the spool shut, and then nothing moves.
                assert!(told.contains("FORMAT"), "does not open");
                assert_eq!(fs.paths(), paths);
                refused += 1;
                continue;
            };
            let unserved = check_served(&store, &sim.ledger);
            check_quarantine(&fs, &store);
            let model = sim.ledger.now();
            let changed = store.loaded.iter().any(|(id, (message, state))| {
                let entry = model.open.get(id);
                entry.is_none_or(|entry| (&entry.message, &entry.state) != (message, state))
            });
            let missing = unserved.iter().any(|id| !store.loaded.contains_key(id));
            if !store.report.quarantined.is_empty() {
                reported += 1;
            } else if store.report.torn_batches > 0 {
                torn += 1;
            } else if told.contains(last) {
                // The end of the last segment cannot be told from one that was never written.
                torn += 1;
            } else {
                assert!(!changed && !missing, "damage that nobody tells of: {unserved:?}");
                unseen += 1;
            }
            // Once more: the same again, and still no harm.
            let before = store.loaded.clone();
            drop(store);
            let store = open(&fs).expect("opens again");
            assert_eq!(store.loaded, before, "the second start finds the same");
            check_served(&store, &sim.ledger);
        }
    }
    println!("reported {reported}, torn tail {torn}, harmless {unseen}, refused {refused}");
    assert!(reported > 20);
}

#[test]
fn damaged_blob_costs_its_message_alone() {
    let blobs = |sim: &Sim| -> Vec<String> {
        sim.fs.paths().into_iter().filter(|path| path.starts_with("blob/")).collect()
    };
    let sims = (7..).map(|seed| grown(seed, true));
    let sim = sims.take(20).find(|sim| !blobs(sim).is_empty()).expect("one with large bodies");
    let blobs = blobs(&sim);
    for (round, path) in (0..).zip(&blobs) {
        let fs = sim.fs.copy();
        let mut rng = Rng::new(round);
        fs.damage(path, |octets| {
            let at = rng.index(octets.len());
            octets[at] ^= 0x40;
        });
        let store = open(&fs).expect("opens");
        let unserved = check_served(&store, &sim.ledger);
        let model = sim.ledger.now();
        let bodies: BTreeSet<u64> = unserved.iter().map(|id| model.open[id].number).collect();
        assert_eq!(bodies.len(), 1, "{path}: {unserved:?}");
    }
}

#[test]
fn damaged_inline_body_costs_its_message_alone() {
    let sim = grown(8, true);
    let model = sim.ledger.now();
    let mut tried = 0;
    for (&id, entry) in model.open.iter().filter(|(_, e)| (100..4_000).contains(&e.octets)) {
        let body = sample_body(entry.number, entry.octets);
        for path in sim.segments() {
            let content = sim.fs.content(&path).expect("a segment");
            let Some(at) = content.windows(64).position(|w| w == &body[..64]) else { continue };
            let fs = sim.fs.copy();
            fs.damage(&path, |octets| octets[at + 40] ^= 1);
            let store = open(&fs).expect("opens");
            for id in check_served(&store, &sim.ledger) {
                let other = &model.open[&id];
                assert_eq!(other.number, entry.number, "{id}");
            }
            tried += 1;
        }
        assert!(tried > 0, "{id} is nowhere");
    }
    assert!(tried > 3);
}

#[test]
fn ids_of_a_run_whose_segments_lost_their_headers_are_not_given_again() {
    let mut sim = Sim::new(1);
    let ids: Vec<_> = (0..3).map(|number| sim.commit(accept(number, 1, 900)).accepted[0]).collect();
    let old = sim.store.take();
    sim.fs = sim.fs.crash(CrashKind::Kill);
    drop(old);
    let newest = sim.segments().pop().expect("a segment");
    assert!(sim.fs.damage(&newest, |octets| octets[..8192].fill(1)));
    let store = open(&sim.fs).expect("opens");
    assert!(store.loaded.is_empty());
    let next = store.spool.begin(None).expect("begins").id();
    assert!(ids.iter().all(|id| *id < next), "{next} after {ids:?}");
}
