//! Describes the fields of objects: as JSON Schema, and for people.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::form::{Form, UNLIMITED};
use super::node::{Data, Node};
use super::objects::of_usage;
use super::pass::{Entry, Object, Pass};
use super::write::Writer;
use crate::{Configuration, UsageType};

/// What a field may hold.
pub(super) enum Kind {
    Count { most: u64 },
    Flag,
    List(Box<Self>),
    Octets,
    Text { what: &'static str },
    Time,
    Unlimited(Box<Self>),
    Words(Vec<&'static str>),
}

/// What stands under a name.
enum Shape {
    Field { kind: Kind, is_required: bool, default: Option<Node>, restriction: &'static str },
    Maybe(Vec<Described>),
    Table(Vec<Described>),
    Tables(Vec<Described>),
}

struct Described {
    name: &'static str,
    about: &'static str,
    shape: Shape,
}

#[derive(Default)]
struct Describer(Vec<Described>);

impl Describer {
    fn fields_of<T: Object>(object: &mut T) -> Vec<Described> {
        let mut describer = Self::default();
        object.fields(&mut describer);
        describer.0
    }

    fn push<F: Form>(
        &mut self,
        what: (&'static str, &'static str),
        form: &F,
        value: Option<&F::Value>,
    ) {
        let (name, about) = what;
        let absent = form.absent().map(|(node, restriction)| (Some(node), restriction));
        let written = || (value.and_then(|value| form.write(value)), "");
        let (default, restriction) = absent.unwrap_or_else(written);
        let kind = form.kind();
        let shape = Shape::Field { kind, is_required: value.is_none(), default, restriction };
        self.0.push(Described { name, about, shape });
    }
}

impl Pass for Describer {
    fn field<F: Form>(
        &mut self,
        name: &'static str,
        about: &'static str,
        form: F,
        value: &mut F::Value,
    ) {
        self.push((name, about), &form, Some(value));
    }

    fn required<F: Form>(
        &mut self,
        name: &'static str,
        about: &'static str,
        form: F,
        _value: &mut F::Value,
    ) {
        self.push((name, about), &form, None);
    }

    fn table<T: Object>(&mut self, name: &'static str, about: &'static str, value: &mut T) {
        let shape = Shape::Table(Self::fields_of(value));
        self.0.push(Described { name, about, shape });
    }

    fn maybe<T: Entry>(&mut self, name: &'static str, about: &'static str, _value: &mut Option<T>) {
        let fields = T::blank().map(|mut blank| Self::fields_of(&mut blank));
        let shape = Shape::Maybe(fields.unwrap_or_default());
        self.0.push(Described { name, about, shape });
    }

    fn entries<T: Entry>(&mut self, name: &'static str, about: &'static str, _value: &mut Vec<T>) {
        let fields = T::blank().map(|mut blank| Self::fields_of(&mut blank));
        let shape = Shape::Tables(fields.unwrap_or_default());
        self.0.push(Described { name, about, shape });
    }
}

fn configuration() -> Vec<Described> {
    let blank = Configuration::blank();
    blank.map(|mut blank| Describer::fields_of(&mut blank)).unwrap_or_default()
}

/// The JSON Schema of a configuration.
pub(super) fn schema() -> Value {
    let mut schema = object_schema(&configuration());
    if let Value::Object(schema) = &mut schema {
        schema.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
        schema.insert("title".to_owned(), "Configuration of transom".into());
    }
    schema
}

fn object_schema(fields: &[Described]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for Described { name, about, shape } in fields {
        let mut schema = match shape {
            Shape::Field { kind, .. } => kind.schema(),
            Shape::Maybe(fields) | Shape::Table(fields) => object_schema(fields),
            Shape::Tables(fields) => json!({ "type": "array", "items": object_schema(fields) }),
        };
        if let Value::Object(schema) = &mut schema {
            schema.insert("description".to_owned(), (*about).into());
            if let Shape::Field { default: Some(default), .. } = shape {
                schema.insert("default".to_owned(), default.to_json());
            }
        }
        properties.insert((*name).to_owned(), schema);
        if matches!(shape, Shape::Field { is_required: true, .. }) {
            required.push(*name);
        }
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

impl Kind {
    fn schema(&self) -> Value {
        let number = json!({ "type": "integer", "minimum": 0 });
        let or = |pattern| json!({ "anyOf": [number, { "type": "string", "pattern": pattern }] });
        match self {
            Self::Count { most } => json!({ "type": "integer", "minimum": 0, "maximum": most }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::List(kind) => json!({ "type": "array", "items": kind.schema() }),
            Self::Octets => or("^[0-9]+ (KiB|MiB|GiB)$"),
            Self::Text { what } => json!({ "type": "string", "title": what }),
            Self::Time => or("^[0-9]+ (d|h|min|s|ms|us|ns)$"),
            Self::Unlimited(kind) => json!({ "anyOf": [kind.schema(), { "const": UNLIMITED }] }),
            Self::Words(words) => json!({ "enum": words }),
        }
    }

    /// For people.
    fn words(&self) -> String {
        match self {
            Self::Count { .. } => "number".to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::List(kind) => format!("list: {}", kind.words()),
            Self::Octets => "size".to_owned(),
            Self::Text { what } => (*what).to_owned(),
            Self::Time => "time".to_owned(),
            Self::Unlimited(kind) => format!("{} or \"{UNLIMITED}\"", kind.words()),
            Self::Words(words) => {
                let shown: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                shown.join(", ")
            }
        }
    }
}

/// Every field with its default, in Markdown.
pub(super) fn reference() -> String {
    let mut out = String::new();
    tables(&mut out, "the file", "", "What stands before the first table.", &configuration());
    usages(&mut out);
    out
}

/// A table of fields, and those of the tables in it.
fn tables(out: &mut String, title: &str, path: &str, about: &str, fields: &[Described]) {
    let _ = writeln!(out, "### {title}\n\n{}\n", escaped(about));
    let _ = writeln!(out, "| field | value | default | what it is |\n|---|---|---|---|");
    for Described { name, about, shape } in fields {
        let Shape::Field { kind, is_required, default, restriction } = shape else { continue };
        let default = match default {
            Some(node) if restriction.is_empty() => format!("`{}`", node.shown()),
            Some(node) => format!("`{}` {restriction}", node.shown()),
            None if *is_required => "must be there".to_owned(),
            None => String::new(),
        };
        let kind = escaped(&kind.words());
        let _ = writeln!(out, "| `{name}` | {kind} | {default} | {} |", escaped(about));
    }
    out.push('\n');
    for Described { name, about, shape } in fields {
        let path = if path.is_empty() { (*name).to_owned() } else { format!("{path}.{name}") };
        match shape {
            Shape::Field { .. } => {}
            Shape::Maybe(fields) | Shape::Table(fields) => {
                tables(out, &format!("`[{path}]`"), &path, about, fields);
            }
            Shape::Tables(fields) => {
                tables(out, &format!("`[[{path}]]`"), &path, about, fields);
            }
        }
    }
}

/// What would be markup.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('*', "\\*")
}

/// What a usage sets otherwise than `Custom` does.
fn usages(out: &mut String) {
    let _ = writeln!(out, "### What `usage` sets\n\nOtherwise than `\"Custom\"`:\n");
    let _ = writeln!(out, "| usage | defaults |\n|---|---|");
    let usages = [
        ("Client", UsageType::Client),
        ("Internal", UsageType::Internal),
        ("Internet", UsageType::Internet),
        ("Partner", UsageType::Partner),
    ];
    let custom = Writer::table_of(&mut of_usage(UsageType::Custom));
    for (name, usage) in usages {
        let mut differing = Vec::new();
        differences(&mut differing, "", &custom, &Writer::table_of(&mut of_usage(usage)));
        let _ = writeln!(out, "| `\"{name}\"` | {} |", differing.join(", "));
    }
}

fn differences(out: &mut Vec<String>, path: &str, from: &Node, to: &Node) {
    let (Data::Table(from), Data::Table(to)) = (&from.data, &to.data) else { return };
    for entry in to {
        let path =
            if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
        match from.iter().find(|other| other.key == entry.key) {
            Some(other) if other.node == entry.node => {}
            Some(other) if matches!(other.node.data, Data::Table(_)) => {
                differences(out, &path, &other.node, &entry.node);
            }
            _ => out.push(format!("`{path} = {}`", entry.node.shown())),
        }
    }
}
