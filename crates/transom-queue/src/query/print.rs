//! Prints filters, in both spellings.

use std::fmt;

use super::literal::{Clock, Literal, Units};
use super::parse::is_reserved;
use super::{Condition, Filter, Property};

/// A filter that prints in the plain spelling.
#[derive(Debug)]
pub struct PlainFilter<'a, P>(pub(super) &'a Filter<P>);

impl<P: Property> fmt::Display for Filter<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.as_ref().map_or(Ok(()), |condition| condition.print(f, Spelling::Exchange))
    }
}

impl<P: Property> fmt::Display for PlainFilter<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.condition.as_ref().map_or(Ok(()), |condition| condition.print(f, Spelling::Plain))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Spelling {
    Exchange,
    Plain,
}

impl Spelling {
    fn word(self, exchange: &'static str, plain: &'static str) -> &'static str {
        match self {
            Self::Exchange => exchange,
            Self::Plain => plain,
        }
    }
}

impl<P: Property> Condition<P> {
    fn print(&self, f: &mut fmt::Formatter<'_>, spelling: Spelling) -> fmt::Result {
        match self {
            Self::Any(each) => join(f, each, spelling, spelling.word(" -or ", " or "), |one| {
                matches!(one, Self::Any(_))
            }),
            Self::All(each) => join(f, each, spelling, spelling.word(" -and ", " and "), |one| {
                matches!(one, Self::Any(_) | Self::All(_))
            }),
            Self::Not(one) => {
                f.write_str(spelling.word("-not ", "not "))?;
                let group = matches!(**one, Self::Any(_) | Self::All(_));
                one.print_in(f, spelling, group)
            }
            Self::Compare(comparison) => {
                let (property, operator) = (comparison.property, comparison.operator);
                let name = spelling.word(property.name(), property.plain_name());
                let operator = spelling.word(operator.name(), operator.plain_name());
                write!(f, "{name} {operator} ")?;
                comparison.literal.print(f, spelling)
            }
        }
    }

    fn print_in(
        &self,
        f: &mut fmt::Formatter<'_>,
        spelling: Spelling,
        parentheses: bool,
    ) -> fmt::Result {
        if !parentheses {
            return self.print(f, spelling);
        }
        f.write_str("(")?;
        self.print(f, spelling)?;
        f.write_str(")")
    }
}

fn join<P: Property>(
    f: &mut fmt::Formatter<'_>,
    each: &[Condition<P>],
    spelling: Spelling,
    between: &str,
    needs_parentheses: fn(&Condition<P>) -> bool,
) -> fmt::Result {
    for (place, one) in each.iter().enumerate() {
        if place > 0 {
            f.write_str(between)?;
        }
        one.print_in(f, spelling, needs_parentheses(one))?;
    }
    Ok(())
}

impl Literal {
    fn print(&self, f: &mut fmt::Formatter<'_>, spelling: Spelling) -> fmt::Result {
        match (self, spelling) {
            (Self::Null, _) => f.write_str("$null"),
            (Self::Number(number), _) => write!(f, "{number}"),
            (Self::Duration(span), Spelling::Exchange) => write!(f, "'{}'", Clock(*span)),
            (Self::Duration(span), Spelling::Plain) => write!(f, "{}", Units(*span)),
            (Self::Instant(at), Spelling::Exchange) => write!(f, "'{at}'"),
            (Self::Instant(at), Spelling::Plain) => write!(f, "{at}"),
            (Self::Word(word), Spelling::Exchange) => write!(f, "'{word}'"),
            (Self::Text { given, .. }, Spelling::Exchange) => quote(f, given, '\''),
            (Self::Word(word), Spelling::Plain) => word_or_quoted(f, word),
            (Self::Text { given, .. }, Spelling::Plain) => word_or_quoted(f, given),
        }
    }
}

fn word_or_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._@:+*-/[]\\".contains(c);
    let word = !text.is_empty() && !text.starts_with('-') && !is_reserved(text);
    if word && text.chars().all(plain) { f.write_str(text) } else { quote(f, text, '"') }
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str, quote: char) -> fmt::Result {
    let twice = String::from_iter([quote, quote]);
    write!(f, "{quote}{}{quote}", text.replace(quote, &twice))
}
