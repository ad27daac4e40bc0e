//! Cuts the text of a filter into tokens.

use super::error::{ParseFilterError, column};

/// A piece of the text, and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) at: usize,
    pub(super) kind: TokenKind<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenKind<'a> {
    Word(&'a str),
    Quoted(String),
    /// Brackets, and operators that are no words.
    Sign(&'static str),
    End,
}

/// The longer ones first.
const SIGNS: [&str; 15] =
    ["==", "!=", "<>", "<=", ">=", "&&", "||", "=", "<", ">", "!", "(", ")", "{", "}"];

/// What ends a word.
fn is_sign(c: char) -> bool {
    matches!(c, '=' | '<' | '>' | '!' | '&' | '|' | '(' | ')' | '{' | '}' | '"' | '\'')
}

#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    next: Option<Token<'a>>,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, next: None }
    }

    /// The token that comes next, which stays.
    pub(super) fn peek(&mut self) -> Result<Token<'a>, ParseFilterError> {
        let token = self.next()?;
        self.next = Some(token.clone());
        Ok(token)
    }

    pub(super) fn next(&mut self) -> Result<Token<'a>, ParseFilterError> {
        if let Some(token) = self.next.take() {
            return Ok(token);
        }
        let rest = self.text.get(self.at..).unwrap_or_default();
        let trimmed = rest.trim_start();
        self.at = self.text.len().saturating_sub(trimmed.len());
        let at = self.at;
        let kind = match trimmed.chars().next() {
            None => TokenKind::End,
            Some(quote @ ('"' | '\'')) => TokenKind::Quoted(self.quoted(at, quote)?),
            Some(_) => match SIGNS.iter().find(|sign| trimmed.starts_with(**sign)) {
                Some(sign) => self.sign(sign),
                None => self.word(at, trimmed)?,
            },
        };
        Ok(Token { at, kind })
    }

    pub(super) fn column(&self, at: usize) -> usize {
        column(self.text, at)
    }

    fn sign(&mut self, sign: &'static str) -> TokenKind<'a> {
        self.at = self.at.saturating_add(sign.len());
        TokenKind::Sign(sign)
    }

    fn word(&mut self, at: usize, rest: &'a str) -> Result<TokenKind<'a>, ParseFilterError> {
        let ends = |c: char| c.is_whitespace() || is_sign(c);
        let mut length = rest.find(ends).unwrap_or(rest.len());
        if length == 0 {
            // A lone "&" or "|": a word of its own, which nothing knows.
            length = 1;
        }
        let word = rest.get(..length).unwrap_or_default();
        self.at = at.saturating_add(word.len());
        self.clean(at, word)?;
        Ok(TokenKind::Word(word))
    }

    /// Text up to the same quote; twice the quote is the quote itself.
    fn quoted(&mut self, at: usize, quote: char) -> Result<String, ParseFilterError> {
        let mut text = String::new();
        let mut rest = self.text.get(at.saturating_add(1)..).unwrap_or_default();
        loop {
            let Some((piece, behind)) = rest.split_once(quote) else {
                return Err(ParseFilterError::Unclosed { column: self.column(at) });
            };
            text.push_str(piece);
            let Some(again) = behind.strip_prefix(quote) else {
                self.at = self.text.len().saturating_sub(behind.len());
                self.clean(at, &text)?;
                return Ok(text);
            };
            text.push(quote);
            rest = again;
        }
    }

    /// No value of any row holds a control character, and what is printed must stay on its line.
    fn clean(&self, at: usize, text: &str) -> Result<(), ParseFilterError> {
        if text.chars().any(char::is_control) {
            return Err(ParseFilterError::ControlCharacter { column: self.column(at) });
        }
        Ok(())
    }
}
