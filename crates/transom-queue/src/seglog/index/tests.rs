//! The index's own tests.

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
