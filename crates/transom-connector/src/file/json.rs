//! JSON: reading it with places, and writing it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::node::{Data, Entry, Node};
use super::{ConfigurationProblem, Problem};

impl Node {
    pub(super) fn of_json(text: &str) -> Result<Self, Problem> {
        let node = parse(text, text)?;
        match node.data {
            Data::Table(_) => Ok(node),
            _ => Err(syntax(node.at, "expected a configuration, { to }".to_owned())),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        match &self.data {
            Data::Flag(flag) => Value::from(*flag),
            Data::List(nodes) => nodes.iter().map(Self::to_json).collect(),
            Data::Number(number) => Value::from(*number),
            Data::Strange(text) | Data::Text(text) => Value::from(text.as_str()),
            Data::Table(entries) => {
                entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json())).collect()
            }
        }
    }
}

fn syntax(at: usize, message: String) -> Problem {
    Problem::new(at, String::new(), ConfigurationProblem::Syntax { message })
}

/// Reads a value. `text` is the whole text, of which `part` is a part.
fn parse(text: &str, part: &str) -> Result<Node, Problem> {
    let wrong = |error: serde_json::Error| {
        let (line, column) = (error.line(), error.column());
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default().to_owned();
        syntax(offset(text, part).saturating_add(place(part, line, column)), message)
    };
    let raw: &RawValue = serde_json::from_str(part).map_err(wrong)?;
    let part = raw.get();
    let at = offset(text, part);
    let data = match part.as_bytes().first() {
        Some(b'{') => {
            let Fields(fields) = serde_json::from_str(part).map_err(wrong)?;
            let mut entries: Vec<Entry> = Vec::new();
            for (key, value) in fields {
                let at = offset(text, key.get());
                let key: String = serde_json::from_str(key.get()).map_err(wrong)?;
                if entries.iter().any(|entry| entry.key == key) {
                    return Err(syntax(at, format!("duplicate key {key}")));
                }
                entries.push(Entry { key, at, node: parse(text, value.get())? });
            }
            Data::Table(entries)
        }
        Some(b'[') => {
            let values: Vec<&RawValue> = serde_json::from_str(part).map_err(wrong)?;
            let nodes = values.into_iter().map(|value| parse(text, value.get()));
            Data::List(nodes.collect::<Result<_, _>>()?)
        }
        Some(b'"') => Data::Text(serde_json::from_str(part).map_err(wrong)?),
        Some(b't' | b'f') => Data::Flag(serde_json::from_str(part).map_err(wrong)?),
        _ => part.parse().map_or_else(|_| Data::Strange(part.to_owned()), Data::Number),
    };
    Ok(Node { at, data })
}

/// How many octets of `text` are before `part`.
fn offset(text: &str, part: &str) -> usize {
    part.as_ptr().addr().saturating_sub(text.as_ptr().addr())
}

/// How many octets are before this line and column, both from 1.
fn place(text: &str, line: usize, column: usize) -> usize {
    let before = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len);
    before.sum::<usize>().saturating_add(column.saturating_sub(1)).min(text.len())
}

/// The fields of an object, keys with their quotes.
struct Fields<'t>(Vec<(&'t RawValue, &'t RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(All)
    }
}
