//! Why a recipient gets no mail.

use transom_connector::ReplyProfile;
use transom_types::{EnhancedStatusCode, Reply, ReplyCode};

/// Why a recipient is refused at RCPT, or fails when the message is resolved.
///
/// ```
/// use transom_connector::ReplyProfile;
/// use transom_routing::resolve::RecipientRefusal;
///
/// let refusal = RecipientRefusal::Unknown;
/// assert_eq!(refusal.reply(ReplyProfile::Plain).to_line(), "550 5.1.1 User unknown");
/// assert_eq!(refusal.reason(), "RESOLVER.ADR.RecipNotFound");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipientRefusal {
    /// Only authenticated senders may send to it.
    #[error("the recipient takes mail from authenticated senders only")]
    AuthenticationRequired,
    /// The directory could not be asked. The only refusal that passes.
    #[error("the directory cannot answer: {reason}")]
    DirectoryUnavailable {
        /// Why not, for logs.
        reason: String,
    },
    /// It is a group, and nobody is in it.
    #[error("the group has no members")]
    EmptyGroup,
    /// With it, the message would have too many recipients.
    #[error("the message would have more than {recipients_max} recipients")]
    ExpandedRecipientsMax {
        /// How many it may have.
        recipients_max: u32,
    },
    /// Aliases and forwarding lead back to where they began.
    #[error("the recipient is forwarded to itself")]
    ForwardingLoop,
    /// Mail for it would be forwarded to a domain that nothing may be forwarded to.
    #[error("nothing may be forwarded to the domain")]
    ForwardingNotAllowed,
    /// It lies too deep in groups in groups, or behind too many aliases.
    #[error("the recipient lies more than {depth_max} steps deep")]
    NestingMax {
        /// How deep it may lie.
        depth_max: u32,
    },
    /// The sender may not send to it.
    #[error("the sender may not send to the recipient")]
    NotAuthorized,
    /// The message is longer than it takes.
    #[error("the recipient takes messages of at most {octets_max} octets")]
    ReceiveSize {
        /// How long it may be.
        octets_max: u64,
    },
    /// The message has too many recipients, groups not expanded.
    #[error("the sender may send to at most {recipients_max} recipients at once")]
    RecipientsMax {
        /// How many it may have.
        recipients_max: u32,
    },
    /// It is a group and the message is a report: groups that name no owner take none.
    #[error("the group takes no reports")]
    ReportToGroup,
    /// The message is longer than its sender may send.
    #[error("the sender may send messages of at most {octets_max} octets")]
    SendSize {
        /// How long it may be.
        octets_max: u64,
    },
    /// Nobody has this address.
    #[error("the recipient does not exist")]
    Unknown,
}

impl RecipientRefusal {
    /// The reply for it, in the words of `profile`. The text of Exchange begins with
    /// [`reason`](Self::reason).
    pub fn reply(&self, profile: ReplyProfile) -> Reply {
        let (code, enhanced, text) = self.words();
        match profile {
            ReplyProfile::Exchange => {
                Reply::new(code, enhanced, format!("{}; {}", self.reason(), text.to_lowercase()))
            }
            _ => Reply::new(code, enhanced, text),
        }
    }

    /// The reason as logs, reports and statistics name it. It never changes.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::AuthenticationRequired => "RESOLVER.RST.AuthRequired",
            Self::DirectoryUnavailable { .. } => "RESOLVER.ADR.Unavailable",
            Self::EmptyGroup => "RESOLVER.GRP.Empty",
            Self::ExpandedRecipientsMax { .. } => "RESOLVER.GRP.ExpansionLimit",
            Self::ForwardingLoop => "RESOLVER.FWD.Loop",
            Self::ForwardingNotAllowed => "RESOLVER.FWD.NotAllowed",
            Self::NestingMax { .. } => "RESOLVER.GRP.NestingLimit",
            Self::NotAuthorized => "RESOLVER.RST.NotAuthorized",
            Self::ReceiveSize { .. } => "RESOLVER.RST.RecipSizeLimit",
            Self::RecipientsMax { .. } => "RESOLVER.ADR.RecipLimit",
            Self::ReportToGroup => "RESOLVER.GRP.NoReports",
            Self::SendSize { .. } => "RESOLVER.RST.SendSizeLimit",
            Self::Unknown => "RESOLVER.ADR.RecipNotFound",
        }
    }

    /// Whether it may pass, so that the recipient waits and is never reported as failed.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::DirectoryUnavailable { .. })
    }

    fn words(&self) -> (ReplyCode, EnhancedStatusCode, &'static str) {
        let permanent = |subject, detail, text| {
            let code = match (subject, detail) {
                (2, 3) => ReplyCode::EXCEEDED_STORAGE,
                _ => ReplyCode::MAILBOX_UNAVAILABLE,
            };
            (code, EnhancedStatusCode::permanent(subject, detail), text)
        };
        match self {
            Self::AuthenticationRequired => permanent(7, 1, "Authentication required"),
            Self::DirectoryUnavailable { .. } => (
                ReplyCode::LOCAL_ERROR,
                EnhancedStatusCode::transient(3, 0),
                "Recipients cannot be looked up now",
            ),
            Self::EmptyGroup => permanent(2, 4, "The group has no members"),
            Self::ExpandedRecipientsMax { .. } => permanent(2, 4, "The group has too many members"),
            Self::ForwardingLoop => permanent(4, 6, "Forwarding loop"),
            Self::ForwardingNotAllowed => {
                permanent(7, 1, "Forwarding to this domain is not allowed")
            }
            Self::NestingMax { .. } => permanent(4, 6, "Groups or aliases are nested too deep"),
            Self::NotAuthorized => permanent(7, 1, "Not authorized"),
            Self::ReceiveSize { .. } => permanent(2, 3, "Message is too large for the recipient"),
            Self::RecipientsMax { .. } => permanent(5, 3, "Too many recipients"),
            Self::ReportToGroup => permanent(7, 1, "The group takes no reports"),
            Self::SendSize { .. } => permanent(2, 3, "Message is larger than its sender may send"),
            Self::Unknown => permanent(1, 1, "User unknown"),
        }
    }
}
