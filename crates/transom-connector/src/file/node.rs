//! What stands in a text, with its place: the same for TOML and JSON.

use std::fmt::Write as _;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{ConfigurationProblem, Problem};

/// A value and where it begins, as the number of octets before it.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: usize,
    pub(super) data: Data,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    Flag(bool),
    List(Vec<Node>),
    Number(u64),
    /// A value that no field has: a number below zero, a date, null.
    Strange(String),
    Table(Vec<Entry>),
    Text(String),
}

/// A field of a table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Where the key begins.
    pub(super) at: usize,
    pub(super) node: Node,
}

/// Values are the same wherever they stand.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data
    }
}

impl Node {
    /// A value that was not read from anywhere.
    pub(super) fn new(data: Data) -> Self {
        Self { at: 0, data }
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::new(Data::Text(text.into()))
    }

    /// As it would be written, for messages.
    pub(super) fn shown(&self) -> String {
        match &self.data {
            Data::Flag(flag) => flag.to_string(),
            Data::List(nodes) => {
                let nodes: Vec<String> = nodes.iter().map(Self::shown).collect();
                format!("[{}]", nodes.join(", "))
            }
            Data::Number(number) => number.to_string(),
            Data::Strange(text) => text.clone(),
            Data::Table(_) => "a table".to_owned(),
            Data::Text(text) => quoted(text),
        }
    }

    pub(super) fn of_toml(text: &str) -> Result<Self, Problem> {
        match DeTable::parse(text) {
            Ok(table) => Ok(Self { at: 0, data: toml_table(table.get_ref(), text) }),
            Err(error) => {
                let message = error.message().lines().next().unwrap_or_default().to_owned();
                let at = error.span().unwrap_or_default().start;
                Err(Problem::new(at, String::new(), ConfigurationProblem::Syntax { message }))
            }
        }
    }
}

/// A text in quotes, by rules that TOML and JSON share.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            _ if character.is_ascii_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

fn toml_table(table: &DeTable<'_>, text: &str) -> Data {
    let entries = table.iter().map(|(key, value)| Entry {
        key: key.get_ref().to_string(),
        at: key.span().start,
        node: toml_value(value, text),
    });
    Data::Table(entries.collect())
}

fn toml_value(value: &Spanned<DeValue<'_>>, text: &str) -> Node {
    let data = match value.get_ref() {
        DeValue::String(text) => Data::Text(text.to_string()),
        DeValue::Boolean(flag) => Data::Flag(*flag),
        DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(
                |_| Data::Strange(text.get(value.span()).unwrap_or_default().to_owned()),
                Data::Number,
            ),
        DeValue::Array(values) => {
            Data::List(values.iter().map(|value| toml_value(value, text)).collect())
        }
        DeValue::Table(table) => toml_table(table, text),
        _ => Data::Strange(text.get(value.span()).unwrap_or_default().to_owned()),
    };
    Node { at: value.span().start, data }
}
