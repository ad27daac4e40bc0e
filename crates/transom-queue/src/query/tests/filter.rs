//! The text of filters, and what they let through.

use std::time::Duration;

use proptest::prelude::*;
use transom_types::Timestamp;

use super::*;

fn parse(text: &str) -> Filter<Field> {
    text.parse().unwrap_or_else(|wrong| panic!("{text}: {wrong}"))
}

fn error(text: &str) -> String {
    match text.parse::<Filter<Field>>() {
        Ok(filter) => panic!("{text} was read as {filter}"),
        Err(wrong) => wrong.to_string(),
    }
}

#[test]
fn both_spellings_mean_the_same() {
    for (exchange, plain) in [
        ("{Colour -eq \"Green\" -and ThingCount -ge 10}", "colour = green and count >= 10"),
        ("Colour -ne 'Red' -or ThingCount -lt 3", "colour != Red || count<3"),
        ("-not (ThingCount -gt 1 -or ThingCount -le 0)", "!(count>1 or count <=0)"),
        ("DisplayName -like '*o''h*'", "name like \"*o'h*\""),
        ("LastSeenTime -ge '2026-11-24T00:00:00Z'", "last-seen >= 2026-11-24"),
        ("ThingAge -gt '1.02:00:00'", "age > 1d2h"),
        ("ThingAge -eq '00:01:30'", "AGE == 90s"),
        ("ThingCount -gt 4096", "count > 4KB"),
        ("DisplayName -ne $null", "name <> $NULL"),
        ("{ }", ""),
    ] {
        let filter = parse(exchange);
        assert_eq!(filter, parse(plain), "{exchange} / {plain}");
        assert_eq!(filter, parse(&filter.to_string()), "{filter}");
        assert_eq!(filter, parse(&filter.plain().to_string()), "{}", filter.plain());
    }
}

#[test]
fn filter_prints_in_one_form() {
    for (text, exchange, plain) in [
        ("((count=1))", "ThingCount -eq 1", "count = 1"),
        (
            "count=1 or (count=2 and count=3)",
            "ThingCount -eq 1 -or ThingCount -eq 2 -and ThingCount -eq 3",
            "count = 1 or count = 2 and count = 3",
        ),
        (
            "(count=1 or count=2) and not not (name='a')",
            "(ThingCount -eq 1 -or ThingCount -eq 2) -and -not -not DisplayName -eq 'a'",
            "(count = 1 or count = 2) and not not name = a",
        ),
        ("name = \"a'\"\"b\"", "DisplayName -eq 'a''\"b'", "name = \"a'\"\"b\""),
        ("name = 'and'", "DisplayName -eq 'and'", "name = \"and\""),
        ("name = '-x'", "DisplayName -eq '-x'", "name = \"-x\""),
        ("name = '$null'", "DisplayName -eq '$null'", "name = \"$null\""),
        ("name = ''", "DisplayName -eq ''", "name = \"\""),
        ("age < 1d1s", "ThingAge -lt '1.00:00:01'", "age < 1d1s"),
        ("age < 0m", "ThingAge -lt '00:00:00'", "age < 0s"),
    ] {
        let filter = parse(text);
        assert_eq!(filter.to_string(), exchange, "{text}");
        assert_eq!(filter.plain().to_string(), plain, "{text}");
    }
}

#[test]
fn filter_lets_through_what_it_says() {
    for (text, through) in [
        ("", true),
        ("count = 10", true),
        ("count != 10", false),
        ("count > 9 and count >= 10 and count < 11 and count <= 10", true),
        ("count > 10 or count < 10", false),
        ("not count > 10", true),
        ("colour = GREEN", true),
        ("colour != green", false),
        ("colour = blue", false),
        ("name = 'ann o''hara'", true),
        ("name like 'ann*'", true),
        ("name like '*HARA'", true),
        ("name like '*n*o*a'", true),
        ("name like 'ann'", false),
        ("name like '*x*'", false),
        ("name like '*'", true),
        ("name > 'ann' and name < 'bob'", true),
        ("tags like '*@contoso.com'", true),
        ("tags = 'two@fabrikam.com'", true),
        ("tags = 'contoso.com'", false),
        ("tags != 'contoso.com'", true),
        ("tags != 'one@contoso.com'", false),
        // Half a second past counts as the second.
        ("last-seen = 2026-11-24T12:00:00Z", true),
        ("last-seen > 2026-11-24T12:00:00Z", false),
        ("last-seen >= 2026-11-24 and last-seen < 2026-11-25", true),
        ("last-seen > 2026-11-24T12:30:00+01:00", true),
        ("age = 1d2h3m4s", true),
        ("age > '1.02:03:03'", true),
        ("age > 1563m4s", false),
        ("age = $null", false),
        ("age != $null", true),
        ("name = $null", false),
    ] {
        assert_eq!(parse(text).matches(&thing()), through, "{text}");
    }
}

#[test]
fn absent_value_equals_nothing_but_null() {
    let thing = Thing::default();
    for (text, through) in [
        ("name = $null", true),
        ("name != $null", false),
        ("name = ''", false),
        ("name != ''", true),
        ("name like '*'", false),
        ("age < 1s", false),
        ("age >= 0s", false),
        ("last-seen != 2026-11-24", true),
        ("tags = $null", false),
        ("tags like '*'", false),
    ] {
        assert_eq!(parse(text).matches(&thing), through, "{text}");
    }
}

#[test]
fn error_names_place_and_nearest_name() {
    for (text, message) in [
        ("coutn = 1", "column 1: no property \"coutn\"; did you mean count?"),
        ("ThingCuont = 1", "column 1: no property \"ThingCuont\"; did you mean ThingCount?"),
        ("count=1 and zebra = 1", "column 13: no property \"zebra\""),
        ("count -eqq 1", "column 7: no operator \"-eqq\"; did you mean -eq?"),
        ("count is 1", "column 7: no operator \"is\""),
        ("colour = gren", "column 10: \"gren\" is no Colour; did you mean Green?"),
        ("colour = violet", "column 10: \"violet\" is no Colour; it is one of Red, Green, Blue"),
        ("colour > red", "column 8: -gt does not go with Colour, which takes -eq and -ne"),
        (
            "count like 1",
            "column 7: -like does not go with ThingCount, which takes \
             -eq, -ne, -gt, -ge, -lt and -le",
        ),
        ("age < $null", "column 5: -lt does not go with $null, which takes -eq and -ne"),
        ("count = ten", "column 9: ThingCount is a number as 10 or 4KB, not \"ten\""),
        ("age = 5", "column 7: ThingAge is a duration as 90m, 1d2h or 1.02:00:00, not \"5\""),
        (
            "last-seen > yesterday",
            "column 13: LastSeenTime is an instant as 2026-11-24T12:00:00Z or 2026-11-24, \
             not \"yesterday\"",
        ),
        ("count =", "column 8: expected a value, found the end"),
        ("count = and", "column 9: expected a value, found \"and\""),
        ("count -eq -and", "column 11: expected a value, found \"-and\""),
        ("count", "column 6: expected an operator, found the end"),
        ("count = 1 count = 2", "column 11: expected -and, -or or the end, found \"count\""),
        ("(count = 1", "column 11: expected -and, -or or \")\", found the end"),
        ("count = 1)", "column 10: expected -and, -or or the end, found \")\""),
        ("{count = 1", "column 11: expected -and, -or or \"}\", found the end"),
        ("{count = 1} x", "column 13: expected the end, found \"x\""),
        ("count = 1 and", "column 14: expected a property, -not or \"(\", found the end"),
        ("'count' = 1", "column 1: expected a property, -not or \"(\", found the text \"count\""),
        ("name = 'ann", "column 8: a quote that is not closed"),
        ("name = 'a\u{7}b'", "column 8: a control character in a value"),
        ("count=1 & count=2", "column 9: expected -and, -or or the end, found \"&\""),
        // A column is a character, not an octet.
        ("name = '\u{e4}\u{e4}' and x = 1", "column 17: no property \"x\""),
    ] {
        assert_eq!(error(text), message, "{text}");
    }
    let long = error(&format!("{} = 1", "z".repeat(100)));
    assert_eq!(long, format!("column 1: no property \"{}...\"", "z".repeat(32)));
}

#[test]
fn numbers_that_are_too_large_are_refused() {
    for text in [
        "count = 9223372036854775808",
        "count = 18446744073709551616",
        "count = 8388608TB",
        "count = --1",
        "count = -",
        "age = 300000000000000d",
    ] {
        let message = error(text);
        assert!(message.contains(" is a ") || message.contains("a value"), "{text}: {message}");
    }
    assert_eq!(parse("count = 8388607TB"), parse("count = 9223370937343148032"));
    assert!(parse("count > -1").matches(&Thing::default()));
    assert!(!parse("ThingCount -le -1KB").matches(&Thing::default()));
}

#[test]
fn spans_of_time_are_read_in_both_forms() {
    for (text, seconds) in [
        ("90m", 5400),
        ("1d1d", 172_800),
        ("1H", 3600),
        ("23:59:59", 86_399),
        ("10.00:00:00", 864_000),
    ] {
        let expected = Literal::Duration(Duration::from_secs(seconds));
        assert_eq!(Literal::parse(Kind::Duration, text), Some(expected), "{text}");
    }
    for text in ["", "d", "5", "1x", "1d2", "24:00:00", "1:00:00", "00:60:00", "00:00", "1.", ":"] {
        assert_eq!(Literal::parse(Kind::Duration, text), None, "{text}");
    }
}

#[test]
fn depth_length_and_number_of_comparisons_are_bounded() {
    let nested = |depth: usize| format!("{}count=1{}", "(".repeat(depth), ")".repeat(depth));
    parse(&nested(32));
    assert_eq!(error(&nested(33)), "column 33: more than 32 levels");
    assert_eq!(error(&nested(30_000)), "column 33: more than 32 levels");
    assert_eq!(error(&format!("{}count=1", "!".repeat(33))), "column 33: more than 32 levels");
    let many = |count: usize| vec!["count=1"; count].join(" or ");
    parse(&many(64));
    assert_eq!(error(&many(65)), "column 705: more than 64 comparisons");
    let name = |octets: usize| format!("name = '{}'", "x".repeat(octets));
    parse(&name(256));
    assert!(error(&name(257)).starts_with("column 8: DisplayName is a text of at most 256"));
    assert_eq!(error(&" ".repeat(65_537)), "a filter of 65537 octets, more than 65536");
}

/// Of all that the limits allow, what prints longest can still be read.
#[test]
fn longest_filter_can_be_read_again() {
    let value = "'".repeat(512);
    let nots = "!".repeat(30);
    let one = format!("{nots}last-seen<>'2026-11-24' || {nots}name like '{value}'");
    let filter = parse(&format!("({})", vec![format!("({one})"); 32].join("&&")));
    assert_eq!(parse(&filter.to_string()), filter);
    assert_eq!(parse(&filter.plain().to_string()), filter);
}

#[test]
fn errors_stay_small() {
    assert!(size_of::<ParseFilterError>() <= 96, "{}", size_of::<ParseFilterError>());
    assert!(size_of::<ParseSortError>() <= 64, "{}", size_of::<ParseSortError>());
}

#[test]
fn filter_tells_what_it_asks_for() {
    let filter = parse("not (count = 1 or name = x)");
    assert!(filter.uses(|field| field == Field::Name));
    assert!(!filter.uses(|field| field == Field::Age));
    assert!(!Filter::<Field>::default().uses(|_| true));
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-cA-C*]{0,4}", "\\PC{0,20}", "(and|or|-eq|\\$null|''|\"|\\\\){0,3}"]
}

fn literal(kind: Kind) -> BoxedStrategy<Literal> {
    match kind {
        Kind::Duration => {
            (0u64..200).prop_map(|seconds| Literal::Duration(Duration::from_secs(seconds))).boxed()
        }
        Kind::Instant => (0i64..200)
            .prop_map(|unix| Literal::Instant(Timestamp::from_unix(unix).unwrap()))
            .boxed(),
        Kind::Number => prop_oneof![
            -1i64..4,
            any::<i64>().prop_filter("the smallest has no opposite", |n| *n > i64::MIN)
        ]
        .prop_map(Literal::Number)
        .boxed(),
        Kind::Text | Kind::Texts => {
            text().prop_map(|text| Literal::parse(Kind::Text, &text).unwrap()).boxed()
        }
        Kind::Word(words) => proptest::sample::select(words).prop_map(Literal::Word).boxed(),
    }
}

fn comparison() -> impl Strategy<Value = Condition<Field>> {
    let property = proptest::sample::select(Field::ALL);
    let pair = (property, any::<proptest::sample::Index>(), any::<bool>());
    pair.prop_flat_map(|(property, operator, null)| {
        let operators: &[Operator] = match property.kind() {
            Kind::Word(_) => &Operator::ALL[..2],
            Kind::Text | Kind::Texts => &Operator::ALL,
            _ => &Operator::ALL[..6],
        };
        let operator = *operator.get(operators);
        let literal = if null && matches!(operator, Operator::Eq | Operator::Ne) {
            Just(Literal::Null).boxed()
        } else {
            literal(property.kind())
        };
        literal
            .prop_map(move |literal| Condition::Compare(Comparison { property, operator, literal }))
    })
}

fn filter() -> impl Strategy<Value = Filter<Field>> {
    let condition = comparison().prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Condition::Any),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Condition::All),
            inner.prop_map(|one| Condition::Not(Box::new(one))),
        ]
    });
    proptest::option::weighted(0.95, condition).prop_map(|condition| Filter { condition })
}

proptest! {
    #[test]
    fn what_is_printed_reads_as_the_same_filter(filter in filter()) {
        let exchange = filter.to_string();
        prop_assert_eq!(exchange.parse(), Ok(filter.clone()), "{}", exchange);
        let plain = filter.plain().to_string();
        prop_assert_eq!(plain.parse(), Ok(filter.clone()), "{}", plain);
        let braces = format!("{{{exchange}}}");
        prop_assert_eq!(braces.parse(), Ok(filter.clone()), "{}", braces);
    }

    #[test]
    fn any_text_is_read_or_refused_with_a_place_in_it(text in "\\PC{0,60}") {
        if let Err(wrong) = text.parse::<Filter<Field>>() {
            let message = wrong.to_string();
            let column = message.strip_prefix("column ").unwrap().split(':').next().unwrap();
            let column: usize = column.parse().unwrap();
            prop_assert!((1..=text.chars().count() + 1).contains(&column), "{}", message);
        }
    }

    #[test]
    fn not_is_the_opposite_and_groups_are_their_members(
        one in filter(), two in filter(), thing in things(),
    ) {
        let (Some(a), Some(b)) = (one.condition.clone(), two.condition.clone()) else {
            return Ok(());
        };
        let holds = |condition| Filter { condition: Some(condition) }.matches(&thing);
        let (first, second) = (one.matches(&thing), two.matches(&thing));
        prop_assert_eq!(holds(Condition::Not(Box::new(a.clone()))), !first);
        prop_assert_eq!(holds(Condition::All(vec![a.clone(), b.clone()])), first && second);
        prop_assert_eq!(holds(Condition::Any(vec![a, b])), first || second);
    }

    #[test]
    fn wildcards_match_as_a_naive_matcher_does(
        pattern in "[ab*]{0,8}", text in "[ab]{0,10}",
    ) {
        fn naive(pattern: &[u8], text: &[u8]) -> bool {
            match pattern {
                [] => text.is_empty(),
                [b'*', rest @ ..] => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
                [c, rest @ ..] => text.first() == Some(c) && naive(rest, &text[1..]),
            }
        }
        let expected = naive(pattern.as_bytes(), text.as_bytes());
        prop_assert_eq!(evaluate::is_like(&text, &pattern), expected);
    }
}
