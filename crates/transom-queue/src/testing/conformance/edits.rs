//! Contents that read otherwise than they were taken in.

use transom_types::InternalMessageId;

use super::super::{sample_body, sample_delivered};
use super::{Bench, Case, LARGE, read, settle};
use crate::spool::{Edit, EditList, Fork, Op};

pub(super) const ALL: &[Case] = &[
    content_reads_with_its_edits,
    later_edits_take_the_place_of_the_earlier,
    copies_share_the_body_and_have_edits_of_their_own,
    message_is_edited_in_the_commit_that_accepts_it,
    edits_beyond_the_content_are_refused,
];

fn edit(at: usize, remove: usize, insert: &str) -> Edit {
    let octets = |number| u64::try_from(number).unwrap_or(u64::MAX);
    Edit { at: octets(at), remove: octets(remove), insert: insert.to_owned().into() }
}

pub(super) fn edits(id: InternalMessageId, list: &[Edit]) -> Op {
    Op::Edit { id, edits: EditList::new(list.to_vec()).unwrap_or_default() }
}

fn content_reads_with_its_edits(bench: &Bench) {
    for size in [100, LARGE] {
        let id = bench.accept(1, 2, size);
        let facts = bench.open(id).message.facts.clone();
        let list = [edit(0, 0, "Received: us\r\n"), edit(10, 5, "other"), edit(size - 3, 3, "")];
        bench.commit(vec![edits(id, &list)]);
        let body = sample_body(1, size);
        let parts: [&[u8]; 4] = [b"Received: us\r\n", &body[..10], b"other", &body[15..size - 3]];
        let message = bench.open(id);
        assert_eq!(read(&message), parts.concat());
        assert_eq!(usize::try_from(message.content.octets()), Ok(parts.concat().len()));
        assert_eq!(message.state.edits.edits(), list);
        assert_eq!(message.message.facts, facts, "facts are of what was taken in");
    }
}

fn later_edits_take_the_place_of_the_earlier(bench: &Bench) {
    let id = bench.accept(1, 1, 100);
    bench.commit(vec![edits(id, &[edit(0, 50, "a"), edit(60, 0, "b")])]);
    bench.commit(vec![edits(id, &[edit(0, 0, "c")])]);
    assert_eq!(read(&bench.open(id)), [b"c", &sample_body(1, 100)[..]].concat());
    bench.commit(vec![edits(id, &[])]);
    assert_eq!(read(&bench.open(id)), sample_body(1, 100));
}

fn copies_share_the_body_and_have_edits_of_their_own(bench: &Bench) {
    for size in [100, LARGE] {
        let id = bench.accept(1, 3, size);
        let fork = |place| Op::Categorize { id, forks: vec![Fork { recipients: vec![place] }] };
        let stamp = |text| edits(id, &[edit(0, 0, text)]);
        let ops = vec![stamp("one"), fork(1), stamp("two"), fork(2), stamp("three")];
        let copies = bench.commit(ops).forks;
        let body = sample_body(1, size);
        for (id, text) in [(id, "three"), (copies[0], "one"), (copies[1], "two")] {
            assert_eq!(read(&bench.open(id)), [text.as_bytes(), &body].concat());
        }
        bench.commit(vec![edits(copies[0], &[edit(size, 0, "end")])]);
        bench.commit(vec![settle(id, 0, sample_delivered(1))]);
        assert_eq!(read(&bench.open(copies[0])), [&body[..], b"end"].concat());
        assert_eq!(read(&bench.open(copies[1])), [b"two", &body[..]].concat());
    }
}

fn message_is_edited_in_the_commit_that_accepts_it(bench: &Bench) {
    let (id, accept) = bench.accept_op(1, 1, 100);
    bench.commit(vec![accept, edits(id, &[edit(0, 100, "all")])]);
    assert_eq!(read(&bench.open(id)), b"all");
}

fn edits_beyond_the_content_are_refused(bench: &Bench) {
    let id = bench.accept(1, 1, 100);
    bench.commit(vec![edits(id, &[edit(100, 0, "end")])]);
    for beyond in [edit(101, 0, "x"), edit(90, 11, "")] {
        assert!(bench.try_commit(vec![edits(id, &[beyond])]).is_err());
    }
    assert!(bench.try_commit(vec![edits(InternalMessageId(u64::MAX), &[])]).is_err());
    assert_eq!(read(&bench.open(id)), [&sample_body(1, 100)[..], b"end"].concat());
}
