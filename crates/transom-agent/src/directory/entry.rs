//! What a directory knows of one recipient.

use transom_types::Mailbox;

/// A recipient: what it is, and who may send to it.
///
/// ```
/// use transom_agent::{DirectoryEntry, GroupReports, RecipientPolicy};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let members = ["ann@contoso.com".parse()?, "partners@contoso.com".parse()?];
/// let group = DirectoryEntry::group(members)
///     .with_reports(GroupReports::Owner("ann@contoso.com".parse()?))
///     .with_policy(RecipientPolicy::default().authenticated_only());
/// # let _ = group;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirectoryEntry {
    /// What it is.
    pub kind: RecipientKind,
    /// Who may send to it, and what it may send.
    pub policy: RecipientPolicy,
}

impl DirectoryEntry {
    /// A mailbox. Where it has no policy, `DirectoryAnswer::Known` says the same.
    pub fn mailbox() -> Self {
        Self::of(RecipientKind::Mailbox)
    }

    /// Another name of `primary`, which the directory knows.
    pub fn alias(primary: Mailbox) -> Self {
        Self::of(RecipientKind::Alias(primary))
    }

    /// Somebody elsewhere: the mail goes to `external`, which the directory is not asked about.
    pub fn contact(external: Mailbox) -> Self {
        Self::of(RecipientKind::Contact(external))
    }

    /// A mailbox whose mail goes to `to`, and to itself only where `keep_copy`.
    pub fn forwarding(to: Mailbox, keep_copy: bool) -> Self {
        Self::of(RecipientKind::Forwarding { to, keep_copy })
    }

    /// A group whose failures are reported to the sender.
    pub fn group(members: impl IntoIterator<Item = Mailbox>) -> Self {
        let members = members.into_iter().collect();
        Self::of(RecipientKind::Group(Group { members, reports: GroupReports::Sender }))
    }

    /// The same with failures of its members reported to somebody else. Only a group has members.
    #[must_use]
    pub fn with_reports(mut self, reports: GroupReports) -> Self {
        if let RecipientKind::Group(group) = &mut self.kind {
            group.reports = reports;
        }
        self
    }

    /// The same under a policy.
    #[must_use]
    pub fn with_policy(self, policy: RecipientPolicy) -> Self {
        Self { policy, ..self }
    }

    fn of(kind: RecipientKind) -> Self {
        Self { kind, policy: RecipientPolicy::default() }
    }
}

/// What a recipient is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecipientKind {
    /// Another name of an address.
    Alias(Mailbox),
    /// Somebody elsewhere, at this address.
    Contact(Mailbox),
    /// A mailbox whose mail goes on.
    Forwarding {
        /// Where to.
        to: Mailbox,
        /// Whether the mailbox gets a copy as well.
        keep_copy: bool,
    },
    /// Several recipients.
    Group(Group),
    /// A mailbox.
    Mailbox,
}

/// A group of recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "who is in it, and who hears of failures")]
pub struct Group {
    /// Its members: recipients of any kind, groups among them, and addresses elsewhere.
    pub members: Vec<Mailbox>,
    /// Who hears of failures.
    pub reports: GroupReports,
}

/// Who hears when a member of a group cannot be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the sender, somebody else, or nobody")]
pub enum GroupReports {
    /// Who sent the message.
    #[default]
    Sender,
    /// Who looks after the group. The copies of its members get this reverse-path.
    Owner(Mailbox),
    /// Nobody.
    Nobody,
}

/// Who may send to a recipient, and what it may send itself. The default allows everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecipientPolicy {
    /// Only these may send to it; empty is everybody. A group stands for its members.
    pub accept_only_from: Vec<Mailbox>,
    /// These may not send to it. A group stands for its members.
    pub reject_from: Vec<Mailbox>,
    /// Whether only authenticated senders may send to it.
    pub authenticated_only: bool,
    /// Longest message that it takes, in octets.
    pub receive_octets_max: Option<u64>,
    /// Longest message that it may send, in octets.
    pub send_octets_max: Option<u64>,
    /// Most recipients of a message that it sends. A group counts as one.
    pub send_recipients_max: Option<u32>,
}

impl RecipientPolicy {
    /// The same for authenticated senders only.
    #[must_use]
    pub fn authenticated_only(self) -> Self {
        Self { authenticated_only: true, ..self }
    }

    /// The same for these senders and members of these groups only.
    #[must_use]
    pub fn with_accept_only_from(self, senders: impl IntoIterator<Item = Mailbox>) -> Self {
        Self { accept_only_from: senders.into_iter().collect(), ..self }
    }

    /// The same without these senders and members of these groups.
    #[must_use]
    pub fn with_reject_from(self, senders: impl IntoIterator<Item = Mailbox>) -> Self {
        Self { reject_from: senders.into_iter().collect(), ..self }
    }

    /// The same taking messages of at most so many octets.
    #[must_use]
    pub fn with_receive_octets_max(self, octets: u64) -> Self {
        Self { receive_octets_max: Some(octets), ..self }
    }

    /// The same sending messages of at most so many octets.
    #[must_use]
    pub fn with_send_octets_max(self, octets: u64) -> Self {
        Self { send_octets_max: Some(octets), ..self }
    }

    /// The same sending to at most so many recipients at once.
    #[must_use]
    pub fn with_send_recipients_max(self, recipients: u32) -> Self {
        Self { send_recipients_max: Some(recipients), ..self }
    }
}
