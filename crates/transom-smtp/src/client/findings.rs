//! What the session finds by itself, in the form of a status.

use transom_types::{AttemptStage, EnhancedStatusCode, Outcome, Reply, ReplyCode, Status};

use super::{PeerViolation, RefusalReason};

fn status(
    stage: AttemptStage,
    code: ReplyCode,
    enhanced: EnhancedStatusCode,
    text: impl Into<std::borrow::Cow<'static, str>>,
) -> Status {
    Status::local(stage, Reply::new(code, enhanced, text))
}

/// The connection is gone.
pub(super) fn peer_closed(stage: AttemptStage) -> Status {
    let text = format!("the peer closed the connection ({stage})");
    status(stage, ReplyCode::LOCAL_ERROR, EnhancedStatusCode::transient(4, 2), text)
}

/// The peer says nothing.
pub(super) fn timed_out(stage: AttemptStage) -> Status {
    let text = format!("the peer did not answer in time ({stage})");
    status(stage, ReplyCode::LOCAL_ERROR, EnhancedStatusCode::transient(4, 2), text)
}

/// The peer broke the protocol.
pub(super) fn violation(stage: AttemptStage, what: &PeerViolation) -> Status {
    let text = format!("the peer broke the protocol ({stage}): {what}");
    status(stage, ReplyCode::LOCAL_ERROR, EnhancedStatusCode::transient(5, 0), text)
}

/// What is added to the text of a finding where a firewall may be the reason.
fn firewall(masked: Option<&str>) -> String {
    let name = |seen| format!("; a rewriting firewall on the way masks what is said ({seen})");
    masked.map(name).unwrap_or_default()
}

/// TLS is required and cannot begin.
pub(super) fn tls_unavailable(masked: Option<&str>) -> Status {
    let text = format!("TLS is required, and the peer does not offer it{}", firewall(masked));
    let enhanced = EnhancedStatusCode::transient(7, 10);
    status(AttemptStage::Tls, ReplyCode::TLS_NOT_AVAILABLE, enhanced, text)
}

/// The handshake failed.
pub(super) fn tls_failed() -> Status {
    let enhanced = EnhancedStatusCode::transient(7, 5);
    let text = "the TLS handshake failed";
    status(AttemptStage::Tls, ReplyCode::TLS_NOT_AVAILABLE, enhanced, text)
}

/// There are credentials, and nothing that keeps them secret on the way.
pub(super) fn no_tls_for_credentials() -> Status {
    let enhanced = EnhancedStatusCode::transient(7, 11);
    let text = "credentials go out in TLS alone, and there is none";
    status(AttemptStage::Auth, ReplyCode::TLS_NOT_AVAILABLE, enhanced, text)
}

/// There are credentials, and the peer has no use for them.
pub(super) fn no_mechanism(masked: Option<&str>) -> Status {
    let enhanced = EnhancedStatusCode::transient(7, 4);
    let text = "the peer offers no authentication mechanism for our credentials";
    let text = format!("{text}{}", firewall(masked));
    status(AttemptStage::Auth, ReplyCode::LOCAL_ERROR, enhanced, text)
}

/// The peer's side of an exchange was not right.
pub(super) fn peer_not_trusted(why: &str) -> Status {
    let enhanced = EnhancedStatusCode::transient(7, 0);
    let text = format!("authentication was broken off: {why}");
    status(AttemptStage::Auth, ReplyCode::LOCAL_ERROR, enhanced, text)
}

/// The session ended because we wanted it to.
pub(super) fn ended_by_us(stage: AttemptStage) -> Status {
    let enhanced = EnhancedStatusCode::transient(3, 2);
    status(stage, ReplyCode::LOCAL_ERROR, enhanced, "we ended the session")
}

/// No reply told what becomes of a recipient.
pub(super) fn no_answer(stage: AttemptStage) -> Outcome {
    Outcome::Deferred(peer_closed(stage))
}

/// The recipient does not fit into this transaction any more.
pub(super) fn next_transaction() -> Outcome {
    let enhanced = EnhancedStatusCode::transient(5, 3);
    let text = "too many recipients for one transaction; goes with the next one";
    Outcome::Deferred(status(AttemptStage::Rcpt, ReplyCode::INSUFFICIENT_STORAGE, enhanced, text))
}

/// What a recipient gets that cannot go to this peer for `reason`.
pub(super) fn refused(reason: RefusalReason) -> Outcome {
    let failed = |code, subject, detail, text: &str| {
        let enhanced = EnhancedStatusCode::permanent(subject, detail);
        Outcome::Failed(status(AttemptStage::Mail, code, enhanced, text.to_owned()))
    };
    let deferred = |subject, detail, text: &str| {
        let enhanced = EnhancedStatusCode::transient(subject, detail);
        let code = ReplyCode::LOCAL_ERROR;
        Outcome::Deferred(status(AttemptStage::Mail, code, enhanced, text.to_owned()))
    };
    let (no_transaction, no_mailbox) =
        (ReplyCode::TRANSACTION_FAILED, ReplyCode::MAILBOX_UNAVAILABLE);
    match reason {
        RefusalReason::BinaryMime => {
            failed(no_transaction, 6, 3, "the next host does not take binary content")
        }
        RefusalReason::DeliverBy => {
            failed(no_transaction, 4, 7, "the next host does not promise to deliver in time")
        }
        RefusalReason::EightBit => {
            failed(no_transaction, 6, 3, "the next host does not take 8-bit content")
        }
        RefusalReason::FutureRelease => {
            deferred(3, 3, "the next host does not hold messages, or not for so long")
        }
        RefusalReason::RecipientDomains => {
            deferred(5, 3, "too many domains for one session; goes with another one")
        }
        // [RFC 8689 §5-b] 5.7.30 says that REQUIRETLS was needed.
        RefusalReason::RequireTls => {
            failed(no_mailbox, 7, 30, "the next host does not keep messages in TLS")
        }
        // RFC 7293 §13: 5.7.19 says that nobody could look.
        RefusalReason::Rrvs => {
            failed(no_mailbox, 7, 19, "the next host does not check the owner of a mailbox")
        }
        // [RFC 6531 §3.5-b] 553 where the server, here known beforehand, does not take the address.
        RefusalReason::Smtputf8 => {
            let text = "the next host does not take internationalized addresses or headers";
            failed(ReplyCode::MAILBOX_NAME, 6, 7, text)
        }
        RefusalReason::Size { size_max } => {
            let text = format!("the next host takes at most {size_max} octets");
            failed(ReplyCode::EXCEEDED_STORAGE, 3, 4, &text)
        }
        RefusalReason::NoRecipients | RefusalReason::NotReady => {
            Outcome::Deferred(ended_by_us(AttemptStage::Mail))
        }
    }
}
