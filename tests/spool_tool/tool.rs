//! The program, and what a folder holds before and after it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |octets| String::from_utf8(octets).unwrap();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        Self { code: output.status.code(), stdout, stderr }
    }
}

/// The program, which cargo builds for every test run of the root package.
fn binary() -> PathBuf {
    let binary = crate::process::binary().with_file_name("spool");
    assert!(binary.is_file(), "{}: build it: cargo build --example spool", binary.display());
    binary
}

pub(crate) fn run(arguments: &[&str]) -> Ended {
    Command::new(binary()).args(arguments).output().unwrap().into()
}

/// Runs it where the shell's `ulimit` has taken something away.
pub(crate) fn run_limited(limit: &str, arguments: &[&str]) -> Ended {
    let script = format!("trap '' XFSZ; ulimit {limit}; exec \"$0\" \"$@\"");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).arg(binary()).args(arguments);
    shell.output().unwrap().into()
}

/// Runs it on a spool, in which nothing may change by it.
pub(crate) fn run_on(spool: &Path, arguments: &[&str]) -> Ended {
    let before = tree(spool);
    let spool_text = spool.display().to_string();
    let ended = run(&[arguments, &[&spool_text]].concat());
    assert!(tree(spool) == before, "{arguments:?} changed something");
    ended
}

/// All that a file system says of a file or folder, but for when it was read last.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Node {
    inode: u64,
    mode: u32,
    modified: (i64, i64),
    changed: (i64, i64),
    content: Option<Vec<u8>>,
}

/// A folder and everything in it.
pub(crate) fn tree(root: &Path) -> BTreeMap<PathBuf, Node> {
    let metadata = fs::symlink_metadata(root).unwrap();
    let node = Node {
        inode: metadata.ino(),
        mode: metadata.mode(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
        content: metadata.is_file().then(|| fs::read(root).unwrap()),
    };
    let mut nodes = BTreeMap::from([(root.to_owned(), node)]);
    if metadata.is_dir() {
        for entry in fs::read_dir(root).unwrap() {
            nodes.append(&mut tree(&entry.unwrap().path()));
        }
    }
    nodes
}
