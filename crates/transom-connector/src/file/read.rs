//! Sets the fields of objects to what stands in a text.

use super::form::{Form, Wrong};
use super::nearest::nearest;
use super::node::{Data, Entry as NodeEntry, Node};
use super::pass::{Entry, Object, Pass};
use super::{ConfigurationProblem, Problem};

/// Reads one table.
pub(super) struct Reader<'n> {
    table: &'n [NodeEntry],
    at: usize,
    path: String,
    asked: Vec<&'static str>,
    pub(super) problems: Vec<Problem>,
}

impl<'n> Reader<'n> {
    /// Sets the fields of `object`. `path` is where it stands; empty is the whole text.
    pub(super) fn read<T: Object>(node: &'n Node, path: String, object: &mut T) -> Vec<Problem> {
        let Data::Table(table) = &node.data else {
            return vec![value_problem(path, Wrong::new(node, "a table"))];
        };
        let at = node.at;
        let mut reader = Self { table, at, path, asked: Vec::new(), problems: Vec::new() };
        object.fields(&mut reader);
        reader.refuse_unknown();
        reader.problems
    }

    fn take(&mut self, name: &'static str) -> Option<&'n NodeEntry> {
        self.asked.push(name);
        self.table.iter().find(|entry| entry.key == name)
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Refuses what nobody asked for.
    fn refuse_unknown(&mut self) {
        for entry in self.table {
            if !self.asked.contains(&entry.key.as_str()) {
                let field = entry.key.clone();
                let nearest = nearest(&field, &self.asked);
                let problem = ConfigurationProblem::UnknownField { field, nearest };
                self.problems.push(Problem::new(entry.at, self.path.clone(), problem));
            }
        }
    }
}

fn value_problem(path: String, wrong: Wrong) -> Problem {
    let Wrong { at, found, expected } = wrong;
    Problem::new(at, path, ConfigurationProblem::Value { found, expected })
}

impl Pass for Reader<'_> {
    fn field<F: Form>(
        &mut self,
        name: &'static str,
        _about: &'static str,
        form: F,
        value: &mut F::Value,
    ) {
        let Some(entry) = self.take(name) else { return };
        match form.read(&entry.node) {
            Ok(read) => *value = read,
            Err(wrong) => self.problems.push(value_problem(self.path_of(name), wrong)),
        }
    }

    fn required<F: Form>(
        &mut self,
        name: &'static str,
        about: &'static str,
        form: F,
        value: &mut F::Value,
    ) {
        if self.table.iter().all(|entry| entry.key != name) {
            let problem = ConfigurationProblem::Missing { field: name };
            self.problems.push(Problem::new(self.at, self.path.clone(), problem));
        }
        self.field(name, about, form, value);
    }

    fn table<T: Object>(&mut self, name: &'static str, _about: &'static str, value: &mut T) {
        if let Some(entry) = self.take(name) {
            self.problems.extend(Self::read(&entry.node, self.path_of(name), value));
        }
    }

    fn maybe<T: Entry>(&mut self, name: &'static str, about: &'static str, value: &mut Option<T>) {
        if self.table.iter().any(|entry| entry.key == name)
            && let Some(mut read) = T::blank()
        {
            self.table(name, about, &mut read);
            *value = Some(read);
        } else {
            self.asked.push(name);
        }
    }

    fn entries<T: Entry>(&mut self, name: &'static str, _about: &'static str, value: &mut Vec<T>) {
        let Some(entry) = self.take(name) else { return };
        let path = self.path_of(name);
        let Data::List(nodes) = &entry.node.data else {
            let expected = format!("a list of tables: [[{path}]]");
            self.problems.push(value_problem(path, Wrong::new(&entry.node, expected)));
            return;
        };
        for (number, node) in nodes.iter().enumerate() {
            let Some(mut read) = T::blank() else { continue };
            self.problems.extend(Self::read(node, format!("{path}[{number}]"), &mut read));
            value.push(read);
        }
    }

    fn is_reading(&self) -> bool {
        true
    }

    fn refuse(&mut self, name: &'static str, expected: &'static str) {
        if let Some(entry) = self.table.iter().find(|entry| entry.key == name) {
            let wrong = Wrong { at: entry.at, ..Wrong::new(&entry.node, expected) };
            self.problems.push(value_problem(self.path_of(name), wrong));
        }
    }
}
