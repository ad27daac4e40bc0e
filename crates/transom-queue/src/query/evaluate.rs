//! Whether a condition holds for a row.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::time::{Duration, SystemTime};

use super::literal::Literal;
use super::{Comparison, Condition, Operator, Property, Row, Value};

impl<P: Property> Condition<P> {
    pub(super) fn holds<R: Row<Property = P>>(&self, row: &R) -> bool {
        match self {
            Self::Any(each) => each.iter().any(|one| one.holds(row)),
            Self::All(each) => each.iter().all(|one| one.holds(row)),
            Self::Not(one) => !one.holds(row),
            Self::Compare(comparison) => comparison.holds(&row.value(comparison.property)),
        }
    }

    pub(super) fn uses(&self, which: &impl Fn(P) -> bool) -> bool {
        match self {
            Self::Any(each) | Self::All(each) => each.iter().any(|one| one.uses(which)),
            Self::Not(one) => one.uses(which),
            Self::Compare(comparison) => which(comparison.property),
        }
    }
}

impl<P> Comparison<P> {
    fn holds(&self, value: &Value<'_>) -> bool {
        match self.operator {
            Operator::Ne => !compare(value, Operator::Eq, &self.literal),
            operator => compare(value, operator, &self.literal),
        }
    }
}

fn compare(value: &Value<'_>, operator: Operator, literal: &Literal) -> bool {
    match (value, literal) {
        (Value::Absent, Literal::Null) => true,
        (Value::Number(a), Literal::Number(b)) => operator.allows(a.cmp(b)),
        (Value::Instant(a), Literal::Instant(b)) => operator.allows(seconds(*a).cmp(&b.unix())),
        (Value::Duration(a), Literal::Duration(b)) => {
            operator.allows(a.as_secs().cmp(&b.as_secs()))
        }
        (Value::Word(a), Literal::Word(b)) => operator.allows(a.cmp(b)),
        (Value::Text(text), Literal::Text { folded, .. }) => compare_text(text, operator, folded),
        (Value::Texts(texts), Literal::Text { folded, .. }) => {
            texts.iter().any(|text| compare_text(text, operator, folded))
        }
        _ => false,
    }
}

fn compare_text(text: &str, operator: Operator, folded: &str) -> bool {
    let text = fold(text);
    match operator {
        Operator::Like => is_like(&text, folded),
        _ => operator.allows(text.as_ref().cmp(folded)),
    }
}

impl Operator {
    fn allows(self, ordering: Ordering) -> bool {
        match self {
            Self::Eq => ordering.is_eq(),
            Self::Ne => ordering.is_ne(),
            Self::Gt => ordering.is_gt(),
            Self::Ge => ordering.is_ge(),
            Self::Lt => ordering.is_lt(),
            Self::Le => ordering.is_le(),
            Self::Like => false,
        }
    }
}

/// Text in small letters.
pub(super) fn fold(text: &str) -> Cow<'_, str> {
    let small = |octet: u8| octet.is_ascii() && !octet.is_ascii_uppercase();
    if text.bytes().all(small) { Cow::Borrowed(text) } else { Cow::Owned(text.to_lowercase()) }
}

/// Whether `text` is `pattern`, in which `*` stands for any text. The leftmost place is taken for
/// each piece, so nothing is tried twice.
pub(super) fn is_like(text: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return text == pattern };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for piece in middle.split('*') {
        let Some((_, behind)) = text.split_once(piece) else { return false };
        text = behind;
    }
    text.ends_with(last)
}

/// Whole seconds since 1970, rounded down.
pub(crate) fn seconds(at: SystemTime) -> i64 {
    match at.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => {
            let up = before.duration().saturating_add(Duration::from_nanos(999_999_999));
            i64::try_from(up.as_secs()).map_or(i64::MIN, i64::wrapping_neg)
        }
    }
}
