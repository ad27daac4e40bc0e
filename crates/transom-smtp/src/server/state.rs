//! The states of a session, and what it holds in them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use transom_types::{Principal, Reply, Severity};

use super::{Close, Output, ServerConfig};
use crate::codec::data::{BareNewline, ContentDecoder};
use crate::sasl::Verdict;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing was said yet.
    Connected,
    /// The application refused the session; only QUIT is left.
    Refused,
    /// Greeted, but the client has not yet said who it is.
    Greeted,
    /// Between transactions.
    Identified,
    /// MAIL was accepted.
    Envelope,
    /// Behind 354.
    Data,
    /// Between the chunks of a transaction.
    Chunks,
    /// Inside a chunk.
    Chunk {
        octets: u64,
        left: u64,
        last: bool,
    },
    /// Inside an exchange: a line is a response, no command.
    Authenticating,
    /// A failure of an exchange is told after a while.
    AuthenticationFailed,
    /// 220 to STARTTLS was said.
    StartingTls,
    Closed(Close),
}

/// The open event, without what was handed to the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Open {
    /// AUTH; what stood behind it waits in the session.
    Auth,
    /// A question of an exchange, for a verifier or for a verdict.
    Authenticate {
        verifier: bool,
    },
    Connect,
    /// The client has shown who it is; the name waits in the session.
    EndOfAuthentication,
    Hello {
        esmtp: bool,
    },
    Help,
    Noop,
    Rset,
    StartTls,
    Etrn,
    Expn,
    Extension,
    Mail {
        smtputf8: bool,
        binary: bool,
    },
    Rcpt,
    Data,
    Bdat {
        octets: u64,
        last: bool,
    },
    EndOfData,
    Vrfy,
    /// With the address that the client has from then on.
    Xclient {
        address: Option<IpAddr>,
    },
    Xforward,
}

impl Open {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Auth | Self::Authenticate { .. } | Self::EndOfAuthentication => "AUTH",
            Self::Help => "HELP",
            Self::Noop => "NOOP",
            Self::Rset => "RSET",
            Self::StartTls => "STARTTLS",
            Self::Connect => "the connection",
            Self::Etrn => "ETRN",
            Self::Expn => "EXPN",
            Self::Extension => "a verb of the registry",
            Self::Hello { .. } => "EHLO",
            Self::Mail { .. } => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Bdat { .. } => "BDAT",
            Self::EndOfData => "the end of data",
            Self::Vrfy => "VRFY",
            Self::Xclient { .. } => "XCLIENT",
            Self::Xforward => "XFORWARD",
        }
    }

    /// Whether the reply is one that it can have.
    pub(super) fn takes(self, reply: &Reply) -> bool {
        match reply.code().severity() {
            Severity::TransientNegative | Severity::PermanentNegative => true,
            // Nobody is authenticated, and nothing encrypted, by a mere reply.
            severity => {
                let is_mere = matches!(
                    self,
                    Self::Auth
                        | Self::Authenticate { .. }
                        | Self::EndOfAuthentication
                        | Self::StartTls
                );
                !is_mere && severity == self.positive()
            }
        }
    }

    /// How a reply that does not refuse grades here.
    pub(super) fn positive(self) -> Severity {
        match self {
            Self::Data | Self::Bdat { .. } => Severity::PositiveIntermediate,
            _ => Severity::PositiveCompletion,
        }
    }
}

#[derive(Debug)]
pub(super) enum Answer {
    Default,
    Reply(Reply),
    /// This, and the session is over.
    Last(Reply),
    /// One for each recipient.
    Replies(Vec<Reply>),
    Restart(Box<Restart>),
    Verdict(Box<Verdict>),
}

/// With what the session begins anew.
#[derive(Debug)]
pub(super) struct Restart {
    pub(super) config: Arc<ServerConfig>,
    pub(super) principal: Option<Principal>,
}

/// A reply that is said after a while.
#[derive(Debug)]
pub(super) struct LateReply {
    pub(super) due: Instant,
    pub(super) reply: Reply,
}

#[derive(Debug)]
pub(super) struct SkippedChunk {
    pub(super) left: u64,
    pub(super) reply: Reply,
    /// How often the reply is said.
    pub(super) times: u32,
}

/// What counts within one transaction.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) recipients: u32,
    /// Those refused for their number.
    pub(super) surplus: u32,
    pub(super) octets: u64,
    pub(super) smtputf8: bool,
    /// BODY=BINARYMIME: chunks alone, of any octets.
    pub(super) binary: bool,
    pub(super) oversize: bool,
    pub(super) decoder: ContentDecoder,
}

impl Transaction {
    pub(super) fn new(smtputf8: bool, binary: bool) -> Self {
        let decoder = ContentDecoder::for_data(BareNewline::Reject);
        Self { recipients: 0, surplus: 0, octets: 0, smtputf8, binary, oversize: false, decoder }
    }
}

/// What one turn did: how much it consumed, and what the driver is told. Without output the next
/// turn follows at once.
pub(super) struct Turn<'i> {
    pub(super) consumed: usize,
    pub(super) output: Option<Output<'i>>,
}

impl<'i> Turn<'i> {
    pub(super) fn consumed(consumed: usize) -> Self {
        Turn { consumed, output: None }
    }

    pub(super) fn output(output: Output<'i>) -> Self {
        Turn { consumed: 0, output: Some(output) }
    }
}
