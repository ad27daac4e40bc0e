//! Forms: how a value is written in a file, and what is said where something else stands there.

use std::fmt::Display;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::describe::Kind;
use super::nearest::nearest;
use super::node::{Data, Node};
use super::units::{parse_size, parse_time, write_size, write_time};

/// How a kind of value is written.
pub(super) trait Form {
    /// The value.
    type Value;
    /// What it is, for the schema and the docs.
    fn kind(&self) -> Kind;
    /// The value that stands there.
    fn read(&self, node: &Node) -> Result<Self::Value, Wrong>;
    /// As it is written; none is a field that does not stand there.
    fn write(&self, value: &Self::Value) -> Option<Node>;
    /// What a field means that does not stand there, for the docs, with a restriction.
    fn absent(&self) -> Option<(Node, &'static str)> {
        None
    }
}

/// A value that is not of its form.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) at: usize,
    pub(super) found: String,
    pub(super) expected: String,
}

impl Wrong {
    pub(super) fn new(node: &Node, expected: impl Into<String>) -> Self {
        Self { at: node.at, found: node.shown(), expected: expected.into() }
    }
}

/// `true` or `false`.
pub(super) struct Flag;

impl Form for Flag {
    type Value = bool;
    fn kind(&self) -> Kind {
        Kind::Flag
    }
    fn read(&self, node: &Node) -> Result<bool, Wrong> {
        match node.data {
            Data::Flag(flag) => Ok(flag),
            _ => Err(Wrong::new(node, "true or false")),
        }
    }
    fn write(&self, value: &bool) -> Option<Node> {
        Some(Node::new(Data::Flag(*value)))
    }
}

/// A whole number.
pub(super) struct Count<N>(PhantomData<N>);

impl<N> Count<N> {
    pub(super) const NEW: Self = Self(PhantomData);
}

/// A number of some type that a count has.
pub(super) trait Number: Copy + TryFrom<u64> + Into<u64> {
    const MOST: Self;
}

impl Number for u16 {
    const MOST: Self = Self::MAX;
}

impl Number for u32 {
    const MOST: Self = Self::MAX;
}

impl Number for u64 {
    const MOST: Self = Self::MAX;
}

impl<N: Number> Form for Count<N> {
    type Value = N;
    fn kind(&self) -> Kind {
        Kind::Count { most: N::MOST.into() }
    }
    fn read(&self, node: &Node) -> Result<N, Wrong> {
        let number = match node.data {
            Data::Number(number) => N::try_from(number).ok(),
            _ => None,
        };
        let most: u64 = N::MOST.into();
        number.ok_or_else(|| Wrong::new(node, format!("a whole number from 0 to {most}")))
    }
    fn write(&self, value: &N) -> Option<Node> {
        Some(Node::new(Data::Number((*value).into())))
    }
}

/// A number of octets: `"36 MiB"`, or a plain number.
pub(super) struct Octets<N>(PhantomData<N>);

impl<N> Octets<N> {
    pub(super) const NEW: Self = Self(PhantomData);
}

impl<N: Number> Form for Octets<N> {
    type Value = N;
    fn kind(&self) -> Kind {
        Kind::Octets
    }
    fn read(&self, node: &Node) -> Result<N, Wrong> {
        let octets = match &node.data {
            Data::Number(number) => Some(*number),
            Data::Text(text) => parse_size(text),
            _ => None,
        };
        let size = octets.and_then(|octets| N::try_from(octets).ok());
        size.ok_or_else(|| {
            Wrong::new(node, "a size such as \"36 MiB\" (KiB, MiB, GiB), or a number of octets")
        })
    }
    fn write(&self, value: &N) -> Option<Node> {
        let octets: u64 = (*value).into();
        Some(write_size(octets).map_or_else(|| Node::new(Data::Number(octets)), Node::text))
    }
}

/// How long something lasts: `"5 min"`, or a plain number of seconds.
pub(super) struct Time;

impl Form for Time {
    type Value = Duration;
    fn kind(&self) -> Kind {
        Kind::Time
    }
    fn read(&self, node: &Node) -> Result<Duration, Wrong> {
        let time = match &node.data {
            Data::Number(seconds) => Some(Duration::from_secs(*seconds)),
            Data::Text(text) => parse_time(text),
            _ => None,
        };
        time.ok_or_else(|| {
            Wrong::new(node, "a time such as \"5 min\" (d, h, min, s, ms), or a number of seconds")
        })
    }
    fn write(&self, value: &Duration) -> Option<Node> {
        Some(Node::text(write_time(*value)))
    }
}

/// A text with no form of its own.
pub(super) struct Text(pub(super) &'static str);

impl Form for Text {
    type Value = String;
    fn kind(&self) -> Kind {
        Kind::Text { what: self.0 }
    }
    fn read(&self, node: &Node) -> Result<String, Wrong> {
        match &node.data {
            Data::Text(text) => Ok(text.clone()),
            _ => Err(Wrong::new(node, format!("{} in quotes", self.0))),
        }
    }
    fn write(&self, value: &String) -> Option<Node> {
        Some(Node::text(value))
    }
}

/// The path of a directory. One that is no Unicode cannot be written.
pub(super) struct Directory;

impl Form for Directory {
    type Value = PathBuf;
    fn kind(&self) -> Kind {
        Kind::Text { what: "a path" }
    }
    fn read(&self, node: &Node) -> Result<PathBuf, Wrong> {
        Text("a path").read(node).map(PathBuf::from)
    }
    fn write(&self, value: &PathBuf) -> Option<Node> {
        Some(Node::text(value.to_string_lossy()))
    }
}

/// A value with a text of its own.
pub(super) struct Parsed<T>(&'static str, PhantomData<T>);

impl<T> Parsed<T> {
    pub(super) const fn new(what: &'static str) -> Self {
        Self(what, PhantomData)
    }
}

impl<T: FromStr<Err: Display> + Display> Form for Parsed<T> {
    type Value = T;
    fn kind(&self) -> Kind {
        Kind::Text { what: self.0 }
    }
    fn read(&self, node: &Node) -> Result<T, Wrong> {
        match &node.data {
            Data::Text(text) => {
                text.parse().map_err(|why| Wrong::new(node, format!("{} ({why})", self.0)))
            }
            _ => Err(Wrong::new(node, format!("{} in quotes", self.0))),
        }
    }
    fn write(&self, value: &T) -> Option<Node> {
        Some(Node::text(value.to_string()))
    }
}

/// One of a few words.
pub(super) struct Words<T: 'static>(pub(super) &'static [(T, &'static str)]);

impl<T: Copy + PartialEq> Form for Words<T> {
    type Value = T;
    fn kind(&self) -> Kind {
        Kind::Words(self.0.iter().map(|(_, word)| *word).collect())
    }
    fn read(&self, node: &Node) -> Result<T, Wrong> {
        let text = match &node.data {
            Data::Text(text) => text.as_str(),
            _ => "",
        };
        let value = self.0.iter().find(|(_, word)| *word == text).map(|(value, _)| *value);
        value.ok_or_else(|| {
            let words: Vec<&str> = self.0.iter().map(|(_, word)| *word).collect();
            let shown: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
            let meant = nearest(text, &words).map(|word| format!("; do you mean \"{word}\"?"));
            let meant = meant.unwrap_or_default();
            Wrong::new(node, format!("one of {}{meant}", shown.join(", ")))
        })
    }
    fn write(&self, value: &T) -> Option<Node> {
        let word = self.0.iter().find(|(one, _)| one == value);
        word.map(|(_, word)| Node::text(*word))
    }
}

/// A list of them.
pub(super) struct ListOf<F>(pub(super) F);

impl<F: Form> Form for ListOf<F> {
    type Value = Vec<F::Value>;
    fn kind(&self) -> Kind {
        Kind::List(Box::new(self.0.kind()))
    }
    fn read(&self, node: &Node) -> Result<Self::Value, Wrong> {
        match &node.data {
            Data::List(nodes) => nodes.iter().map(|node| self.0.read(node)).collect(),
            _ => Err(Wrong::new(node, "a list, [ to ]")),
        }
    }
    fn write(&self, value: &Self::Value) -> Option<Node> {
        let nodes = value.iter().filter_map(|value| self.0.write(value));
        Some(Node::new(Data::List(nodes.collect())))
    }
}

/// A value that may be absent, and cannot be taken away where it is there.
pub(super) struct Optional<F>(pub(super) F);

impl<F: Form> Form for Optional<F> {
    type Value = Option<F::Value>;
    fn kind(&self) -> Kind {
        self.0.kind()
    }
    fn read(&self, node: &Node) -> Result<Self::Value, Wrong> {
        self.0.read(node).map(Some)
    }
    fn write(&self, value: &Self::Value) -> Option<Node> {
        value.as_ref().and_then(|value| self.0.write(value))
    }
}

/// A bound that holds for strangers where it is absent, and for all where it is there.
pub(super) struct ForStrangers<F: Form>(pub(super) F, pub(super) F::Value);

impl<F: Form> Form for ForStrangers<F> {
    type Value = Option<F::Value>;
    fn kind(&self) -> Kind {
        self.0.kind()
    }
    fn read(&self, node: &Node) -> Result<Self::Value, Wrong> {
        self.0.read(node).map(Some)
    }
    fn write(&self, value: &Self::Value) -> Option<Node> {
        value.as_ref().and_then(|value| self.0.write(value))
    }
    fn absent(&self) -> Option<(Node, &'static str)> {
        self.0.write(&self.1).map(|node| (node, "but for loopback peers"))
    }
}

/// A bound, or the word that there is none.
pub(super) struct Unlimited<F>(pub(super) F);

/// What Exchange writes where there is no bound.
pub(super) const UNLIMITED: &str = "Unlimited";

impl<F: Form> Form for Unlimited<F> {
    type Value = Option<F::Value>;
    fn kind(&self) -> Kind {
        Kind::Unlimited(Box::new(self.0.kind()))
    }
    fn read(&self, node: &Node) -> Result<Self::Value, Wrong> {
        if node.data == Data::Text(UNLIMITED.to_owned()) {
            return Ok(None);
        }
        let or = |wrong: Wrong| Wrong {
            expected: format!("{}, or \"{UNLIMITED}\"", wrong.expected),
            ..wrong
        };
        self.0.read(node).map(Some).map_err(or)
    }
    fn write(&self, value: &Self::Value) -> Option<Node> {
        match value {
            Some(value) => self.0.write(value),
            None => Some(Node::text(UNLIMITED)),
        }
    }
}
