//! Maildir as decisions: which folder a mailbox has and which name a message. The agent that
//! writes the files is in `transom-runtime`.
//!
//! A mailbox lies at `<root>/<domain>/<local-part>/`, with `tmp`, `new` and `cur` below it. Both
//! names are escaped so that no recipient can leave the root, hide a folder or meet another
//! recipient's.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use transom_types::{ForwardPath, Host};

use crate::IdempotencyKey;

/// Longest name of a file or folder, in octets: what every common file system takes.
pub const NAME_OCTETS_MAX: usize = 255;

/// Where the mail of a host-wide `<Postmaster>` lies below the root. No escaped domain is `%`.
const POSTMASTER_FOLDER: &str = "%/postmaster";

/// The folders of one mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MailboxFolder(PathBuf);

impl MailboxFolder {
    /// The folder of `recipient` below `root`. The local-part is taken by its meaning (without
    /// quotes) and without regard to ASCII case, as its owner may do (RFC 5321 §2.4).
    ///
    /// # Errors
    ///
    /// [`NameTooLong`] where the escaped name exceeds [`NAME_OCTETS_MAX`].
    pub fn new(root: &Path, recipient: &ForwardPath) -> Result<Self, NameTooLong> {
        let ForwardPath::Mailbox(mailbox) = recipient else {
            return Ok(Self(root.join(POSTMASTER_FOLDER)));
        };
        let host = match mailbox.host() {
            Host::Domain(domain) => domain.to_string(),
            Host::Literal(literal) => literal.to_string(),
        };
        let domain = escape(&host)?;
        let local_part = escape(&mailbox.local_part().unquoted())?;
        Ok(Self(root.join(domain).join(local_part)))
    }

    /// The mailbox's own folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where a file is written.
    pub fn tmp(&self) -> PathBuf {
        self.0.join("tmp")
    }

    /// Where a whole file is moved to.
    pub fn new_mail(&self) -> PathBuf {
        self.0.join("new")
    }

    /// Where a mail reader moves what it has seen.
    pub fn cur(&self) -> PathBuf {
        self.0.join("cur")
    }
}

/// Keeps `a-z`, `0-9`, `_`, `+`, `-` and dots that are not at the start, puts `A-Z` into lower
/// case and writes every other octet as `%XX`. Nothing becomes `%`. Texts that differ in more
/// than case stay different.
fn escape(text: &str) -> Result<String, NameTooLong> {
    let mut name = String::with_capacity(text.len());
    let mut at_start = true;
    for octet in text.bytes() {
        match octet.to_ascii_lowercase() {
            b'.' if at_start => name.push_str("%2E"),
            kept @ (b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'+' | b'-') => {
                name.push(char::from(kept));
                at_start = false;
            }
            other => {
                let _ = write!(name, "%{other:02X}");
                at_start = false;
            }
        }
    }
    if name.is_empty() {
        name.push('%');
    }
    if name.len() > NAME_OCTETS_MAX {
        return Err(NameTooLong { octets: name.len() });
    }
    Ok(name)
}

/// A mailbox whose folder name no file system takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the folder name has {octets} octets, more than 255")]
#[non_exhaustive]
pub struct NameTooLong {
    /// Its length.
    pub octets: usize,
}

/// The name of a message's file, made from the key alone, so that every attempt makes the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileName(String);

impl FileName {
    /// The name for `key`, which is that of one recipient.
    pub fn new(key: IdempotencyKey) -> Self {
        Self(format!("{key}.transom"))
    }

    /// The name as it stands in `tmp` and `new`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `entry`, found in `new` or `cur`, is this message: mail readers append `:2,` and
    /// flags, some put sizes behind a comma before that, and some file systems make `;` of `:`.
    pub fn matches(&self, entry: &str) -> bool {
        match entry.strip_prefix(self.as_str()) {
            Some(rest) => rest.is_empty() || rest.starts_with([':', ',', ';', '!']),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Component;

    use proptest::prelude::*;
    use transom_types::{InternalMessageId, NetworkMessageId};

    use super::*;

    fn folder(recipient: &str) -> String {
        let recipient = recipient.parse().unwrap();
        let folder = MailboxFolder::new(Path::new("/mail"), &recipient).unwrap();
        folder.path().to_str().unwrap().to_owned()
    }

    #[test]
    fn folder_is_domain_then_local_part() {
        let table = [
            ("<bob@example.com>", "/mail/example.com/bob"),
            ("<Bob@EXAMPLE.com>", "/mail/example.com/bob"),
            ("<\"bob\"@example.com>", "/mail/example.com/bob"),
            ("<bob+list_a-b@example.com>", "/mail/example.com/bob+list_a-b"),
            ("<\"..\"@example.com>", "/mail/example.com/%2E%2E"),
            ("<\".hidden\"@example.com>", "/mail/example.com/%2Ehidden"),
            ("<\"../../etc\"@example.com>", "/mail/example.com/%2E%2E%2F..%2Fetc"),
            ("<a/b@example.com>", "/mail/example.com/a%2Fb"),
            ("<\"\"@example.com>", "/mail/example.com/%"),
            ("<bob@[192.0.2.1]>", "/mail/%5B192.0.2.1%5D/bob"),
            ("<Postmaster>", "/mail/%/postmaster"),
        ];
        for (recipient, expected) in table {
            assert_eq!(folder(recipient), expected, "{recipient}");
        }
    }

    #[test]
    fn name_too_long_for_a_file_system_is_refused() {
        let recipient = format!("<{}@example.com>", "/".repeat(86)).parse().unwrap();
        assert_eq!(
            MailboxFolder::new(Path::new("/mail"), &recipient),
            Err(NameTooLong { octets: 258 })
        );
    }

    #[test]
    fn a_message_is_found_again_whatever_a_reader_appended() {
        let key = IdempotencyKey::new(NetworkMessageId(1), InternalMessageId(2)).for_recipient(1);
        let other =
            IdempotencyKey::new(NetworkMessageId(1), InternalMessageId(2)).for_recipient(10);
        let name = FileName::new(key);
        for rest in ["", ":2,", ":2,RS", ",S=123:2,S"] {
            assert!(name.matches(&format!("{}{rest}", name.as_str())), "{rest}");
            assert!(!name.matches(&format!("{}{rest}", FileName::new(other).as_str())), "{rest}");
        }
        assert!(!name.matches(&format!("{}x", name.as_str())));
    }

    proptest! {
        #[test]
        fn no_recipient_leaves_the_root(inner in "[ -~]{0,60}") {
            let quoted = inner.replace('\\', "\\\\").replace('"', "\\\"");
            let recipient: ForwardPath = format!("<\"{quoted}\"@example.com>").parse().unwrap();
            let folder = MailboxFolder::new(Path::new("/mail"), &recipient);
            let Ok(folder) = folder else { return Ok(()) };
            let names: Vec<Component<'_>> = folder.path().components().collect();
            prop_assert_eq!(names.len(), 4);
            prop_assert!(names.iter().skip(1).all(|name| matches!(name, Component::Normal(_))));
            prop_assert!(folder.path().starts_with("/mail/example.com"));
            let last = folder.path().file_name().unwrap().to_str().unwrap();
            prop_assert!(!last.starts_with('.'));
        }

        #[test]
        fn different_mailboxes_have_different_folders(
            a in "[ -@\\[-~]{0,20}",
            b in "[ -@\\[-~]{0,20}",
        ) {
            prop_assert_eq!(escape(&a) == escape(&b), a == b);
        }
    }
}
