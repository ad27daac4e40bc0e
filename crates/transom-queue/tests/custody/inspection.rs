//! An inspection sees what the next start has, finds what is damaged, and changes nothing.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::sync::Arc;

use transom_queue::io::{OpenMode, SpoolIo};
use transom_queue::testing::{CrashKind, Rng, SimFs, block_on, sample_body};
use transom_queue::{Accepted, Content, Damage, Inspection, MessageState, StoreError};
use transom_types::InternalMessageId;

use crate::model::Step;
use crate::sim::{Sim, open};
use crate::workload::Workload;

type Seen = BTreeMap<InternalMessageId, (Accepted, MessageState, Vec<u8>)>;

fn files(fs: &SimFs) -> BTreeMap<String, Option<Vec<u8>>> {
    fs.paths().into_iter().map(|path| (path.clone(), fs.content(&path))).collect()
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

/// What an inspection shows, which leaves the disk as it was, and the damages that it finds.
fn inspected(fs: &SimFs) -> (Seen, Vec<Damage>) {
    let (before, counts) = (files(fs), fs.counts());
    let spool = Inspection::open(Arc::new(fs.clone())).expect("can be looked at");
    let mut damages = Vec::new();
    let checked = spool.check(&mut |damage| damages.push(damage.clone())).expect("a check");
    let mut seen = Seen::new();
    for id in spool.ids() {
        let Ok(stored) = spool.open_message(id) else { continue };
        let Ok(body) = read_all(&stored.content) else { continue };
        let octets = u64::try_from(body.len()).unwrap();
        assert_eq!(stored.content.octets(), octets);
        seen.insert(id, ((*stored.message).clone(), stored.state, body));
    }
    assert_eq!(checked.messages, u64::try_from(seen.len()).unwrap());
    assert_eq!(checked.damages, u64::try_from(damages.len()).unwrap());
    drop(spool);
    assert_eq!(fs.counts(), counts, "something was written");
    assert!(files(fs) == before, "something was changed");
    (seen, damages)
}

/// What the next start can serve, and whether it found damage.
fn started(fs: &SimFs) -> (Seen, bool) {
    let store = open(fs).expect("opens");
    let mut seen = Seen::new();
    for &id in store.loaded.keys() {
        let Ok(stored) = block_on(store.spool.open(id)) else { continue };
        let Ok(body) = read_all(&stored.content) else { continue };
        seen.insert(id, ((*stored.message).clone(), stored.state, body));
    }
    let damaged = !store.report.quarantined.is_empty() || seen.len() < store.loaded.len();
    (seen, damaged)
}

/// A spool with a past that was killed.
fn grown(seed: u64) -> SimFs {
    let mut sim = Sim::new(seed);
    let mut workload = Workload::new(seed);
    for _ in 0..3 {
        sim.run(&mut workload, 40).expect("commits");
        sim.crash(CrashKind::Kill);
    }
    sim.run(&mut workload, 20).expect("commits");
    let old = sim.store.take();
    let fs = sim.fs.crash(CrashKind::Kill);
    drop(old);
    fs
}

#[test]
fn after_a_crash_anywhere_an_inspection_sees_what_the_next_start_has() {
    let (mut states, mut messages) = (0, 0);
    for seed in 1..3 {
        let total = {
            let mut sim = Sim::new(seed);
            let begin = sim.fs.counts().total();
            sim.run(&mut Workload::new(seed), 60).expect("commits");
            begin..sim.fs.counts().total()
        };
        for operation in total.step_by(5) {
            for kind in [CrashKind::Kill, CrashKind::PowerCut] {
                let mut sim = Sim::new(seed);
                sim.fs.crash_at(operation);
                // It ends when the crash comes.
                let _ = sim.run(&mut Workload::new(seed), 60);
                let old = sim.store.take();
                let fs = sim.fs.crash(kind);
                drop(old);
                let (seen, damages) = inspected(&fs);
                assert_eq!(damages, [], "{seed}: {kind:?} at {operation}");
                let (next, is_bad) = started(&fs);
                assert!(!is_bad && seen == next, "{seed}: {kind:?} at {operation}");
                (states, messages) = (states + 1, messages + seen.len());
            }
        }
    }
    println!("{states} states with {messages} messages inspected");
    assert!(states > 100 && messages > states);
}

#[test]
fn damage_is_found_where_a_start_finds_it_and_the_rest_is_served() {
    let (mut found, mut rounds) = (0, 0);
    for seed in 0..3 {
        let fs = grown(seed);
        let (whole, damages) = inspected(&fs);
        assert_eq!(damages, []);
        let is_mail = |path: &String| path.strip_suffix(".seg").is_some() || path.contains("blob/");
        let paths: Vec<String> = fs.paths().into_iter().filter(is_mail).collect();
        for round in 0..40 {
            let mut rng = Rng::new(seed << 32 | round);
            let fs = fs.copy();
            let path = &paths[rng.index(paths.len())];
            let (bit, cut) = (rng.next_u64(), rng.one_in(3));
            fs.damage(path, |octets| {
                let at = rng.index(octets.len());
                if cut { octets.truncate(at) } else { octets[at] ^= 1 << (bit % 8) }
            });
            let (seen, damages) = inspected(&fs);
            for (id, message) in &seen {
                let is_right = whole.get(id).is_none_or(|right| right.2 == message.2);
                assert!(is_right, "{path}: {id} is served damaged");
            }
            let (next, is_bad) = started(&fs);
            assert!(seen == next, "{path}: not what the next start has");
            // A check looks at more: a start need not read what nobody will ask for.
            assert!(!is_bad || !damages.is_empty(), "{path}: not found");
            found += usize::from(!damages.is_empty());
            rounds += 1;
        }
    }
    println!("{found} of {rounds} damages found");
    assert!(found > rounds / 2);
}

#[test]
fn a_damaged_body_is_named_by_its_message_and_place() {
    let mut sim = Sim::new(1);
    let accept = |number, octets| Step::Accept { number, recipients: 1, octets };
    let inline = sim.commit(accept(1, 3_000)).accepted[0];
    let large = sim.commit(accept(2, 200_000)).accepted[0];
    let whole = sim.commit(accept(3, 3_000)).accepted[0];
    sim.close();
    let body = sample_body(1, 3_000);
    let place = |path: &String| {
        let octets = sim.fs.content(path).unwrap();
        octets.windows(100).position(|window| *window == body[..100])
    };
    let segments = sim.segments();
    let holds = segments.iter().find_map(|path| Some((path.clone(), place(path)?)));
    let (segment, at) = holds.expect("it is there");
    sim.fs.damage(&segment, |octets| octets[at] ^= 1);
    let blob = sim.fs.paths().into_iter().find(|path| path.contains("blob/")).expect("a file");
    sim.fs.damage(&blob, |octets| octets.truncate(150_000));
    let (seen, damages) = inspected(&sim.fs);
    assert_eq!(seen.into_keys().collect::<Vec<_>>(), [whole]);
    assert_eq!(damages.len(), 2, "{damages:?}");
    let [of_inline, of_large] = [&damages[0], &damages[1]];
    assert_eq!((&of_inline.file, of_inline.message), (&segment, Some(inline)));
    let offset = usize::try_from(of_inline.offset).unwrap();
    assert!(offset < at && at - offset < 2_000, "{of_inline}");
    assert_eq!((&of_large.file, of_large.message), (&blob, Some(large)));
    assert_eq!(of_large.offset, 2 * (64 << 10));
    assert!(of_large.to_string().contains("does not verify (message "), "{of_large}");
}

#[test]
fn a_segment_that_was_deleted_is_missed_where_anything_tells_of_it() {
    let mut sim = Sim::new(5);
    sim.run(&mut Workload::new(5), 60).expect("commits");
    sim.close();
    let segments = sim.segments();
    assert!(segments.len() > 2, "{segments:?}");
    for gone in &segments[..segments.len() - 1] {
        let fs = sim.fs.copy();
        fs.unlink(gone).unwrap();
        let (seen, damages) = inspected(&fs);
        let oldest = *gone == segments[0];
        let named = damages.iter().any(|damage| damage.file == *gone);
        assert!(named || oldest, "{gone}: {damages:?}");
        assert!(!damages.is_empty(), "{gone}");
        assert!(seen == started(&fs).0, "{gone}");
    }
}

#[test]
fn what_a_start_removes_or_holds_is_told_and_left() {
    let mut sim = Sim::new(2);
    let step = Step::Accept { number: 1, recipients: 1, octets: 50_000 };
    let id = sim.commit(step).accepted[0];
    sim.close();
    let blob = sim.fs.paths().into_iter().find(|path| path.contains("blob/")).expect("a file");
    let octets = sim.fs.content(&blob).unwrap();
    let stray = "blob/07/0000000000000007-0";
    let file = sim.fs.open(stray, OpenMode::CreateNew).unwrap();
    file.write_all_at(0, &[IoSlice::new(&octets)]).unwrap();
    let spool = Inspection::open(Arc::new(sim.fs.clone())).unwrap();
    let checked = spool.check(&mut |damage| panic!("{damage}")).unwrap();
    assert_eq!((checked.messages, checked.unreferenced, checked.content_octets), (1, 1, 50_000));
    assert_eq!(spool.ids(), [id]);
    assert!(spool.report().clean);
    assert!(sim.fs.content(stray).is_some());
}

#[test]
fn one_damaged_copy_of_a_header_is_told_and_costs_nothing() {
    let mut sim = Sim::new(3);
    let id = sim.commit(Step::Accept { number: 1, recipients: 1, octets: 500 }).accepted[0];
    sim.close();
    let segment = sim.segments().pop().expect("a segment");
    for offset in [0, 4096] {
        let fs = sim.fs.copy();
        fs.damage(&segment, |octets| octets[offset + 30] ^= 1);
        let (seen, damages) = inspected(&fs);
        assert_eq!(seen.into_keys().collect::<Vec<_>>(), [id]);
        let places: Vec<_> = damages.iter().map(|damage| (&damage.file, damage.offset)).collect();
        assert_eq!(places, [(&segment, u64::try_from(offset).unwrap())]);
    }
}
