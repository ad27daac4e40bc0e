//! What a transaction is, and whether it can go to a peer.

use transom_types::{BodyType, MailParameters, Mailbox, Recipient, RecipientResult, ReversePath};

use super::findings;
use crate::codec::ehlo::Capabilities;

/// A message for one peer, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the envelope and what must be known of the content")]
pub struct Transaction {
    /// `RFC5321.MailFrom`.
    pub reverse_path: ReversePath,
    /// What stood behind it. RET and ENVID are sent where the peer offers DSN; the rest is made
    /// anew from the fields below.
    pub parameters: MailParameters,
    /// Whom it goes to, each with its place in the envelope. NOTIFY and ORCPT are sent where the
    /// peer offers DSN.
    pub recipients: Vec<(u32, Recipient)>,
    /// Octets of the content, with CRLF line ends and without stuffed dots.
    pub size: u64,
    /// Whether the content holds octets above 127.
    pub eight_bit: bool,
    /// Whether the header section of the content needs SMTPUTF8. For the paths the session sees
    /// that by itself.
    pub utf8: bool,
}

/// The transaction did not begin, and the peer heard nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
#[non_exhaustive]
pub struct TransactionRefused {
    /// Why.
    pub reason: RefusalReason,
    /// One result for each recipient; no event gives them again.
    pub results: Vec<RecipientResult>,
}

/// Why a transaction cannot begin. The recipients of the first four reasons have failed, those of
/// the others are deferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The content is 8-bit, and the peer does not offer 8BITMIME: 5.6.3.
    #[error("the peer takes no 8-bit content")]
    EightBit,
    /// The message or its addresses need SMTPUTF8, and the peer does not offer it: 5.6.7.
    #[error("the peer takes no internationalized mail")]
    Smtputf8,
    /// The content is larger than the peer takes: 5.3.4.
    #[error("the peer takes at most {size_max} octets")]
    Size {
        /// The limit that the peer announced.
        size_max: u64,
    },
    /// There are no recipients.
    #[error("the transaction has no recipients")]
    NoRecipients,
    /// The session is not ready: see
    /// [`is_ready`](super::ClientSession::is_ready).
    #[error("the session takes no transaction now")]
    NotReady,
}

/// Why the message as a whole cannot go to this peer.
pub(super) fn refusal(transaction: &Transaction, offered: &Capabilities) -> Option<RefusalReason> {
    let ascii = transaction.reverse_path.mailbox().is_none_or(Mailbox::is_ascii);
    if transaction.recipients.is_empty() {
        return Some(RefusalReason::NoRecipients);
    }
    if (transaction.utf8 || !ascii) && !offered.smtputf8 {
        return Some(RefusalReason::Smtputf8);
    }
    if transaction.eight_bit && !offered.eight_bit_mime {
        return Some(RefusalReason::EightBit);
    }
    // [RFC 1870 §6.1] a client need not try what the server said it does not take.
    let size_max = offered.size_max().filter(|&size_max| transaction.size > size_max)?;
    Some(RefusalReason::Size { size_max })
}

/// Gives every recipient of `transaction` the outcome that `reason` has.
pub(super) fn refuse(transaction: Transaction, reason: RefusalReason) -> TransactionRefused {
    let outcome = findings::refused(reason);
    let give = |(recipient, _)| RecipientResult { recipient, outcome: outcome.clone() };
    TransactionRefused { reason, results: transaction.recipients.into_iter().map(give).collect() }
}

/// What is sent behind MAIL: only what the peer offers.
pub(super) fn mail_parameters(transaction: &Transaction, offered: &Capabilities) -> MailParameters {
    let ascii_sender = transaction.reverse_path.mailbox().is_none_or(Mailbox::is_ascii);
    let ascii_recipients = transaction
        .recipients
        .iter()
        .all(|(_, recipient)| recipient.forward_path.mailbox().is_none_or(Mailbox::is_ascii));
    let mut parameters = MailParameters::default();
    parameters.size = offered.size.is_some().then_some(transaction.size);
    if transaction.eight_bit {
        parameters.body = BodyType::EightBitMime;
    }
    parameters.smtputf8 =
        offered.smtputf8 && (transaction.utf8 || !ascii_sender || !ascii_recipients);
    if offered.dsn {
        parameters.envelope_id.clone_from(&transaction.parameters.envelope_id);
        parameters.ret = transaction.parameters.ret;
    }
    parameters
}
