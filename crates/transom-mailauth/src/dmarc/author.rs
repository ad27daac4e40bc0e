//! The domain of From (RFC 9989 §5.3.1).
//!
//! What a reader sees as the author and what is judged must be the same, so nothing is guessed: a
//! field that does not follow the grammar of RFC 5322 §3.4 has no author.

use transom_dns::DomainName;
use transom_message::HeaderSection;
use transom_types::Domain;

/// Why a message has no author to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorProblem {
    /// There is no field From, or no address in it.
    #[error("the message has no author in From")]
    Missing,
    /// There is more than one field From.
    #[error("the message has several fields From")]
    SeveralFields,
    /// The addresses are of different domains.
    #[error("the authors in From are of different domains")]
    SeveralDomains,
    /// The field is no list of addresses, or is longer than we look at.
    #[error("the field From is not well formed")]
    Malformed,
    /// The address is at an address literal or a name that the DNS cannot have.
    #[error("the author in From is of no domain")]
    NoDomain,
}

/// Longest field From that is looked at. Real ones have a hundredth of it.
const FIELD_OCTETS_MAX: usize = 16 << 10;
/// Deepest comment.
const COMMENTS_MAX: usize = 8;

/// The domain of the author: that of every address in the one field From, as A-labels.
///
/// ```
/// use transom_mailauth::dmarc::{AuthorProblem, author_domain};
/// use transom_message::HeaderSection;
///
/// let content = b"From: \"ann@contoso.com\" <eve@fabrikam.com>\r\n\r\n";
/// let author = author_domain(&HeaderSection::parse(content));
/// assert_eq!(author.map(|domain| domain.to_string()), Ok("fabrikam.com".to_owned()));
/// assert_eq!(author_domain(&HeaderSection::parse(b"\r\n")), Err(AuthorProblem::Missing));
/// ```
///
/// # Errors
///
/// [`AuthorProblem`] where there is not exactly one domain.
pub fn author_domain(headers: &HeaderSection<'_>) -> Result<DomainName, AuthorProblem> {
    let mut fields = headers.fields().filter(|field| field.is("From"));
    let field = fields.next().ok_or(AuthorProblem::Missing)?;
    // [RFC 9989 §4.4] a repeated From has no author.
    if fields.next().is_some() {
        return Err(AuthorProblem::SeveralFields);
    }
    if field.raw_value().len() > FIELD_OCTETS_MAX {
        return Err(AuthorProblem::Malformed);
    }
    let value = str::from_utf8(field.raw_value()).map_err(|_| AuthorProblem::Malformed)?;
    let tokens = tokens(value)?;
    let mut found: Option<DomainName> = None;
    for domain in domains(&tokens)? {
        let domain = name(&domain)?;
        match &found {
            Some(other) if *other != domain => return Err(AuthorProblem::SeveralDomains),
            _ => found = Some(domain),
        }
    }
    found.ok_or(AuthorProblem::Missing)
}

/// [RFC 9989 §5.3.1] U-labels become A-labels.
fn name(domain: &str) -> Result<DomainName, AuthorProblem> {
    let domain: Domain = domain.parse().map_err(|_| AuthorProblem::NoDomain)?;
    let domain = domain.to_ascii().map_err(|_| AuthorProblem::NoDomain)?;
    DomainName::try_from(&domain).map_err(|_| AuthorProblem::NoDomain)
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// Letters, digits and signs without meaning of their own, dots among them.
    Word(String),
    /// A quoted string, of which nothing counts but that it is there.
    Quoted,
    /// An address literal.
    Literal,
    /// One of `<>@,:;`.
    Special(char),
}

/// Parts a value at its specials; comments and white space part words and are gone.
fn tokens(value: &str) -> Result<Vec<Token>, AuthorProblem> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    let mut characters = value.chars();
    while let Some(c) = characters.next() {
        if !matches!(
            c,
            ' ' | '\t' | '\r' | '\n' | '"' | '(' | '[' | '<' | '>' | '@' | ',' | ':' | ';'
        ) {
            // What ends a line for some reader, a lone `)`, `]` or `\` ends the parse.
            if c.is_control() || matches!(c, ')' | ']' | '\\' | '\u{2028}' | '\u{2029}') {
                return Err(AuthorProblem::Malformed);
            }
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            tokens.push(Token::Word(std::mem::take(&mut word)));
        }
        match c {
            '"' => {
                skip_to(&mut characters, '"', None)?;
                tokens.push(Token::Quoted);
            }
            '(' => skip_to(&mut characters, ')', Some('('))?,
            '[' => {
                skip_to(&mut characters, ']', None)?;
                tokens.push(Token::Literal);
            }
            ' ' | '\t' | '\r' | '\n' => {}
            special => tokens.push(Token::Special(special)),
        }
    }
    if !word.is_empty() {
        tokens.push(Token::Word(word));
    }
    Ok(tokens)
}

/// Skips what stands before the closing character, what is escaped and what is nested.
fn skip_to(
    characters: &mut std::str::Chars<'_>,
    close: char,
    open: Option<char>,
) -> Result<(), AuthorProblem> {
    let mut depth = 1usize;
    while let Some(c) = characters.next() {
        if c == '\\' {
            characters.next();
        } else if c == close {
            depth = depth.saturating_sub(1);
        } else if Some(c) == open {
            depth = depth.saturating_add(1);
        }
        if depth == 0 {
            return Ok(());
        }
        if depth > COMMENTS_MAX {
            break;
        }
    }
    Err(AuthorProblem::Malformed)
}

/// The domains of all addresses.
///
/// ```abnf
/// address-list = address *("," address)
/// address      = mailbox / [phrase] ":" [mailbox-list] ";"
/// mailbox      = addr-spec / [phrase] "<" addr-spec ">"
/// ```
fn domains(tokens: &[Token]) -> Result<Vec<String>, AuthorProblem> {
    let mut found = Vec::new();
    let mut in_group = false;
    let mut rest = tokens;
    let mut entry: Vec<&Token> = Vec::new();
    while let Some((token, behind)) = rest.split_first() {
        rest = behind;
        match token {
            Token::Special(',') => finish(&mut entry, &mut found)?,
            Token::Special(':') if !in_group && entry.iter().all(|token| is_phrase(token)) => {
                // The name of a group.
                entry.clear();
                in_group = true;
            }
            Token::Special(';') if in_group => {
                finish(&mut entry, &mut found)?;
                in_group = false;
            }
            Token::Special(':' | ';') => return Err(AuthorProblem::Malformed),
            token => entry.push(token),
        }
    }
    finish(&mut entry, &mut found)?;
    if in_group { Err(AuthorProblem::Malformed) } else { Ok(found) }
}

fn is_phrase(token: &Token) -> bool {
    matches!(token, Token::Word(_) | Token::Quoted)
}

/// One mailbox; nothing between two commas is obsolete and allowed.
fn finish(entry: &mut Vec<&Token>, found: &mut Vec<String>) -> Result<(), AuthorProblem> {
    let tokens = std::mem::take(entry);
    if tokens.is_empty() {
        return Ok(());
    }
    let angle = tokens.iter().position(|token| **token == Token::Special('<'));
    let Some(angle) = angle else {
        found.push(address(&tokens)?);
        return Ok(());
    };
    let (phrase, inner) = tokens.split_at_checked(angle).unwrap_or_default();
    let is_whole = phrase.iter().all(|token| is_phrase(token));
    match inner {
        [_, inner @ .., Token::Special('>')] if is_whole => found.push(address(inner)?),
        _ => return Err(AuthorProblem::Malformed),
    }
    Ok(())
}

/// `addr-spec = local-part "@" domain`; gives the domain.
fn address(tokens: &[&Token]) -> Result<String, AuthorProblem> {
    match tokens {
        [Token::Word(_) | Token::Quoted, Token::Special('@'), Token::Word(domain)] => {
            Ok(domain.clone())
        }
        [Token::Word(_) | Token::Quoted, Token::Special('@'), Token::Literal] => {
            Err(AuthorProblem::NoDomain)
        }
        _ => Err(AuthorProblem::Malformed),
    }
}
