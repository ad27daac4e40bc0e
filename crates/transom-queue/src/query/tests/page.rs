//! Sorting, and pages while rows come and go.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn sort(text: &str) -> Sort<Field> {
    text.parse().unwrap_or_else(|wrong| panic!("{text}: {wrong}"))
}

fn row(id: u64, name: &str, count: i64) -> Thing {
    Thing { id, name: Some(name.into()), count, ..Thing::default() }
}

fn ids(page: &Page<Thing>) -> Vec<u64> {
    page.rows.iter().map(|thing| thing.id).collect()
}

#[test]
fn sort_order_is_read_and_printed() {
    for (text, printed) in [
        ("", ""),
        ("name", "+DisplayName"),
        ("-ThingCount, +colour", "-ThingCount,+Colour"),
        ("+AGE,-last-seen", "+ThingAge,-LastSeenTime"),
    ] {
        let found = sort(text);
        assert_eq!(found.to_string(), printed, "{text}");
        assert_eq!(sort(printed), found, "{text}");
    }
    for (text, message) in [
        ("name,-coutn", "column 6: no property \"coutn\"; did you mean count?"),
        (",", "column 1: no property \"\""),
        ("name,+DisplayName", "column 6: DisplayName a second time"),
        ("tags", "column 1: rows cannot be sorted by Tags, of which one may have several"),
    ] {
        assert_eq!(text.parse::<Sort<Field>>().unwrap_err().to_string(), message, "{text}");
    }
}

#[test]
fn rows_come_in_order_and_equal_ones_by_id() {
    let rows = || {
        let nameless = Thing { id: 9, count: 5, ..Thing::default() };
        [row(3, "b", 1), row(1, "B", 2), nameless, row(2, "a", 1)]
    };
    for (order, expected) in [
        ("", [1, 2, 3, 9]),
        ("name", [9, 2, 1, 3]),
        ("-name", [1, 3, 2, 9]),
        ("count,-name", [3, 2, 1, 9]),
        ("-count,name", [9, 1, 2, 3]),
    ] {
        let page = Query::new(1).with_sort(sort(order)).page(rows()).unwrap();
        assert_eq!(ids(&page), expected, "{order}");
        assert_eq!((page.total, page.before), (4, 0));
        assert_eq!((page.next, page.previous), (None, None));
    }
}

#[test]
fn words_sort_in_their_own_order() {
    let rows = (0..3).map(|colour| Thing { id: 9 - colour as u64, colour, ..Thing::default() });
    let page = Query::new(1).with_sort(sort("colour")).page(rows).unwrap();
    let colours: Vec<&str> = page.rows.iter().map(|thing| COLOURS[thing.colour]).collect();
    assert_eq!(colours, ["Red", "Green", "Blue"]);
}

#[test]
fn pages_go_forward_and_back() {
    let rows: Vec<Thing> =
        (0..7).zip((1..8).rev()).map(|(id, count)| row(id, "x", count)).collect();
    let query = Query::new(1).with_sort(sort("count")).with_rows_max(3);
    let at = |start| query.clone().with_start(start).page(rows.clone()).unwrap();
    let first = at(PageStart::First);
    assert_eq!((ids(&first), first.before, first.previous), (vec![6, 5, 4], 0, None));
    let second = at(PageStart::After(first.next.unwrap()));
    assert_eq!((ids(&second), second.before, second.total), (vec![3, 2, 1], 3, 7));
    let third = at(PageStart::After(second.next.unwrap()));
    assert_eq!((ids(&third), third.before, third.next), (vec![0], 6, None));
    let back = at(PageStart::Before(third.previous.unwrap()));
    assert_eq!((ids(&back), back.before), (vec![3, 2, 1], 3));
    let start = at(PageStart::Before(back.previous.unwrap()));
    assert_eq!((ids(&start), start.before, start.previous), (vec![6, 5, 4], 0, None));
    let last = at(PageStart::Last);
    assert_eq!((ids(&last), last.before, last.next), (vec![2, 1, 0], 4, None));
}

#[test]
fn cursor_of_another_list_is_refused() {
    let rows = || [row(1, "a", 1), row(2, "b", 2)];
    let query = Query::new(7)
        .with_filter("count >= 1".parse().unwrap())
        .with_sort(sort("name"))
        .with_rows_max(1);
    let cursor = query.page(rows()).unwrap().next.unwrap();
    let start = PageStart::After(cursor.clone());
    let refusal = |query: Query<Field>| {
        query.with_start(start.clone()).page(rows()).err().map(|wrong| wrong.to_string())
    };
    // The plain spelling and Exchange's are one filter.
    let same = query.clone().with_filter("ThingCount -ge 1".parse().unwrap());
    assert_eq!(refusal(same), None);
    let begin = "begin again at the first page";
    let other = Query { source: 8, ..query.clone() };
    assert_eq!(refusal(other), Some(format!("the cursor is of another spool: {begin}")));
    let other = query.clone().with_filter("count >= 2".parse().unwrap());
    let text = format!("the cursor is of a list with another filter: {begin}");
    assert_eq!(refusal(other), Some(text));
    let other = query.clone().with_sort(sort("-name"));
    let text = format!("the cursor is of a list in another order: {begin}");
    assert_eq!(refusal(other), Some(text));
    let cut = Cursor { keys: Vec::new(), ..cursor };
    let cut = query.with_start(PageStart::After(cut)).page(rows());
    assert_eq!(cut.err(), Some(CursorError::Malformed));
}

#[test]
fn text_that_is_no_cursor_is_refused() {
    for text in [
        "",
        "c1",
        "c2.1.2.3.4.5",
        "c1.1.2.3.4",
        "c1.1.2.3.4.g",
        "c1.1.2.3.4.+5",
        "c1.100000000000000000000000000000000.2.3.4.5",
        "c1.1.100000000.3.4.5",
        "c1.1.2.3.4.5.",
        "c1.1.2.3.4.5.x",
        "c1.1.2.3.4.5.a1",
        "c1.1.2.3.4.5.t1",
        "c1.1.2.3.4.5.tff",
        "c1.1.2.3.4.5.t+1",
        "c1.1.2.3.4.5.i1",
        "c1.1.2.3.4.5.i1_3b9aca00",
        "c1.1.2.3.4.5.iffffffffffffffff_0",
        "c1.1.2.3.4.5.\u{e4}",
    ] {
        assert_eq!(text.parse::<Cursor>(), Err(CursorError::Malformed), "{text}");
    }
    let long = format!("c1.1.2.3.4.5.t{}", "61".repeat(4096));
    assert_eq!(long.parse::<Cursor>(), Err(CursorError::Malformed));
}

#[test]
fn longest_cursor_can_be_read() {
    let name = "\u{10ffff}".repeat(100);
    let rows = (1..3).map(|id| Thing {
        id,
        age: Some(Duration::MAX),
        name: Some(name.clone()),
        seen: Some(at(u64::MAX >> 1) + Duration::from_nanos(1)),
        ..Thing::default()
    });
    let sort = sort("name,age,last-seen,count,colour");
    let page = Query::new(u128::MAX).with_sort(sort).with_rows_max(1).page(rows).unwrap();
    let cursor = page.next.unwrap();
    assert_eq!(cursor.to_string().parse(), Ok(cursor));
}

#[test]
fn page_keeps_no_more_rows_than_it_shows() {
    // Each row is made when it is asked for; the counter sees how many are alive.
    use std::rc::Rc;
    struct Counted(Thing, #[expect(dead_code, reason = "counts")] Rc<()>);
    impl Row for Counted {
        type Property = Field;
        fn id(&self) -> RowId {
            self.0.id()
        }
        fn value(&self, property: Field) -> Value<'_> {
            self.0.value(property)
        }
    }
    let alive = Rc::new(());
    let mut most = 0;
    let rows = (0..10_000).map(|id| {
        most = most.max(Rc::strong_count(&alive));
        Counted(row(id * 7919 % 10_000, "x", 0), Rc::clone(&alive))
    });
    let page = Query::new(1).with_rows_max(10).page(rows).unwrap();
    assert!(page.rows.iter().map(|row| row.0.id).eq(0..10));
    assert!(most <= 12, "{most} rows at a time");
}

fn order() -> impl Strategy<Value = Sort<Field>> {
    let orders = ["", "name", "-name", "count,-colour", "-last-seen,age", "-count,name,-age"];
    proptest::sample::select(orders.to_vec()).prop_map(sort)
}

proptest! {
    /// Rows come and go between any two pages; cursors go through their text.
    #[test]
    fn rows_that_stay_are_seen_exactly_once(
        staying in proptest::collection::vec(things(), 0..40),
        moving in proptest::collection::vec((things(), any::<u8>()), 0..40),
        sort in order(),
        size in 1usize..6,
        filter in proptest::sample::select(vec!["", "count != 2", "name like '*a*' or age > 30s"]),
        back: bool,
    ) {
        let filter: Filter<Field> = filter.parse().unwrap();
        let number = |(id, mut thing): (u64, Thing)| { thing.id = id; thing };
        let staying: Vec<Thing> = (0..).step_by(2).zip(staying).map(number).collect();
        let moving: Vec<(Thing, u8)> = (1..).step_by(2).zip(moving)
            .map(|(id, (thing, when))| (number((id, thing)), when)).collect();
        let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
        let mut start = if back { PageStart::Last } else { PageStart::First };
        let mut all = Vec::new();
        for round in 0u8.. {
            let moved = moving.iter().filter(|(_, when)| when.wrapping_add(round) % 3 == 0);
            let rows = staying.iter().chain(moved.map(|(thing, _)| thing)).cloned();
            let query = Query::new(1).with_filter(filter.clone()).with_sort(sort.clone());
            let query = query.with_rows_max(size).with_start(start);
            let page = query.page(rows.clone()).unwrap();
            let through = rows.filter(|row| filter.matches(row)).count();
            prop_assert_eq!(page.total, u64::try_from(through).unwrap());
            let mut shown = ids(&page);
            for id in &shown {
                *seen.entry(*id).or_default() += 1;
            }
            if back { shown.reverse(); }
            all.extend(shown);
            let Some(cursor) = (if back { page.previous } else { page.next }) else { break };
            let again: Cursor = cursor.to_string().parse().unwrap();
            prop_assert_eq!(&again, &cursor);
            start = if back { PageStart::Before(again) } else { PageStart::After(again) };
        }
        for thing in &staying {
            let expected = usize::from(filter.matches(thing));
            prop_assert_eq!(seen.get(&thing.id).copied().unwrap_or(0), expected, "{:?}", thing);
        }
        prop_assert!(seen.values().all(|times| *times == 1));
        // And all in one order, whatever came between.
        let by_id: BTreeMap<u64, &Thing> =
            staying.iter().chain(moving.iter().map(|(t, _)| t)).map(|t| (t.id, t)).collect();
        let query = Query::new(1).with_sort(sort).with_rows_max(100);
        let whole = query.page(all.iter().map(|id| by_id[id].clone())).unwrap();
        let mut whole = ids(&whole);
        if back { whole.reverse(); }
        prop_assert_eq!(whole, all);
    }
}
