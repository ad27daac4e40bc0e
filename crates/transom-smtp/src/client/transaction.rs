//! What a transaction is, and whether it can go to a peer.

use transom_types::{
    BodyType, DeliverBy, DeliverByMode, FutureRelease, Host, MailParameters, Mailbox, Recipient,
    RecipientResult, ReversePath, RrvsAction,
};

use super::findings;
use crate::codec::ehlo::Capabilities;

/// A message for one peer, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the envelope and what must be known of the content")]
pub struct Transaction {
    /// `RFC5321.MailFrom`.
    pub reverse_path: ReversePath,
    /// What is asked for the message. Each is passed where the peer offers its extension; where
    /// not, it is [`NotPassed`] or the [`RefusalReason`].
    ///
    /// `body` counts where it says BINARYMIME: the content goes out as it is, octet by octet, and
    /// not to a peer that does not offer that. `deliver_by` is what is left of the time now. A
    /// `hold` that is over is taken out by the caller. `size` and `smtputf8` are not looked at:
    /// the fields below say it.
    pub parameters: MailParameters,
    /// Whom it goes to, each with its place in the envelope.
    pub recipients: Vec<(u32, Recipient)>,
    /// Octets of the content, with CRLF line ends and without stuffed dots.
    pub size: u64,
    /// Whether the content holds octets above 127.
    pub eight_bit: bool,
    /// Whether the header section of the content needs SMTPUTF8. For the paths the session sees
    /// that by itself.
    pub utf8: bool,
}

impl Transaction {
    pub(super) fn is_binary(&self) -> bool {
        self.parameters.body == BodyType::BinaryMime
    }
}

/// What a peer is not told of a transaction that goes to it, as it does not offer the extension.
/// Only what was asked for is named, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotPassed {
    /// `AUTH=`: who submitted the message.
    Auth,
    /// `BY=` with the mode `N`. [RFC 2852 §4] the sender is told that the message was relayed.
    DeliverBy,
    /// `RET=`, `ENVID=`, `NOTIFY=` or `ORCPT=`. [RFC 3461 §5.2.2] for a recipient whose NOTIFY
    /// holds SUCCESS, and that is relayed, the caller sends the report itself.
    Dsn,
    /// A parameter of the host program's, by its keyword.
    Extension(Box<str>),
    /// `MT-PRIORITY=`.
    MtPriority,
    /// `RRVS=` of a recipient, which allows that.
    Rrvs,
}

/// The transaction did not begin, and the peer heard nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
#[non_exhaustive]
pub struct TransactionRefused {
    /// Why. Where each recipient has a reason of its own, that of the first.
    pub reason: RefusalReason,
    /// One result for each recipient; no event gives them again.
    pub results: Vec<RecipientResult>,
}

/// Why a transaction cannot begin, and what its recipients get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The content is binary, and the peer does not offer BINARYMIME with CHUNKING and
    /// PIPELINING: failed, 5.6.3.
    #[error("the peer takes no binary content")]
    BinaryMime,
    /// The message is to be returned when it is late, and the peer does not offer DELIVERBY or
    /// wants more time: failed, 5.4.7.
    #[error("the peer does not promise to deliver in time")]
    DeliverBy,
    /// The content is 8-bit, and the peer does not offer 8BITMIME: failed, 5.6.3.
    #[error("the peer takes no 8-bit content")]
    EightBit,
    /// The message is to be held, and the peer does not offer FUTURERELEASE or not for so long:
    /// deferred, as who gives it has to hold it.
    #[error("the peer does not hold messages, or not for so long")]
    FutureRelease,
    /// There are no recipients.
    #[error("the transaction has no recipients")]
    NoRecipients,
    /// The session is not ready: see [`is_ready`](super::ClientSession::is_ready). Deferred.
    #[error("the session takes no transaction now")]
    NotReady,
    /// The recipients are of domains beyond the peer's RCPTDOMAINMAX: deferred with 4.5.3. They
    /// need another session.
    #[error("the peer takes no recipients of further domains in this session")]
    RecipientDomains,
    /// The message must stay in TLS, and the session is in the clear or the peer does not offer
    /// REQUIRETLS: failed, 5.7.30.
    #[error("the peer does not keep messages in TLS")]
    RequireTls,
    /// The mailbox must have had its owner for some time, and the peer does not offer RRVS:
    /// failed, 5.7.19.
    #[error("the peer does not know since when a mailbox has its owner")]
    Rrvs,
    /// The content is larger than the peer takes: failed, 5.3.4.
    #[error("the peer takes at most {size_max} octets")]
    Size {
        /// The limit that the peer announced.
        size_max: u64,
    },
    /// The message or its addresses need SMTPUTF8, and the peer does not offer it: failed, 5.6.7.
    #[error("the peer takes no internationalized mail")]
    Smtputf8,
}

/// Why the message as a whole cannot go to this peer.
pub(super) fn refusal(
    transaction: &Transaction,
    offered: &Capabilities,
    is_secure: bool,
) -> Option<RefusalReason> {
    let parameters = &transaction.parameters;
    if transaction.recipients.is_empty() {
        return Some(RefusalReason::NoRecipients);
    }
    // [RFC 6531 §3.2-c, §3.2-d, §3.5-a] a message or a sender that needs it does not go without
    // SMTPUTF8.
    if (transaction.utf8 || !is_ascii(&transaction.reverse_path)) && !offered.smtputf8 {
        return Some(RefusalReason::Smtputf8);
    }
    // [RFC 8689 §2-a, §4.2.1-a] such a message goes on in TLS, to a peer that says it will do the
    // same.
    if parameters.require_tls && !(is_secure && offered.require_tls) {
        return Some(RefusalReason::RequireTls);
    }
    // [RFC 3030 §3-e] binary content needs the consent to it, and BDAT. A chunk must not wait for
    // the reply to the one before it, hence PIPELINING.
    if transaction.is_binary() && !(offered.binary_mime && offered.chunking && offered.pipelining) {
        return Some(RefusalReason::BinaryMime);
    }
    // [RFC 5321 §2.4-c]
    // [RFC 6152 §3-b, §3-d] 8-bit content does not go to a server that does not offer 8BITMIME.
    if transaction.eight_bit && !transaction.is_binary() && !offered.eight_bit_mime {
        return Some(RefusalReason::EightBit);
    }
    if parameters.deliver_by.is_some_and(|by| !promises(offered, by)) {
        return Some(RefusalReason::DeliverBy);
    }
    if parameters.hold.is_some_and(|hold| !holds(offered, hold)) {
        return Some(RefusalReason::FutureRelease);
    }
    // [RFC 1870 §6.1-b] a client need not try what the server said it does not take.
    let size_max = offered.size_max().filter(|&size_max| transaction.size > size_max)?;
    Some(RefusalReason::Size { size_max })
}

/// Why one recipient cannot be told to this peer.
pub(super) fn recipient_refusal(
    recipient: &Recipient,
    offered: &Capabilities,
) -> Option<RefusalReason> {
    // [RFC 6531 §3.2-c] nor does a recipient that needs it.
    if !recipient.forward_path.mailbox().is_none_or(Mailbox::is_ascii) && !offered.smtputf8 {
        return Some(RefusalReason::Smtputf8);
    }
    // RFC 7293 §5: a message that must not reach a new owner goes nowhere where nobody looks.
    let since = recipient.parameters.valid_since?;
    let may_go = offered.rrvs || since.otherwise == RrvsAction::Continue;
    (!may_go).then_some(RefusalReason::Rrvs)
}

/// Whether the peer takes recipients of this domain, too. `domains` are those of the session so
/// far; that of the recipient is added where the peer counts them.
pub(super) fn fits_domains(
    recipient: &Recipient,
    offered: &Capabilities,
    domains: &mut Vec<Host>,
) -> bool {
    let mailbox = recipient.forward_path.mailbox();
    let (Some(max), Some(mailbox)) = (offered.recipient_domains_max, mailbox) else { return true };
    let host = mailbox.host();
    if domains.contains(&host) {
        return true;
    }
    // [RFC 9422 §4.3-a] no more domains in a session than the server named.
    let fits = domains.len() < usize::try_from(max).unwrap_or(usize::MAX);
    if fits {
        domains.push(host);
    }
    fits
}

/// Gives every recipient of `transaction` the outcome that `reason` has.
pub(super) fn refuse(transaction: Transaction, reason: RefusalReason) -> TransactionRefused {
    let outcome = findings::refused(reason);
    let give = |(recipient, _)| RecipientResult { recipient, outcome: outcome.clone() };
    TransactionRefused { reason, results: transaction.recipients.into_iter().map(give).collect() }
}

/// Whether the transaction is announced as one that needs SMTPUTF8.
pub(super) fn needs_smtputf8(transaction: &Transaction) -> bool {
    let is_ascii_recipient = |(_, recipient): &(u32, Recipient)| {
        recipient.forward_path.mailbox().is_none_or(Mailbox::is_ascii)
    };
    transaction.utf8
        || !is_ascii(&transaction.reverse_path)
        || !transaction.recipients.iter().all(is_ascii_recipient)
}

fn is_ascii(path: &ReversePath) -> bool {
    path.mailbox().is_none_or(Mailbox::is_ascii)
}

/// [RFC 2852 §4] with the mode `R` the message goes only to a server that keeps to the time, and
/// not in less time than that server wants. With `N` it goes anywhere.
fn promises(offered: &Capabilities, by: DeliverBy) -> bool {
    by.mode() == DeliverByMode::Notify
        || offered.deliver_by.is_some_and(|min| i64::from(by.seconds()) >= i64::from(min))
}

/// RFC 4865 §4: a server is not asked to hold a message longer than it offers.
fn holds(offered: &Capabilities, hold: FutureRelease) -> bool {
    offered.future_release.is_some_and(|offer| match hold {
        FutureRelease::For(interval) => interval <= offer.interval_max,
        FutureRelease::Until(moment) => moment <= offer.until_max,
    })
}
