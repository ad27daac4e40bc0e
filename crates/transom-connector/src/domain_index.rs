//! Values found by domain: exact names, and names with all below them.

use std::collections::HashMap;

use transom_types::Domain;

/// Finds what stands for a domain in as many steps as it has labels, however much stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DomainIndex<T> {
    /// By name, in A-labels and lower case.
    names: HashMap<Box<str>, Entry<T>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry<T> {
    /// For the name alone.
    exact: T,
    /// For the name and all below it.
    within: T,
}

impl<T> Default for DomainIndex<T> {
    fn default() -> Self {
        Self { names: HashMap::new() }
    }
}

impl<T: Default> DomainIndex<T> {
    /// What stands for `domain` alone.
    pub(crate) fn exact_mut(&mut self, domain: &Domain) -> &mut T {
        &mut self.entry(domain).exact
    }

    /// What stands for `domain` and all below it.
    pub(crate) fn within_mut(&mut self, domain: &Domain) -> &mut T {
        &mut self.entry(domain).within
    }

    /// All that may stand for `domain`, which is in A-labels and lower case: the most specific
    /// first. A value may be the empty one.
    pub(crate) fn matching<'i>(&'i self, domain: &str) -> impl Iterator<Item = &'i T> {
        let exact = self.names.get(domain).map(|entry| &entry.exact);
        let within = parents(domain).filter_map(|name| Some(&self.names.get(name)?.within));
        exact.into_iter().chain(within)
    }

    /// All values.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.names.values_mut().flat_map(|entry| [&mut entry.exact, &mut entry.within])
    }

    fn entry(&mut self, domain: &Domain) -> &mut Entry<T> {
        self.names.entry(domain.as_str().to_ascii_lowercase().into()).or_default()
    }
}

/// A domain and those that it is in: `a.b.example`, `b.example`, `example`.
fn parents(domain: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(domain), |name| Some(name.split_once('.')?.1))
}
