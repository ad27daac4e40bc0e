//! What is no spool, and words that mean nothing: one line, exit 2, nothing made.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::sample::{accept, open};
use crate::tool::{run, run_on};

fn refuses(arguments: &[&str], named: &[&str]) {
    let ended = run(arguments);
    assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{arguments:?}: {ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    for name in named {
        assert!(ended.stderr.contains(name), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn what_is_no_spool_is_refused_in_one_line() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("empty")).unwrap();
    fs::create_dir(path("other")).unwrap();
    fs::write(path("other/letter"), "Dear Ann").unwrap();
    fs::write(path("file"), "no folder").unwrap();
    for (name, why) in [
        ("missing", "No such file"),
        ("file", "Not a directory"),
        ("empty", "no FORMAT"),
        ("other", "letter"),
    ] {
        let spool = path(name).display().to_string();
        for verb in ["check", "list", "export"] {
            refuses(&[verb, &spool], &[&spool, why]);
        }
    }
    assert!(!path("missing").exists());
    assert_eq!(fs::read_dir(path("empty")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(path("other")).unwrap().count(), 1);
}

#[test]
fn words_that_mean_nothing_are_named() {
    for (arguments, named) in [
        (&[][..], &["check, list or export"][..]),
        (&["repair", "x"], &["repair"]),
        (&["check"], &["check needs"]),
        (&["list", "a", "b"], &["b"]),
        (&["list", "--to", "x", "y"], &["--to", "list"]),
        (&["export", "y", "--to"], &["--to needs a value"]),
        (&["export", "--id", "one", "y"], &["--id one"]),
    ] {
        refuses(arguments, named);
    }
    let help = run(&["--help"]);
    assert_eq!(help.code, Some(0));
    assert!(["check", "list", "export"].iter().all(|verb| help.stdout.contains(verb)));
}

#[test]
fn nothing_is_exported_into_the_spool_itself() {
    let folder = TempDir::new().unwrap();
    let spool = folder.path().join("spool");
    let log = open(&spool);
    accept(&log, 1, 1, 100);
    drop(log);
    for inside in ["", "new", "log/new/deep"] {
        let to = Path::new(&spool).join(inside).display().to_string();
        let ended = run_on(&spool, &["export", "--to", &to]);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains("lies in the spool"), "{}", ended.stderr);
    }
}
