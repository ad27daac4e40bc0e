//! The configuration as a text, in TOML and in JSON.
//!
//! Every object names its fields once, in `objects`; reader, writer, schema and docs go over the
//! same list. No file is opened here.

mod describe;
mod form;
mod json;
mod locate;
mod nearest;
mod node;
mod objects;
mod pass;
mod read;
#[cfg(test)]
mod tests;
mod units;
mod write;

use std::fmt;

use node::Node;
use objects::Named;
use pass::Entry;
use read::Reader;
use write::Writer;

use crate::Configuration;

impl Configuration {
    /// A configuration out of a text in TOML. Who reads the file is the caller.
    ///
    /// Fields have the names that they have in code; each that is absent has its default, which at
    /// a receive connector follows from its `usage`. Sizes and times are texts (`"36 MiB"`,
    /// `"5 min"`) or plain numbers of octets and seconds. Passwords stand nowhere in it: where one
    /// is needed, the name of a secret does. `docs/configuration.md` lists all fields.
    ///
    /// ```
    /// use transom_connector::Configuration;
    ///
    /// let configuration = Configuration::from_toml(r#"
    ///     server_name = "mx1.contoso.com"
    ///
    ///     [[accepted_domains]]
    ///     domain = "contoso.com"
    ///
    ///     [[receive_connectors]]
    ///     name = "From the internet"
    ///     usage = "Internet"
    ///     bindings = ["0.0.0.0:25"]
    ///     limits = { message_octets_max = "25 MiB" }
    ///
    ///     [[send_connectors]]
    ///     name = "To the internet"
    ///     address_spaces = ["*"]
    /// "#)?;
    /// assert_eq!(configuration.receive_connectors[0].limits.message_octets_max, 25 << 20);
    /// configuration.check()?;
    ///
    /// let errors = Configuration::from_toml("server_nam = 'mx1.contoso.com'").unwrap_err();
    /// assert_eq!(
    ///     errors.to_string(),
    ///     "line 1, column 1: server_name is missing\n\
    ///      line 1, column 1: there is no field server_nam; do you mean server_name?"
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the text, with line and column. How the parts fit together is
    /// for [`Configuration::check`].
    pub fn from_toml(text: &str) -> Result<Self, ParseConfigurationErrors> {
        read(text, Node::of_toml(text))
    }

    /// The same out of a text in JSON.
    ///
    /// # Errors
    ///
    /// As [`Configuration::from_toml`].
    pub fn from_json(text: &str) -> Result<Self, ParseConfigurationErrors> {
        read(text, Node::of_json(text))
    }

    /// The text in TOML that says the same, with every default spelled out.
    /// [`Configuration::from_toml`] reads it back, unless a path in it is no Unicode.
    pub fn to_toml(&self) -> String {
        write::toml(&Writer::table_of(&mut self.clone()))
    }

    /// The schema of a configuration in JSON, for editors and checkers.
    pub fn json_schema() -> String {
        format!("{:#}", describe::schema())
    }

    /// Every field of a configuration with its default, in Markdown.
    pub fn reference() -> String {
        describe::reference()
    }
}

fn read(
    text: &str,
    node: Result<Node, Problem>,
) -> Result<Configuration, ParseConfigurationErrors> {
    let problems = match (node, Configuration::blank()) {
        (Ok(node), Some(mut configuration)) => {
            let problems = Reader::read(&node, String::new(), &mut configuration);
            if problems.is_empty() {
                return Ok(configuration);
            }
            problems
        }
        (Err(problem), _) => vec![problem],
        (Ok(_), None) => Vec::new(),
    };
    let mut errors: Vec<_> = problems.into_iter().map(|problem| problem.in_text(text)).collect();
    errors.sort_by_key(|error| (error.line, error.column));
    Err(ParseConfigurationErrors(errors))
}

/// One thing that is wrong, with its place as the number of octets before it.
struct Problem {
    at: usize,
    path: String,
    what: ConfigurationProblem,
}

impl Problem {
    fn new(at: usize, path: String, what: ConfigurationProblem) -> Self {
        Self { at, path, what }
    }

    fn in_text(self, text: &str) -> ParseConfigurationError {
        let (line, column) = place_in(text, self.at);
        ParseConfigurationError { line, column, path: self.path, problem: self.what }
    }
}

/// Line and character of what is behind `at` octets, both from 1.
fn place_in(text: &str, at: usize) -> (u32, u32) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
    let count = |number: usize| u32::try_from(number.saturating_add(1)).unwrap_or(u32::MAX);
    let line = count(before.matches('\n').count());
    (line, count(before.get(line_start..).unwrap_or_default().chars().count()))
}

/// Everything that is wrong with a text that should be a configuration, in the order of the text;
/// never empty. Prints a line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseConfigurationErrors(Vec<ParseConfigurationError>);

impl ParseConfigurationErrors {
    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &ParseConfigurationError> {
        self.0.iter()
    }
}

impl fmt::Display for ParseConfigurationErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for error in &self.0 {
            write!(f, "{separator}{error}")?;
            separator = "\n";
        }
        Ok(())
    }
}

impl std::error::Error for ParseConfigurationErrors {}

/// One thing that is wrong with a text that should be a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {}{problem}", path_words(.path))]
#[non_exhaustive]
pub struct ParseConfigurationError {
    /// In which line, from 1.
    pub line: u32,
    /// At which character of it, from 1.
    pub column: u32,
    /// Which object or field: `receive_connectors[0].limits`; empty is the whole text.
    pub path: String,
    /// What is wrong there.
    pub problem: ConfigurationProblem,
}

fn path_words(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}: ") }
}

/// What is wrong in a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigurationProblem {
    /// A field is not there.
    #[error("{field} is missing")]
    Missing {
        /// Its name.
        field: &'static str,
    },
    /// No TOML, or no JSON.
    #[error("{message}")]
    Syntax {
        /// What the parser says.
        message: String,
    },
    /// A field that does not exist.
    #[error("there is no field {field}{}", nearest_words(*.nearest))]
    UnknownField {
        /// Its name.
        field: String,
        /// The field that may be meant.
        nearest: Option<&'static str>,
    },
    /// A value that the field cannot have.
    #[error("{found} stands there, expected is {expected}")]
    Value {
        /// What stands there.
        found: String,
        /// What it can have.
        expected: String,
    },
}

fn nearest_words(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!("; do you mean {nearest}?"))
}
