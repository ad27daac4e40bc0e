//! SMTP as values and as sans-io machines: codec, server session, client session, SASL.
//!
//! This crate opens no socket, reads no clock and keeps no buffer: octets and time come in as
//! arguments, octets and events go out as values. It does not look into messages (that is
//! `transom-message`), does not decide who may relay (`transom-connector`), and holds no mail
//! (`transom-queue`).
//!
//! ```text
//!   socket, TLS           this crate                    application
//!  +----------+  octets  +----------------------+  events  +-----------+
//!  |  driver, | -------> | ServerSession::poll  | -------> | may relay |
//!  |  owns    | <------- | ClientSession::poll  | <------- | spool     |
//!  |  buffers |  replies |    on the codec      |  answers | settle    |
//!  +----------+          +----------------------+          +-----------+
//! ```
//!
//! The loops of the drivers stand, runnable, in [`server`] and [`client`]. The codec is of use
//! alone:
//!
//! ```
//! use transom_smtp::codec::{Command, CommandError};
//!
//! let command = Command::parse(b"RCPT TO:<bob@example.net> NOTIFY=NEVER")?;
//! let Command::Rcpt { forward_path, parameters } = &command else { panic!("{command:?}") };
//! assert_eq!(forward_path.to_string(), "<bob@example.net>");
//! assert!(!parameters.notify_or_default().failure());
//!
//! // Every error knows what is said to it.
//! let error = Command::parse(b"RCPT TO:<bob").unwrap_err();
//! assert_eq!(error.reply().to_string(), "501 5.1.3 Invalid address\r\n");
//! # Ok::<(), CommandError>(())
//! ```
//!
//! # Errors and limits
//!
//! What a peer does wrong is no error of a call: the server session answers it and goes on, or
//! says [`server::Output::Close`] with the reason. What a caller does wrong is an `ApiMisuse`.
//! Nothing here grows with what a peer sends: limits of numbers and time are fields of
//! [`server::ServerLimits`] and of the client's configuration, each with a default; that of content
//! is [`server::Extensions::size`], and those of lines and replies are constants beside their
//! parsers.
//!
//! End of data is CRLF `.` CRLF and nothing else; see [`codec::data`] for bare CR, bare LF and NUL.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `scram` | the SASL mechanisms SCRAM-SHA-256 and SCRAM-SHA-256-PLUS |
//! | `simd` | content is checked with the widest vectors of the machine; nothing else changes |
//!
//! # Standards
//!
//! | document | what of it |
//! |---|---|
//! | RFC 5321 | commands, replies, order, limits, time-outs; no TURN, SEND, SOML and SAML |
//! | RFC 1870 | SIZE |
//! | RFC 2034, RFC 3463 | ENHANCEDSTATUSCODES |
//! | RFC 2920 | PIPELINING, and its bounds enforced |
//! | RFC 1985 | ETRN, as a question to the application |
//! | RFC 2033 | LMTP, both sides |
//! | RFC 2852, RFC 4865 | DELIVERBY, FUTURERELEASE: offered, checked, handed on |
//! | RFC 6710, RFC 7293, RFC 8689 | MT-PRIORITY, RRVS, REQUIRETLS: the same |
//! | RFC 3030 | CHUNKING, BINARYMIME |
//! | RFC 3207 | STARTTLS |
//! | RFC 3461 | the DSN parameters of MAIL and RCPT |
//! | RFC 4422, RFC 4954 | AUTH and its exchanges; no security layer |
//! | RFC 4616, 5802, 7628, 7677, 9266 | PLAIN, SCRAM, OAUTHBEARER, channel binding |
//! | RFC 6152 | 8BITMIME |
//! | RFC 6531 | SMTPUTF8 |
//! | (no RFC) | PROXY protocol 1 and 2, XCLIENT, XFORWARD; the mechanisms LOGIN and XOAUTH2 |
//! | RFC 9422 | LIMITS with RCPTMAX, MAILMAX and RCPTDOMAINMAX |
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod client;
pub mod codec;
pub mod sasl;
pub mod server;

/// Which of the two protocols a session speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the protocol and its local variant; a third is none")]
pub enum Protocol {
    /// SMTP: one reply to a content, for all recipients of the transaction.
    #[default]
    Smtp,
    /// LMTP (RFC 2033): LHLO, and behind a content one reply for each accepted recipient.
    Lmtp,
}
