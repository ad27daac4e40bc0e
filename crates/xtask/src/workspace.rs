//! What `cargo metadata` and git say about the workspace.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The members of the workspace and where it lies.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) members: Vec<Member>,
}

/// A package of the workspace, as its manifest has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// From the root of the workspace.
    pub(crate) manifest: String,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) published: bool,
    pub(crate) description: Option<String>,
    pub(crate) license: Option<String>,
    /// Whether `[package.metadata.docs.rs]` builds with all features.
    pub(crate) docs_rs: bool,
}

/// One entry of a dependency table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Dev-dependencies alone; build-dependencies count as normal ones.
    pub(crate) dev: bool,
    pub(crate) optional: bool,
    /// `*` when the manifest gives none.
    pub(crate) version: String,
    pub(crate) has_path: bool,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn read() -> Result<Self, String> {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let arguments = ["metadata", "--no-deps", "--format-version", "1", "--offline"];
        let output = run(Command::new(cargo).args(arguments))?;
        Self::from_metadata(&output)
    }

    fn from_metadata(json: &str) -> Result<Self, String> {
        let metadata: Value =
            serde_json::from_str(json).map_err(|wrong| format!("cargo metadata: {wrong}"))?;
        let root = text(&metadata, "workspace_root").ok_or("cargo metadata names no root")?;
        let packages = metadata.get("packages").and_then(Value::as_array);
        let members =
            packages.into_iter().flatten().map(|package| member(package, &root)).collect();
        Ok(Self { root: root.into(), members })
    }

    /// Every file that git tracks or would track, as a path from the root.
    pub(crate) fn files(&self) -> Result<Vec<String>, String> {
        let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let output = run(Command::new("git").current_dir(&self.root).args(arguments))?;
        let mut files: Vec<String> =
            output.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
        files.retain(|path| self.root.join(path).is_file());
        files.sort_unstable();
        files.dedup();
        Ok(files)
    }

    /// The member whose folder holds `path`. The root package holds what no other does.
    pub(crate) fn member_of(&self, path: &str) -> Option<&Member> {
        let folder = |member: &Member| member.manifest.trim_end_matches("Cargo.toml").to_owned();
        self.members
            .iter()
            .filter(|member| path.starts_with(&folder(member)))
            .max_by_key(|member| member.manifest.len())
    }
}

fn member(package: &Value, root: &str) -> Member {
    let manifest = text(package, "manifest_path").unwrap_or_default();
    let relative = Path::new(&manifest).strip_prefix(root).unwrap_or_else(|_| Path::new(&manifest));
    let docs_rs = package.pointer("/metadata/docs/rs/all-features").and_then(Value::as_bool);
    let dependencies = package.get("dependencies").and_then(Value::as_array);
    Member {
        name: text(package, "name").unwrap_or_default(),
        manifest: relative.display().to_string(),
        dependencies: dependencies.into_iter().flatten().map(dependency).collect(),
        published: package.get("publish").is_none_or(Value::is_null),
        description: text(package, "description"),
        license: text(package, "license"),
        docs_rs: docs_rs == Some(true),
    }
}

fn dependency(entry: &Value) -> Dependency {
    Dependency {
        name: text(entry, "name").unwrap_or_default(),
        dev: text(entry, "kind").as_deref() == Some("dev"),
        optional: entry.get("optional").and_then(Value::as_bool) == Some(true),
        version: text(entry, "req").unwrap_or_default(),
        has_path: text(entry, "path").is_some(),
    }
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn run(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|wrong| format!("{program} does not run: {wrong}"))?;
    if !output.status.success() {
        return Err(format!("{program} failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("{program} printed no UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_becomes_members() {
        let json = r#"{"workspace_root": "/w", "packages": [{
            "name": "a", "manifest_path": "/w/crates/a/Cargo.toml", "publish": null,
            "description": "d", "license": "MIT",
            "metadata": {"docs": {"rs": {"all-features": true}}},
            "dependencies": [{"name": "b", "kind": "dev", "req": "*", "path": "/w/crates/b"}]
        }, {
            "name": "root", "manifest_path": "/w/Cargo.toml", "publish": [],
            "dependencies": []}]}"#;
        let workspace = Workspace::from_metadata(json).unwrap();
        let [a, root] = workspace.members.as_slice() else { panic!("two members") };
        assert!(a.published && a.docs_rs && !root.published);
        assert_eq!(a.manifest, "crates/a/Cargo.toml");
        let dependency = &a.dependencies[0];
        assert!(dependency.dev && dependency.has_path && dependency.version == "*");
        assert_eq!(workspace.member_of("crates/a/src/lib.rs").unwrap().name, "a");
        assert_eq!(workspace.member_of("tests/x.rs").unwrap().name, "root");
    }
}
