//! Folders and names: what the process sees, what the medium has, and the changes between.

use std::collections::{BTreeMap, BTreeSet};

/// A folder and a name in it. The spool's own folder is `""`.
pub(super) type Place = (String, String);

/// Splits a path at its last slash.
pub(super) fn place(path: &str) -> Place {
    match path.rsplit_once('/') {
        Some((dir, name)) => (dir.into(), name.into()),
        None => (String::new(), path.into()),
    }
}

/// All names of one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    /// Folders by path, `""` not among them.
    pub(super) dirs: BTreeSet<String>,
    /// Files by place.
    pub(super) files: BTreeMap<Place, u64>,
}

impl Tree {
    pub(super) fn has_dir(&self, path: &str) -> bool {
        path.is_empty() || self.dirs.contains(path)
    }

    pub(super) fn files_in(&self, path: &str) -> impl Iterator<Item = (&Place, &u64)> {
        let first = (path.to_owned(), String::new());
        let files = self.files.range(first..);
        files.take_while(move |((dir, _), _)| dir == path)
    }

    pub(super) fn dirs_in(&self, path: &str) -> impl Iterator<Item = &str> {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let dirs = self.dirs.range(prefix.clone()..);
        let names = dirs.map_while(move |dir| dir.strip_prefix(prefix.as_str()));
        names.filter(|name| !name.contains('/'))
    }

    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Create { at, inode } => {
                self.files.insert(at.clone(), *inode);
            }
            Change::Unlink { at } => {
                self.files.remove(at);
            }
            Change::Rename { from, to, inode } => {
                self.files.remove(from);
                self.files.insert(to.clone(), *inode);
            }
            Change::MakeDir { at } => {
                self.dirs.insert(join(at));
            }
        }
    }

    /// Removes folders whose parent is gone, and the files in folders that are gone.
    pub(super) fn drop_unreachable(&mut self) {
        let dirs = self.dirs.clone();
        self.dirs.retain(|dir| {
            let (parent, _) = place(dir);
            parent.is_empty() || dirs.contains(&parent)
        });
        let dirs = &self.dirs;
        self.files.retain(|(dir, _), _| dir.is_empty() || dirs.contains(dir));
    }
}

pub(super) fn join((dir, name): &Place) -> String {
    if dir.is_empty() { name.clone() } else { format!("{dir}/{name}") }
}

/// One change of names. A rename is one change, even across folders: it is never half done.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Create { at: Place, inode: u64 },
    MakeDir { at: Place },
    Rename { from: Place, to: Place, inode: u64 },
    Unlink { at: Place },
}

impl Change {
    pub(super) fn places(&self) -> Vec<&Place> {
        match self {
            Self::Create { at, .. } | Self::Unlink { at } | Self::MakeDir { at } => vec![at],
            Self::Rename { from, to, .. } => vec![from, to],
        }
    }

    pub(super) fn touches_dir(&self, dir: &str) -> bool {
        self.places().iter().any(|(parent, _)| parent == dir)
    }

    /// Whether this change makes no sense without the `earlier` one: both change one name.
    pub(super) fn depends_on(&self, earlier: &Self) -> bool {
        let places = earlier.places();
        self.places().iter().any(|place| places.contains(place))
    }
}

/// Which of `changes` are kept when those in `wanted` are asked for: a change without one that it
/// depends on is lost too.
pub(super) fn closed_under_loss(
    changes: &[Change],
    wanted: &mut dyn FnMut() -> bool,
) -> Vec<Change> {
    let mut lost: Vec<&Change> = Vec::new();
    let mut kept = Vec::new();
    for change in changes {
        let wanted = wanted();
        if wanted && !lost.iter().any(|earlier| change.depends_on(earlier)) {
            kept.push(change.clone());
        } else {
            lost.push(change);
        }
    }
    kept
}

/// Splits `changes` into those that a sync of `dir` makes durable and the rest. What a synced
/// change depends on is synced with it.
pub(super) fn split_for_sync(changes: Vec<Change>, dir: &str) -> (Vec<Change>, Vec<Change>) {
    let mut synced: Vec<Change> = Vec::new();
    let mut rest: Vec<Change> = Vec::new();
    for change in changes.into_iter().rev() {
        let needed = synced.iter().any(|later| later.depends_on(&change));
        if change.touches_dir(dir) || needed {
            synced.push(change);
        } else {
            rest.push(change);
        }
    }
    synced.reverse();
    rest.reverse();
    (synced, rest)
}
