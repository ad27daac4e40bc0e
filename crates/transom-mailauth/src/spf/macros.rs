//! Text with macros (RFC 7208 §7): read once, expanded for each session.

/// Longest name that an expansion gives; labels are taken off its left until it fits.
const NAME_OCTETS_MAX: usize = 253;

/// Where text stands, which decides what it may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a record.
    Record,
    /// In an explanation, where `c`, `r` and `t` are allowed too, and spaces.
    Explanation,
}

/// Text with macros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MacroString(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Macro(Macro),
}

/// `%{ letter transformers delimiters }`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Macro {
    /// In lower case.
    letter: char,
    /// The letter was in upper case: what it gives is escaped as in a URL.
    escape: bool,
    /// Only so many parts, counted from the right.
    keep: Option<usize>,
    reverse: bool,
    delimiters: String,
}

/// Gives the value of a letter.
pub(super) trait Values {
    /// What may stop the expansion: a question to the DNS.
    type Stop;
    /// The value of `letter`, in lower case.
    fn value(&mut self, letter: char) -> Result<String, Self::Stop>;
}

impl MacroString {
    /// Reads text; none where its macros are not well formed.
    pub(super) fn parse(text: &str, place: Place) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = rest.strip_prefix(c)?;
            let spaced = c == ' ' && place == Place::Explanation;
            match c {
                '%' => {}
                _ if c.is_ascii_graphic() || spaced => {
                    literal.push(c);
                    continue;
                }
                _ => return None,
            }
            let kind = rest.chars().next()?;
            rest = rest.strip_prefix(kind)?;
            match kind {
                '%' => literal.push('%'),
                '_' => literal.push(' '),
                '-' => literal.push_str("%20"),
                '{' => {
                    let (body, tail) = rest.split_once('}')?;
                    if !literal.is_empty() {
                        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    }
                    pieces.push(Piece::Macro(Macro::parse(body, place)?));
                    rest = tail;
                }
                _ => return None,
            }
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Some(Self(pieces))
    }

    /// [RFC 7208 §7.1] Reads what must be a domain: its end is a macro or a top-level label.
    pub(super) fn parse_domain(text: &str) -> Option<Self> {
        let domain = Self::parse(text, Place::Record)?;
        let ends_in_macro =
            text.ends_with('}') || ["%%", "%_", "%-"].iter().any(|escape| text.ends_with(escape));
        let is_domain = match domain.0.last()? {
            _ if ends_in_macro => true,
            Piece::Macro(_) => true,
            Piece::Literal(literal) => {
                let literal = literal.strip_suffix('.').unwrap_or(literal);
                literal.rsplit_once('.').is_some_and(|(_, label)| is_top_label(label))
            }
        };
        is_domain.then_some(domain)
    }

    /// The text for one session.
    pub(super) fn expand<V: Values>(&self, values: &mut V) -> Result<String, V::Stop> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Macro(one) => text.push_str(&one.apply(&values.value(one.letter)?)),
            }
        }
        Ok(text)
    }

    /// The text as a name, cut from the left until it fits.
    pub(super) fn expand_domain<V: Values>(&self, values: &mut V) -> Result<String, V::Stop> {
        let text = self.expand(values)?;
        let mut name = text.strip_suffix('.').unwrap_or(&text);
        while name.len() > NAME_OCTETS_MAX {
            // [RFC 7208 §7.3] whole labels go.
            match name.split_once('.') {
                Some((_, rest)) => name = rest,
                None => break,
            }
        }
        Ok(name.to_owned())
    }
}

/// [RFC 7208 §7.1] letters, digits and hyphens inside, and not digits alone.
fn is_top_label(label: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '-';
    label.chars().all(inside)
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().any(|c| !c.is_ascii_digit())
}

impl Macro {
    fn parse(body: &str, place: Place) -> Option<Self> {
        let letter = body.chars().next()?;
        let rest = body.strip_prefix(letter)?;
        let lower = letter.to_ascii_lowercase();
        let known = match place {
            Place::Record => "slodiphv".contains(lower),
            Place::Explanation => "slodiphvcrt".contains(lower),
        };
        let delimiters = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = rest.strip_suffix(delimiters)?;
        let keep = match digits {
            "" => None,
            // More parts than a name has are all of them.
            _ => Some(digits.parse::<usize>().unwrap_or(usize::MAX)),
        };
        let stripped = delimiters.strip_prefix(['r', 'R']);
        let (reverse, delimiters) = (stripped.is_some(), stripped.unwrap_or(delimiters));
        let valid = known && keep != Some(0) && delimiters.chars().all(|c| ".-+,/_=".contains(c));
        let (escape, delimiters) = (letter.is_ascii_uppercase(), delimiters.to_owned());
        valid.then_some(Self { letter: lower, escape, keep, reverse, delimiters })
    }

    /// [RFC 7208 §7.3] cut into parts, reversed, the right-most kept, joined by dots.
    fn apply(&self, value: &str) -> String {
        let mut text = value.to_owned();
        if self.keep.is_some() || self.reverse || !self.delimiters.is_empty() {
            let delimiters = if self.delimiters.is_empty() { "." } else { &self.delimiters };
            let mut parts: Vec<&str> = value.split(|c| delimiters.contains(c)).collect();
            if self.reverse {
                parts.reverse();
            }
            let skip = self.keep.map_or(0, |keep| parts.len().saturating_sub(keep));
            text = parts.split_off(skip).join(".");
        }
        if self.escape { escape(&text) } else { text }
    }
}

/// [RFC 7208 §7.3] what is not unreserved in a URL (RFC 3986) is written by its number.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            escaped.push(char::from(octet));
        } else {
            escaped.push_str(&["%", &format!("{octet:02X}")].concat());
        }
    }
    escaped
}
