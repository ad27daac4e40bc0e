//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use transom_types::InternalMessageId;

/// What `--help` says.
pub(crate) const HELP: &str = "\
usage: spool check DIR                          verify every segment, record and body
       spool list [--short] DIR                 the messages that wait, with their recipients
       spool export [--to OUT] [--id ID].. DIR  write them to OUT (else here) as ID.eml, with
                                                the envelope beside in ID.smtp
Looks into a spool that no process has open, as the next start would find it, and changes
nothing in it. Ends with 0, with 1 when something is damaged or was not exported, with 2 when
the spool cannot be looked at: in use, missing, none.";

/// The command line, checked.
#[derive(Debug)]
pub(crate) enum Arguments {
    Help,
    Check { spool: PathBuf },
    List { spool: PathBuf, short: bool },
    Export { spool: PathBuf, to: PathBuf, ids: Vec<InternalMessageId> },
}

impl Arguments {
    /// Reads the words. The error is one line.
    pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let mut words = words.into_iter();
        let verb = words.next().unwrap_or_default();
        let verb = verb.to_string_lossy();
        let (mut spool, mut short, mut to, mut ids) = (None, false, None, Vec::new());
        let is_help = |word: &str| matches!(word, "--help" | "-h");
        if is_help(&verb) {
            return Ok(Self::Help);
        }
        while let Some(word) = words.next() {
            match word.to_str() {
                Some(word) if is_help(word) => return Ok(Self::Help),
                Some("--short") if verb == "list" => short = true,
                Some(flag @ "--to") if verb == "export" => to = Some(value(flag, &mut words)?),
                Some(flag @ "--id") if verb == "export" => {
                    ids.push(id(&value(flag, &mut words)?.to_string_lossy())?);
                }
                Some(flag) if flag.starts_with("--") => {
                    return Err(format!("unknown flag {flag} of {verb}; --help lists the flags"));
                }
                _ if spool.is_none() => spool = Some(PathBuf::from(word)),
                _ => return Err(format!("one spool at a time, not {} too", word.display())),
            }
        }
        let none = || format!("{verb} needs the spool's folder; --help says more");
        match &*verb {
            "check" => Ok(Self::Check { spool: spool.ok_or_else(none)? }),
            "list" => Ok(Self::List { spool: spool.ok_or_else(none)?, short }),
            "export" => {
                let to = to.map_or_else(|| PathBuf::from("."), PathBuf::from);
                Ok(Self::Export { spool: spool.ok_or_else(none)?, to, ids })
            }
            "" => Err("check, list or export? --help says more".to_owned()),
            other => Err(format!("check, list or export, not {other}; --help says more")),
        }
    }
}

fn value(flag: &str, words: &mut impl Iterator<Item = OsString>) -> Result<OsString, String> {
    words.next().ok_or_else(|| format!("{flag} needs a value"))
}

fn id(text: &str) -> Result<InternalMessageId, String> {
    let number = text.parse().map_err(|_| format!("--id {text}: no number of a message"))?;
    Ok(InternalMessageId(number))
}
