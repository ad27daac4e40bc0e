//! Where in a text the things stand that lint speaks of.

use super::node::{Data, Entry, Node};
use super::{Named, place_in};
use crate::{LintObject, LintPlace};

impl LintPlace {
    /// In which line and at which character of it, both from 1, a configuration in TOML or JSON
    /// says this; none where it does not.
    pub fn find_in(&self, text: &str) -> Option<(u32, u32)> {
        let node = Node::of_toml(text).or_else(|_| Node::of_json(text)).ok()?;
        let (list, key) = match self.object {
            LintObject::AcceptedDomain => ("accepted_domains", "domain"),
            LintObject::ReceiveConnector => ("receive_connectors", "name"),
            LintObject::RemoteDomain => ("remote_domains", "pattern"),
            LintObject::SendConnector => ("send_connectors", "name"),
            LintObject::Configuration => {
                let field = find(&node, self.field).or_else(|| find(&node, "server_name"))?;
                return Some(place_in(text, field.at));
            }
        };
        let Data::List(nodes) = &find(&node, list)?.node.data else { return None };
        // Of two with one name the later one is too many.
        let object = nodes.iter().rfind(|node| self.is_named(node, key))?;
        let at = find(object, self.field).or_else(|| find(object, key)).map(|field| field.at);
        at.map(|at| place_in(text, at))
    }

    fn is_named(&self, node: &Node, key: &str) -> bool {
        let Some(Data::Text(name)) = find(node, key).map(|field| &field.node.data) else {
            return false;
        };
        match (self.object, name.parse::<Named>()) {
            (LintObject::AcceptedDomain, Ok(Named(entry))) => {
                [entry.to_string(), entry.domain.to_string()].contains(&self.name)
            }
            _ => *name == self.name,
        }
    }
}

/// The field of that name, in this table or in one of those in it.
fn find<'n>(node: &'n Node, name: &str) -> Option<&'n Entry> {
    let Data::Table(entries) = &node.data else { return None };
    let names: &[&str] = match name {
        // What is one field in code and several in a file.
        "delivery" => &["smart_hosts", "agent", "drop_directory"],
        "match_subdomains" => &["domain"],
        "permissions" => &["rights", "permission_groups", "usage"],
        _ => &[name],
    };
    let own = names.iter().find_map(|name| entries.iter().find(|entry| entry.key == *name));
    own.or_else(|| entries.iter().find_map(|entry| find(&entry.node, name)))
}
