//! The index's own tests.

use proptest::prelude::*;

use super::*;

#[test]
fn an_entry_with_its_key_takes_forty_octets() {
    assert_eq!(size_of::<(u64, Entry)>(), 40);
}

#[test]
fn recipients_close_one_by_one_whether_few_or_many() {
    for count in [1usize, 32, 33, 500] {
        let mut entry = Entry::new(Lsn::new(1, 8192), 100, &vec![true; count]);
        let last = u32::try_from(count).unwrap() - 1;
        assert!(entry.has(last) && !entry.has(last + 1), "{count}");
        for place in 0..=last {
            assert!(!entry.is_complete() && entry.is_open(place), "{count}");
            entry.close(place);
            assert!(!entry.is_open(place), "{count}");
        }
        assert!(entry.is_complete(), "{count}");
    }
}

#[test]
fn an_undone_group_leaves_no_trace() {
    let (index, mut changes) = (Index::default(), Changes::default());
    changes.put_entry(1, Some(Entry::new(Lsn::new(1, 8192), 100, &[true])));
    changes.begin_group();
    changes.put_entry(1, None);
    changes.put_entry(2, Some(Entry::new(Lsn::new(1, 9000), 100, &[true])));
    changes.undo_group();
    assert!(changes.entry(&index, 1).is_some());
    assert!(changes.entry(&index, 2).is_none());
}

proptest! {
    #[test]
    fn messages_behave_as_a_map(ops in prop::collection::vec((0..40u64, 0..3u8), 0..300)) {
        let (mut messages, mut model) = (Messages::default(), BTreeMap::new());
        for (step, (id, op)) in (0..).zip(ops) {
            if op == 0 {
                prop_assert_eq!(messages.remove(&id), model.remove(&id));
            } else {
                let entry = Entry::new(Lsn::new(1, step), 100, &[true]);
                let before = model.insert(id, entry.clone());
                prop_assert_eq!(messages.insert(id, entry), before);
            }
            prop_assert_eq!(messages.get(&id), model.get(&id));
            prop_assert_eq!(messages.len(), model.len());
        }
        let mut found: Vec<_> = messages.iter().map(|(id, it)| (*id, it.clone())).collect();
        found.sort_unstable_by_key(|(id, _)| *id);
        prop_assert_eq!(found, model.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn places_of_several_chunks_are_found_and_used_again() {
    let mut messages = Messages::default();
    let entry = |id: u64| Entry::new(Lsn(id), 100, &[true]);
    for round in 0..3 {
        for id in 0..10_000 {
            messages.insert(id, entry(id + round));
        }
        assert!((0..10_000).all(|id| messages.get(&id) == Some(&entry(id + round))));
        assert!((0..10_000).step_by(3).all(|id| messages.remove(&id).is_some()));
    }
}
