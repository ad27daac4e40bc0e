//! What is kept beside the messages.

use transom_types::InternalMessageId;

use super::{Bench, Case, settle};
use crate::spool::{Note, Op, StoreError};
use crate::testing::sample::time;
use crate::testing::sample_delivered;

pub(super) const ALL: &[Case] = &[
    notes_read_back_by_prefix,
    later_note_takes_the_place_of_the_earlier,
    note_stands_or_falls_with_its_commit,
    note_whose_time_is_over_is_not_given,
    notes_have_limits,
];

pub(super) fn note(key: &str, value: &'static [u8]) -> Op {
    Op::Note(Note { key: key.into(), value: Some(value.into()), until: None })
}

pub(super) fn all(bench: &Bench, prefix: &str) -> Vec<(String, Vec<u8>)> {
    let notes = bench.spool.notes(prefix, time(1_000_000)).into_iter();
    notes.map(|note| (note.key, note.value.unwrap_or_default().to_vec())).collect()
}

fn notes_read_back_by_prefix(bench: &Bench) {
    bench.commit(vec![note("cursor/b", b"2"), note("key/x", b""), note("cursor/a", b"1")]);
    let cursors = [("cursor/a".into(), b"1".to_vec()), ("cursor/b".into(), b"2".to_vec())];
    assert_eq!(all(bench, "cursor/"), cursors);
    assert_eq!(all(bench, "key/"), [("key/x".into(), Vec::new())]);
    assert_eq!((all(bench, "").len(), all(bench, "nothing").len()), (3, 0));
}

fn later_note_takes_the_place_of_the_earlier(bench: &Bench) {
    bench.commit(vec![note("k", b"1"), note("k", b"2")]);
    assert_eq!(all(bench, "k"), [("k".into(), b"2".to_vec())]);
    bench.commit(vec![note("k", b"3")]);
    assert_eq!(all(bench, "k"), [("k".into(), b"3".to_vec())]);
    bench.commit(vec![Op::Note(Note { key: "k".into(), value: None, until: None })]);
    assert_eq!(all(bench, ""), []);
}

fn note_stands_or_falls_with_its_commit(bench: &Bench) {
    let missing = InternalMessageId(u64::MAX);
    let refused = bench.try_commit(vec![note("k", b"1"), settle(missing, 0, sample_delivered(1))]);
    assert!(refused.is_err());
    assert_eq!(all(bench, ""), []);
    let id = bench.accept(1, 1, 100);
    bench.commit(vec![note("k", b"1"), settle(id, 0, sample_delivered(1))]);
    assert!(bench.is_gone(id));
    assert_eq!(all(bench, "").len(), 1);
}

fn note_whose_time_is_over_is_not_given(bench: &Bench) {
    let timed = |key: &str, until| {
        Op::Note(Note { key: key.into(), value: Some("v".into()), until: Some(until) })
    };
    bench.commit(vec![timed("over", time(1_000_000)), timed("later", time(1_000_001))]);
    assert_eq!(all(bench, ""), [("later".into(), b"v".to_vec())]);
}

fn notes_have_limits(bench: &Bench) {
    let large = |key: usize, value: usize| {
        let value = Some(vec![b'v'; value].into());
        bench.try_commit(vec![Op::Note(Note { key: "k".repeat(key), value, until: None })])
    };
    let (key, value) = (Note::KEY_OCTETS_MAX, Note::VALUE_OCTETS_MAX);
    assert!(large(key, value).is_ok());
    for refused in [large(key + 1, 1), large(1, value + 1)] {
        assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
    }
}
