//! Authentication-Results (RFC 8601): written, read, and forged ones found.

mod forged;
mod parse;
mod render;
#[cfg(test)]
mod tests;

use std::fmt;

pub use forged::forged_results;
pub use parse::ParseResultsError;
pub use render::ResultsStyle;

/// The value of one field: what a server found out, as it is written.
///
/// `Display` prints the value on one line, [`Self::write_to`] the whole field, folded. No text in
/// it can end a comment, a quoted string or the field.
///
/// ```
/// use transom_mailauth::results::AuthenticationResults;
///
/// let text = "mx.contoso.com; spf=pass (ours) smtp.mailfrom=fabrikam.com; dmarc=none";
/// let results = AuthenticationResults::parse(text)?;
/// assert_eq!(results.authserv_id, "mx.contoso.com");
/// assert!(results.results[0].is("spf", "pass"));
/// assert_eq!(results.results[0].property("smtp", "mailfrom"), Some("fabrikam.com"));
/// assert_eq!(results.to_string(), text);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthenticationResults {
    /// Who found it out.
    pub authserv_id: String,
    /// What was found; nothing is `none`.
    pub results: Vec<MethodResult>,
}

/// What one method found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MethodResult {
    /// The method: `spf`, `dkim`.
    pub method: String,
    /// Its result: `pass`.
    pub result: String,
    /// A remark for people.
    pub comment: Option<String>,
    /// The reason, for programs.
    pub reason: Option<String>,
    /// What was looked at.
    pub properties: Vec<Property>,
}

/// Something that was looked at: `smtp.mailfrom=contoso.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "RFC 8601 §2.2: type, name, value")]
pub struct Property {
    /// Of what kind; empty for `action` as Exchange writes it.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl MethodResult {
    /// A result without any remark.
    pub fn new(method: &str, result: &str) -> Self {
        Self { method: method.to_owned(), result: result.to_owned(), ..Self::default() }
    }

    /// The same with a remark.
    #[must_use]
    pub fn with_comment(self, comment: impl Into<String>) -> Self {
        Self { comment: Some(comment.into()), ..self }
    }

    /// The same with a reason.
    #[must_use]
    pub fn with_reason(self, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }

    /// The same with one property more, if it has a value.
    #[must_use]
    pub fn with(mut self, kind: &str, name: &str, value: &str) -> Self {
        if !value.is_empty() {
            let (kind, name, value) = (kind.to_owned(), name.to_owned(), value.to_owned());
            self.properties.push(Property { kind, name, value });
        }
        self
    }

    /// Whether this is `result` of `method`; case does not count.
    pub fn is(&self, method: &str, result: &str) -> bool {
        self.method.eq_ignore_ascii_case(method) && self.result.eq_ignore_ascii_case(result)
    }

    /// The value of a property; case of its kind and name does not count.
    pub fn property(&self, kind: &str, name: &str) -> Option<&str> {
        let is_it = |one: &&Property| {
            one.kind.eq_ignore_ascii_case(kind) && one.name.eq_ignore_ascii_case(name)
        };
        self.properties.iter().find(is_it).map(|property| property.value.as_str())
    }
}

/// The name of the field.
pub const FIELD_NAME: &str = "Authentication-Results";

/// Longest value of a property, in octets: a domain, or an address at one, cut.
const VALUE_OCTETS_MAX: usize = 320;
/// Where lines are folded (RFC 5322 §2.1.1).
const COLUMNS_MAX: usize = 78;

impl AuthenticationResults {
    /// Longest value that is read, in octets.
    pub const OCTETS_MAX: usize = 64 << 10;
    /// Most results that are read or written.
    pub const RESULTS_MAX: usize = 100;
    /// Most properties of one result that are read.
    pub const PROPERTIES_MAX: usize = 50;

    /// Results of the server of that name.
    pub fn new(authserv_id: &str, results: Vec<MethodResult>) -> Self {
        Self { authserv_id: authserv_id.to_owned(), results }
    }

    /// Reads a value, folds taken out.
    ///
    /// # Errors
    ///
    /// [`ParseResultsError`] where it is no such value.
    pub fn parse(value: &str) -> Result<Self, ParseResultsError> {
        parse::parse(value)
    }

    /// Appends the whole field, folded, CRLF included.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(FIELD_NAME.as_bytes());
        out.push(b':');
        let mut column = FIELD_NAME.len().saturating_add(1);
        for (at, word) in self.words().iter().enumerate() {
            // Nothing is folded directly behind the colon.
            let end = column.saturating_add(1).saturating_add(word.len());
            if at > 0 && end > COLUMNS_MAX {
                out.extend_from_slice(b"\r\n");
                column = 0;
            }
            out.push(b' ');
            out.extend_from_slice(word.as_bytes());
            column = column.saturating_add(1).saturating_add(word.len());
        }
        out.extend_from_slice(b"\r\n");
    }

    /// What is never parted by a fold.
    fn words(&self) -> Vec<String> {
        let mut words = vec![value(&self.authserv_id)];
        let end = |words: &mut Vec<String>| {
            if let Some(last) = words.last_mut() {
                last.push(';');
            }
        };
        for result in self.results.iter().take(Self::RESULTS_MAX) {
            end(&mut words);
            words.push(format!("{}={}", keyword(&result.method), keyword(&result.result)));
            words.extend(result.comment.as_deref().map(comment));
            words
                .extend(result.reason.as_deref().map(|reason| format!("reason={}", value(reason))));
            for Property { kind, name, value: text } in &result.properties {
                let dot = if kind.is_empty() { "" } else { "." };
                let kind = if kind.is_empty() { String::new() } else { keyword(kind) };
                words.push(format!("{kind}{dot}{}={}", keyword(name), value(text)));
            }
        }
        if self.results.is_empty() {
            end(&mut words);
            words.push("none".to_owned());
        }
        words
    }
}

impl fmt::Display for AuthenticationResults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(" "))
    }
}

/// `Keyword` of RFC 5321; what it cannot hold becomes `-`.
fn keyword(text: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let text: String = text.chars().take(64).map(fit).collect();
    if text.is_empty() { "-".to_owned() } else { text }
}

/// A value as it is, or in quotes where it needs them.
// [RFC 8601 §2.2] a token, a quoted string, or an address or domain.
fn value(text: &str) -> String {
    let clean = cut(text);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`{|}~@".contains(c);
    if !clean.is_empty() && clean.chars().all(is_plain) {
        return clean;
    }
    let mut quoted = String::from("\"");
    for c in clean.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// A remark: what would end it, or begin another, becomes `?`.
fn comment(text: &str) -> String {
    let fit = |c: char| if matches!(c, '(' | ')' | '\\') { '?' } else { c };
    format!("({})", cut(text).chars().map(fit).collect::<String>())
}

/// Printable ASCII, not too much of it; all else becomes `?`.
fn cut(text: &str) -> String {
    let fit = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
    text.chars().take(VALUE_OCTETS_MAX).map(fit).collect()
}
