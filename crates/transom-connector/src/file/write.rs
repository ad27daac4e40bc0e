//! Writes objects as TOML, every value as it is.

use std::fmt::Write as _;

use super::form::Form;
use super::node::{Data, Entry as NodeEntry, Node};
use super::pass::{Entry, Object, Pass};

/// Collects the fields of one table.
#[derive(Default)]
pub(super) struct Writer {
    table: Vec<NodeEntry>,
}

impl Writer {
    /// The table of an object.
    pub(super) fn table_of<T: Object>(object: &mut T) -> Node {
        let mut writer = Self::default();
        object.fields(&mut writer);
        Node::new(Data::Table(writer.table))
    }

    fn push(&mut self, name: &str, node: Node) {
        self.table.push(NodeEntry { key: name.to_owned(), at: 0, node });
    }
}

impl Pass for Writer {
    fn field<F: Form>(
        &mut self,
        name: &'static str,
        _about: &'static str,
        form: F,
        value: &mut F::Value,
    ) {
        if let Some(node) = form.write(value) {
            self.push(name, node);
        }
    }

    fn required<F: Form>(
        &mut self,
        name: &'static str,
        about: &'static str,
        form: F,
        value: &mut F::Value,
    ) {
        self.field(name, about, form, value);
    }

    fn table<T: Object>(&mut self, name: &'static str, _about: &'static str, value: &mut T) {
        self.push(name, Self::table_of(value));
    }

    fn maybe<T: Entry>(&mut self, name: &'static str, about: &'static str, value: &mut Option<T>) {
        if let Some(value) = value {
            self.table(name, about, value);
        }
    }

    fn entries<T: Entry>(&mut self, name: &'static str, _about: &'static str, value: &mut Vec<T>) {
        if !value.is_empty() {
            let nodes = value.iter_mut().map(Self::table_of);
            self.push(name, Node::new(Data::List(nodes.collect())));
        }
    }
}

/// The table as TOML: values first, as tables have no end.
pub(super) fn toml(node: &Node) -> String {
    let mut out = String::new();
    write_table(&mut out, "", node);
    out
}

fn write_table(out: &mut String, path: &str, node: &Node) {
    let Data::Table(entries) = &node.data else { return };
    let path_of = |key: &str| {
        if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
    };
    for entry in entries {
        if !matches!(entry.node.data, Data::Table(_)) && !is_tables(&entry.node) {
            let _ = writeln!(out, "{} = {}", entry.key, entry.node.shown());
        }
    }
    for entry in entries {
        let path = path_of(&entry.key);
        match &entry.node.data {
            Data::Table(_) => {
                let _ = writeln!(out, "\n[{path}]");
                write_table(out, &path, &entry.node);
            }
            Data::List(nodes) if is_tables(&entry.node) => {
                for node in nodes {
                    let _ = writeln!(out, "\n[[{path}]]");
                    write_table(out, &path, node);
                }
            }
            _ => {}
        }
    }
}

fn is_tables(node: &Node) -> bool {
    matches!(&node.data, Data::List(nodes)
        if nodes.iter().any(|node| matches!(node.data, Data::Table(_))))
}
