//! Reading a value.

use super::{AuthenticationResults, MethodResult, Property};

/// Why a text is no value of Authentication-Results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseResultsError {
    /// Longer than [`AuthenticationResults::OCTETS_MAX`].
    #[error("the results are longer than 64 KiB")]
    TooLong,
    /// More than [`AuthenticationResults::RESULTS_MAX`] results, or properties of one.
    #[error("more results than anybody has")]
    TooMany,
    /// It does not begin with the name of a server.
    #[error("the results do not say whose they are")]
    NoServer,
    /// A version that is not known.
    #[error("the results are of an unknown version")]
    Version,
    /// Something else than a result.
    #[error("the results are not well formed")]
    Malformed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// Signs that belong together.
    Text(String),
    /// The same in quotes.
    Quoted(String),
    Comment(String),
    Semicolon,
    Equals,
}

pub(super) fn parse(text: &str) -> Result<AuthenticationResults, ParseResultsError> {
    if text.len() > AuthenticationResults::OCTETS_MAX {
        return Err(ParseResultsError::TooLong);
    }
    let tokens = tokens(text)?;
    let mut parts = tokens.split(|token| *token == Token::Semicolon);
    let authserv_id = server(parts.next().unwrap_or_default())?;
    let mut results = Vec::new();
    for part in parts {
        let told = || part.iter().filter(|token| !matches!(token, Token::Comment(_)));
        // A semicolon at the end is no part of the grammar, and is seen.
        if told().next().is_none() || told().eq([&Token::Text("none".to_owned())]) {
            continue;
        }
        if results.len() >= AuthenticationResults::RESULTS_MAX {
            return Err(ParseResultsError::TooMany);
        }
        results.push(result(part)?);
    }
    Ok(AuthenticationResults { authserv_id, results })
}

/// `[CFWS] authserv-id [CFWS version]`
fn server(tokens: &[Token]) -> Result<String, ParseResultsError> {
    let mut told = tokens.iter().filter(|token| !matches!(token, Token::Comment(_)));
    let Some(Token::Text(id) | Token::Quoted(id)) = told.next() else {
        return Err(ParseResultsError::NoServer);
    };
    // [RFC 8601 §2.2] there is one version.
    match told.next() {
        None => {}
        Some(Token::Text(version)) if version == "1" => {}
        Some(Token::Text(version)) if version.bytes().all(|octet| octet.is_ascii_digit()) => {
            return Err(ParseResultsError::Version);
        }
        Some(_) => return Err(ParseResultsError::NoServer),
    }
    if told.next().is_some() { Err(ParseResultsError::NoServer) } else { Ok(id.clone()) }
}

/// `method "=" result [reason] *property`
fn result(tokens: &[Token]) -> Result<MethodResult, ParseResultsError> {
    let mut found = MethodResult::default();
    let mut rest = tokens;
    while let Some((token, behind)) = rest.split_first() {
        if let Token::Comment(text) = token {
            found.comment.get_or_insert_with(|| text.clone());
            rest = behind;
            continue;
        }
        let (name, value, behind) = pair(rest)?;
        rest = behind;
        if found.method.is_empty() {
            // A version of the method means nothing to us.
            found.method = name.split('/').next().map(str::to_owned).unwrap_or_default();
            found.result = value;
        } else if name.eq_ignore_ascii_case("reason") {
            found.reason = Some(value);
        } else if found.properties.len() >= AuthenticationResults::PROPERTIES_MAX {
            return Err(ParseResultsError::TooMany);
        } else {
            let (kind, name) = name.split_once('.').unwrap_or(("", &name));
            found.properties.push(Property { kind: kind.into(), name: name.into(), value });
        }
    }
    let is_whole = !found.method.is_empty() && !found.result.is_empty();
    if is_whole { Ok(found) } else { Err(ParseResultsError::Malformed) }
}

/// `name "=" value`, comments around the sign gone.
fn pair(tokens: &[Token]) -> Result<(String, String, &[Token]), ParseResultsError> {
    let mut told = tokens.iter().enumerate();
    let mut next = || told.find(|(_, token)| !matches!(token, Token::Comment(_)));
    let (Some((_, Token::Text(name))), Some((_, Token::Equals)), Some((at, value))) =
        (next(), next(), next())
    else {
        return Err(ParseResultsError::Malformed);
    };
    let (Token::Text(value) | Token::Quoted(value)) = value else {
        return Err(ParseResultsError::Malformed);
    };
    let mut behind = tokens.get(at.saturating_add(1)..).unwrap_or_default();
    let mut value = value.clone();
    // A value may hold the sign itself, as in base64.
    while let [Token::Equals, more @ ..] = behind {
        value.push('=');
        behind = more;
    }
    Ok((name.clone(), value, behind))
}

fn tokens(text: &str) -> Result<Vec<Token>, ParseResultsError> {
    let mut tokens = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => {}
            ';' => tokens.push(Token::Semicolon),
            '=' => tokens.push(Token::Equals),
            '"' => tokens.push(Token::Quoted(enclosed(&mut characters, '"', None)?)),
            '(' => tokens.push(Token::Comment(enclosed(&mut characters, ')', Some('('))?)),
            c => {
                let mut word = String::from(c);
                let is_word =
                    |c: &char| !matches!(c, ' ' | '\t' | '\r' | '\n' | ';' | '=' | '"' | '(');
                while let Some(c) = characters.next_if(is_word) {
                    word.push(c);
                }
                tokens.push(Token::Text(word));
            }
        }
    }
    Ok(tokens)
}

/// What stands before the closing character, escapes resolved.
fn enclosed(
    characters: &mut impl Iterator<Item = char>,
    close: char,
    open: Option<char>,
) -> Result<String, ParseResultsError> {
    let (mut text, mut depth) = (String::new(), 1usize);
    while let Some(c) = characters.next() {
        if c == '\\' {
            text.extend(characters.next());
            continue;
        }
        if c == close {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return Ok(text);
            }
        } else if Some(c) == open {
            depth = depth.saturating_add(1);
        }
        text.push(c);
    }
    Err(ParseResultsError::Malformed)
}
