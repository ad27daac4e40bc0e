//! `cargo xtask arrows`: dependencies between our crates only go down, and what needs an
//! operating system stays on top.

use crate::finding::Finding;
use crate::levels::{House, IO_LEVEL, UNPUBLISHED, house};
use crate::workspace::{Dependency, Member, Workspace};

const RULE: &str = "arrows";

/// Crates of others that open sockets or files by themselves.
const RUNTIMES: [&str; 6] =
    ["async-std", "hickory-resolver", "smol", "socket2", "tokio", "tokio-rustls"];

/// What may stand below the I/O level all the same, as an optional dependency.
const EXCEPTIONS: [(&str, &str); 2] =
    [("transom-dns", "hickory-resolver"), ("transom-dns", "tokio")];

/// Checks every member.
pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings: Vec<Finding> = workspace.members.iter().flat_map(check_member).collect();
    findings.sort_by(|a, b| a.path.cmp(&b.path));
    findings
}

fn check_member(member: &Member) -> Vec<Finding> {
    let ours = |dependency: &&Dependency| dependency.name.starts_with("transom");
    if UNPUBLISHED.contains(&member.name.as_str()) {
        let published = member.published.then(|| {
            finding(member, format!("{} is not for publishing: set publish = false", member.name))
        });
        return published.into_iter().collect();
    }
    let Some(own) = house(&member.name) else {
        let unknown = "stands in no row of the crate table: add it to crates/xtask/src/levels.rs";
        return vec![finding(member, format!("{} {unknown}", member.name))];
    };
    let arrows = member.dependencies.iter().filter(ours);
    let foreign = member.dependencies.iter().filter(|dependency| !ours(dependency));
    arrows
        .filter_map(|dependency| check_arrow(own, dependency))
        .chain(foreign.filter_map(|dependency| check_foreign(own, dependency)))
        .map(|message| finding(member, message))
        .collect()
}

/// An arrow to a crate of ours.
fn check_arrow(own: House, dependency: &Dependency) -> Option<String> {
    let (from, to) = (own.name, dependency.name.as_str());
    if to == "transom-sim" && dependency.dev {
        let publishable = dependency.has_path && dependency.version == "*";
        let why = "publishing fails with one: name it by path alone";
        return (!publishable).then(|| format!("the dev-dependency on {to} has a version; {why}"));
    }
    let Some(other) = house(to) else {
        return Some(format!("{from} uses {to}, which no published crate may: remove it"));
    };
    if dependency.dev {
        let why = "its tests would see two copies of themselves: move the test up";
        return (other.level > own.level).then(|| format!("{from} tests with {to} above; {why}"));
    }
    let why = "the crate table has no such arrow: move the code down, or return a value instead";
    (!own.may_use(other)).then(|| format!("{from} uses {to}; {why}"))
}

/// An arrow to a crate of others.
fn check_foreign(own: House, dependency: &Dependency) -> Option<String> {
    let name = dependency.name.as_str();
    let excepted = dependency.optional && EXCEPTIONS.contains(&(own.name, name));
    if own.level >= IO_LEVEL || dependency.dev || excepted || !RUNTIMES.contains(&name) {
        return None;
    }
    Some(format!("{} uses {name} below level {IO_LEVEL}: sockets belong to the runtime", own.name))
}

fn finding(member: &Member, message: String) -> Finding {
    Finding { path: member.manifest.clone(), line: 0, rule: RULE, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, dependencies: &[Dependency]) -> Member {
        Member {
            name: name.to_owned(),
            published: true,
            dependencies: dependencies.to_vec(),
            ..Member::default()
        }
    }

    fn normal(name: &str) -> Dependency {
        let version = "=0.1.0".to_owned();
        Dependency { name: name.to_owned(), version, has_path: true, ..Dependency::default() }
    }

    fn dev(name: &str, version: &str) -> Dependency {
        Dependency { dev: true, version: version.to_owned(), ..normal(name) }
    }

    fn count(name: &str, dependencies: &[Dependency]) -> usize {
        check_member(&member(name, dependencies)).len()
    }

    #[test]
    fn arrow_up_is_found() {
        assert_eq!(count("transom-types", &[normal("transom-smtp")]), 1);
    }

    #[test]
    fn arrow_sideways_is_found() {
        assert_eq!(count("transom-smtp", &[normal("transom-message")]), 1);
        assert_eq!(count("transom-queue", &[normal("transom-dns")]), 1);
    }

    #[test]
    fn arrow_down_is_fine() {
        assert_eq!(count("transom-queue", &[normal("transom-types"), normal("bytes")]), 0);
        assert_eq!(count("transom-runtime", &[normal("transom-queue"), normal("tokio")]), 0);
        assert_eq!(count("transom", &[normal("transom-runtime")]), 0);
    }

    #[test]
    fn runtime_below_the_io_level_is_found() {
        assert_eq!(count("transom-queue", &[normal("tokio")]), 1);
        assert_eq!(count("transom-dns", &[normal("tokio")]), 1);
        let optional = Dependency { optional: true, ..normal("hickory-resolver") };
        assert_eq!(count("transom-dns", std::slice::from_ref(&optional)), 0);
        assert_eq!(count("transom-smtp", &[optional]), 1);
        assert_eq!(count("transom-queue", &[dev("tokio", "1")]), 0);
    }

    #[test]
    fn dev_dependency_on_the_simulator_has_no_version() {
        assert_eq!(count("transom-queue", &[dev("transom-sim", "*")]), 0);
        assert_eq!(count("transom-queue", &[dev("transom-sim", "=0.1.0")]), 1);
        assert_eq!(count("transom-queue", &[normal("transom-sim")]), 1);
    }

    #[test]
    fn dev_dependency_up_is_found() {
        assert_eq!(count("transom-queue", &[dev("transom-runtime", "=0.1.0")]), 1);
        assert_eq!(count("transom-queue", &[dev("transom-dns", "=0.1.0")]), 0);
    }

    #[test]
    fn crate_outside_the_table_is_found() {
        assert_eq!(count("transom-utils", &[]), 1);
    }

    #[test]
    fn published_chore_is_found() {
        assert_eq!(count("xtask", &[]), 1);
    }
}
