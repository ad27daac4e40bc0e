//! Reads the text of a filter. One function a production; see the [module](super) for the grammar.

use std::marker::PhantomData;

use super::error::{ParseFilterError, nearest, shown};
use super::lexer::{Lexer, Token, TokenKind};
use super::literal::{Literal, form};
use super::{Comparison, Condition, Filter, Kind, Operator, Property, property};

type Result<T> = std::result::Result<T, ParseFilterError>;

/// Words that are no values without quotes.
pub(super) const RESERVED: [&str; 4] = ["and", "or", "not", "like"];

pub(super) fn filter<P: Property>(text: &str) -> Result<Option<Condition<P>>> {
    let max = Filter::<P>::OCTETS_MAX;
    if text.len() > max {
        return Err(ParseFilterError::TooLong { octets: text.len(), max });
    }
    let lexer = Lexer::new(text);
    let mut parser = Parser { lexer, depth: 0, comparisons: 0, property: PhantomData };
    let braces = parser.take(|kind| *kind == TokenKind::Sign("{"))?;
    let ends = |kind: &TokenKind<'_>| match kind {
        TokenKind::Sign("}") => braces,
        TokenKind::End => !braces,
        _ => false,
    };
    let nothing = ends(&parser.lexer.peek()?.kind);
    let condition = if nothing { None } else { Some(parser.any()?) };
    let expected = if braces { "-and, -or or \"}\"" } else { "-and, -or or the end" };
    let token = parser.lexer.next()?;
    if !ends(&token.kind) {
        return Err(parser.expected(expected, &token));
    }
    let token = if braces { parser.lexer.next()? } else { token };
    match token.kind {
        TokenKind::End => Ok(condition),
        _ => Err(parser.expected("the end", &token)),
    }
}

struct Parser<'a, P> {
    lexer: Lexer<'a>,
    depth: usize,
    comparisons: usize,
    property: PhantomData<P>,
}

impl<P: Property> Parser<'_, P> {
    fn any(&mut self) -> Result<Condition<P>> {
        let first = self.all()?;
        let mut each = vec![first];
        while self.take(|kind| is_word(kind, ["-or", "or"]) || *kind == TokenKind::Sign("||"))? {
            each.push(self.all()?);
        }
        Ok(one_or(each, Condition::Any))
    }

    fn all(&mut self) -> Result<Condition<P>> {
        let first = self.each()?;
        let mut each = vec![first];
        while self.take(|kind| is_word(kind, ["-and", "and"]) || *kind == TokenKind::Sign("&&"))? {
            each.push(self.each()?);
        }
        Ok(one_or(each, Condition::All))
    }

    fn each(&mut self) -> Result<Condition<P>> {
        let token = self.lexer.next()?;
        match token.kind {
            TokenKind::Sign("(") => {
                self.deeper(&token)?;
                let condition = self.any()?;
                self.depth = self.depth.saturating_sub(1);
                let end = self.lexer.next()?;
                match end.kind {
                    TokenKind::Sign(")") => Ok(condition),
                    _ => Err(self.expected("-and, -or or \")\"", &end)),
                }
            }
            TokenKind::Word(name) if !is_word(&token.kind, ["-not", "not"]) => {
                self.comparison(&token, name).map(Condition::Compare)
            }
            TokenKind::Word(_) | TokenKind::Sign("!") => {
                self.deeper(&token)?;
                let condition = self.each()?;
                self.depth = self.depth.saturating_sub(1);
                Ok(Condition::Not(Box::new(condition)))
            }
            _ => Err(self.expected("a property, -not or \"(\"", &token)),
        }
    }

    fn deeper(&mut self, token: &Token<'_>) -> Result<()> {
        let max = Filter::<P>::DEPTH_MAX;
        self.depth = self.depth.saturating_add(1);
        if self.depth > max {
            return Err(ParseFilterError::TooDeep { column: self.lexer.column(token.at), max });
        }
        Ok(())
    }

    fn comparison(&mut self, token: &Token<'_>, name: &str) -> Result<Comparison<P>> {
        let column = self.lexer.column(token.at);
        let max = Filter::<P>::COMPARISONS_MAX;
        self.comparisons = self.comparisons.saturating_add(1);
        if self.comparisons > max {
            return Err(ParseFilterError::TooMany { column, max });
        }
        let Some(property) = property::<P>(name) else {
            let nearest = nearest(name, names::<P>());
            return Err(ParseFilterError::UnknownProperty { column, found: shown(name), nearest });
        };
        let (operator, column) = self.operator()?;
        let takes = match property.kind() {
            Kind::Text | Kind::Texts => None,
            Kind::Word(_) => (!is_equality(operator)).then_some("-eq and -ne"),
            Kind::Duration | Kind::Instant | Kind::Number => {
                (operator == Operator::Like).then_some("-eq, -ne, -gt, -ge, -lt and -le")
            }
        };
        let not_for = |property, takes| {
            let operator = operator.name();
            ParseFilterError::OperatorNotFor { column, operator, property, takes }
        };
        if let Some(takes) = takes {
            return Err(not_for(property.name(), takes));
        }
        let literal = self.value(property)?;
        if literal == Literal::Null && !is_equality(operator) {
            return Err(not_for("$null", "-eq and -ne"));
        }
        Ok(Comparison { property, operator, literal })
    }

    fn operator(&mut self) -> Result<(Operator, usize)> {
        let token = self.lexer.next()?;
        let column = self.lexer.column(token.at);
        let found = match token.kind {
            TokenKind::Word(word) => word,
            TokenKind::Sign("==") => "=",
            TokenKind::Sign("<>") => "!=",
            TokenKind::Sign(sign) => sign,
            TokenKind::Quoted(_) | TokenKind::End => {
                return Err(self.expected("an operator", &token));
            }
        };
        let is = |operator: &Operator| {
            let names = [operator.name(), operator.plain_name()];
            names.iter().any(|name| name.eq_ignore_ascii_case(found))
        };
        if let Some(operator) = Operator::ALL.into_iter().find(is) {
            return Ok((operator, column));
        }
        let nearest = nearest(found, Operator::ALL.map(Operator::name));
        Err(ParseFilterError::UnknownOperator { column, found: shown(found), nearest })
    }

    fn value(&mut self, property: P) -> Result<Literal> {
        let token = self.lexer.next()?;
        let text = match &token.kind {
            TokenKind::Word(word) if word.eq_ignore_ascii_case("$null") => {
                return Ok(Literal::Null);
            }
            // A hyphen begins operators: what follows a value that was left out is no value.
            TokenKind::Word(word) if !is_operator(word) && !is_reserved(word) => word,
            TokenKind::Quoted(text) => text.as_str(),
            _ => return Err(self.expected("a value", &token)),
        };
        let column = self.lexer.column(token.at);
        let found = shown(text);
        let (kind, name) = (property.kind(), property.name());
        let literal = Literal::parse(kind, text);
        match (literal, kind) {
            (Some(literal), _) if text.len() <= Filter::<P>::VALUE_OCTETS_MAX => Ok(literal),
            (None, Kind::Word(words)) => {
                let nearest = nearest(text, words.iter().copied());
                Err(ParseFilterError::UnknownWord { column, property: name, found, nearest, words })
            }
            _ => {
                let expected = form(kind);
                Err(ParseFilterError::Value { column, property: name, expected, found })
            }
        }
    }

    /// Takes the next token if it is so.
    fn take(&mut self, is: impl Fn(&TokenKind<'_>) -> bool) -> Result<bool> {
        let takes = is(&self.lexer.peek()?.kind);
        if takes {
            self.lexer.next()?;
        }
        Ok(takes)
    }

    fn expected(&self, expected: &'static str, token: &Token<'_>) -> ParseFilterError {
        let found = match &token.kind {
            TokenKind::Word(word) => format!("\"{}\"", shown(word)),
            TokenKind::Quoted(text) => format!("the text \"{}\"", shown(text)),
            TokenKind::Sign(sign) => format!("\"{sign}\""),
            TokenKind::End => "the end".to_owned(),
        };
        ParseFilterError::Expected { column: self.lexer.column(token.at), expected, found }
    }
}

/// All names, the plain ones first: of two that are as near, people mean those more often.
fn names<P: Property>() -> impl Iterator<Item = &'static str> {
    let plain = P::ALL.iter().map(|property| property.plain_name());
    plain.chain(P::ALL.iter().map(|property| property.name()))
}

fn one_or<P>(
    mut each: Vec<Condition<P>>,
    more: fn(Vec<Condition<P>>) -> Condition<P>,
) -> Condition<P> {
    match each.pop() {
        Some(only) if each.is_empty() => only,
        last => {
            each.extend(last);
            more(each)
        }
    }
}

fn is_equality(operator: Operator) -> bool {
    matches!(operator, Operator::Eq | Operator::Ne)
}

fn is_word(kind: &TokenKind<'_>, words: [&str; 2]) -> bool {
    matches!(kind, TokenKind::Word(word) if words.iter().any(|w| w.eq_ignore_ascii_case(word)))
}

/// A hyphen before a digit is a sign.
fn is_operator(word: &str) -> bool {
    let behind =
        word.strip_prefix('-').map(|behind| behind.starts_with(|c: char| c.is_ascii_digit()));
    behind == Some(false)
}

pub(super) fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word))
}
