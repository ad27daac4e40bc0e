//! Why a line is no command, and what is said to that.

use transom_types::{EnhancedStatusCode, ParsePathError, Reply, ReplyCode};

use super::{ArgumentError, HelloNameError, InitialResponseError, MechanismError};

/// Why a line is no command. The peer is to blame for all of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The text behind VRFY or HELP is missing or malformed.
    #[error("the argument is malformed")]
    Argument(#[source] ArgumentError),
    /// The length behind BDAT is missing, no number, or above 2^64 - 1. How much content follows is
    /// unknown, so nothing behind the line can be read.
    #[error("the length of the chunk is no number")]
    ChunkLength,
    /// A control character, NUL, bare CR or bare LF.
    #[error("a control character stands at octet {at}")]
    Control {
        /// Where it stands.
        at: usize,
    },
    /// The name behind EHLO or HELO is missing or malformed.
    #[error("no host name stands behind the verb")]
    HelloName(#[source] HelloNameError),
    /// The initial response behind AUTH is no base64.
    #[error("the initial response is malformed")]
    InitialResponse(#[source] InitialResponseError),
    /// No mechanism stands behind AUTH.
    #[error("no mechanism stands behind AUTH")]
    Mechanism(#[source] MechanismError),
    /// Octets that are no UTF-8.
    #[error("the octet at {at} is no UTF-8")]
    NotUtf8 {
        /// Where they begin.
        at: usize,
    },
    /// A parameter that is given twice.
    #[error("a parameter is given twice")]
    ParameterTwice,
    /// The value of a parameter is missing or malformed.
    #[error("the value of parameter {keyword} is malformed")]
    ParameterValue {
        /// Of which one.
        keyword: &'static str,
    },
    /// A parameter that this crate does not know.
    #[error("unknown parameter")]
    ParameterUnknown,
    /// The path behind MAIL FROM is malformed.
    #[error("the reverse-path is malformed")]
    ReversePath(#[source] ParsePathError),
    /// The path behind RCPT TO is malformed.
    #[error("the forward-path is malformed")]
    ForwardPath(#[source] ParsePathError),
    /// The verb is known, what follows does not fit it.
    #[error("{verb} is followed by something that does not belong there")]
    Syntax {
        /// The verb.
        verb: &'static str,
    },
    /// The verb is not known. It is kept in upper case and cut at 32 octets.
    #[error("unknown verb")]
    UnknownVerb {
        /// What stands in the place of the verb: letters, digits and `-` of it.
        verb: Box<str>,
    },
}

impl CommandError {
    /// What the server says to it. Nothing of the line is repeated.
    pub fn reply(&self) -> Reply {
        let syntax = EnhancedStatusCode::permanent(5, 2);
        let parameter = EnhancedStatusCode::permanent(5, 4);
        let reply = |code, enhanced, text: &'static str| Reply::new(code, enhanced, text);
        match self {
            Self::Argument(_) | Self::ChunkLength | Self::Mechanism(_) | Self::Syntax { .. } => {
                reply(ReplyCode::PARAMETER_SYNTAX, parameter, "Invalid arguments")
            }
            Self::Control { .. } => {
                reply(ReplyCode::COMMAND_UNRECOGNIZED, syntax, "Control character in command")
            }
            Self::HelloName(_) => {
                reply(ReplyCode::PARAMETER_SYNTAX, parameter, "Invalid domain name")
            }
            // [RFC 4954 §4-j] 501 where base64 cannot be decoded.
            Self::InitialResponse(_) => {
                reply(ReplyCode::PARAMETER_SYNTAX, syntax, "Cannot decode response")
            }
            Self::NotUtf8 { .. } => {
                reply(ReplyCode::PARAMETER_SYNTAX, syntax, "Command is neither ASCII nor UTF-8")
            }
            Self::ParameterTwice => {
                reply(ReplyCode::PARAMETER_SYNTAX, parameter, "Parameter given twice")
            }
            Self::ParameterValue { .. } => {
                reply(ReplyCode::PARAMETER_SYNTAX, parameter, "Invalid parameter value")
            }
            Self::ParameterUnknown => reply(
                ReplyCode::PARAMETERS_NOT_RECOGNIZED,
                parameter,
                "Parameter not recognized or not implemented",
            ),
            // [RFC 5321 §4.1.2-d, §4.1.4-h] 501 to a path that is none.
            Self::ReversePath(_) => reply(
                ReplyCode::PARAMETER_SYNTAX,
                EnhancedStatusCode::permanent(1, 7),
                "Invalid address",
            ),
            Self::ForwardPath(_) => reply(
                ReplyCode::PARAMETER_SYNTAX,
                EnhancedStatusCode::permanent(1, 3),
                "Invalid address",
            ),
            Self::UnknownVerb { .. } => reply(
                ReplyCode::COMMAND_UNRECOGNIZED,
                EnhancedStatusCode::permanent(3, 3),
                "Unrecognized command",
            ),
        }
    }
}
