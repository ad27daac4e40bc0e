//! Commands (RFC 5321 §4.1 and the extensions): one parser and one encoder.
//!
//! The grammar is in `parse` and `parameters`, what stands in a command line as a name or text in
//! `argument`, `auth` and `forwarded`, what a host program adds in `registry`.
//! Whether a command may be given at this moment, and whether its parameters were offered, is
//! decided in [`server`](crate::server).

mod argument;
mod auth;
mod error;
mod forwarded;
mod keyword;
mod line;
mod parameters;
mod parse;
mod registry;
#[cfg(test)]
mod tests;

use std::io::Write as _;

use transom_types::{ForwardPath, MailParameters, RcptParameters, ReversePath};

pub use argument::{Argument, ArgumentError, HelloName, HelloNameError};
pub use auth::{InitialResponse, InitialResponseError, Mechanism, MechanismError};
pub use error::CommandError;
pub use forwarded::{MailProtocol, Told, XclientAttributes, XforwardAttributes, XforwardSource};
pub use line::CommandRef;
pub use parameters::{Encoded, MailParametersRef, RcptParametersRef};
pub use registry::{ExtensionRegistry, ExtensionRegistryError, Verb, VerbError};

/// A command. Names and texts borrow from the line; a path owns its one allocation.
///
/// ```
/// use transom_smtp::codec::Command;
///
/// let command = Command::parse(b"mail from:<> size=1000")?;
/// let mut line = Vec::new();
/// command.write_to(&mut line);
/// assert_eq!(line, b"MAIL FROM:<> SIZE=1000\r\n");
/// # Ok::<(), transom_smtp::codec::CommandError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command<'a> {
    /// `AUTH` (RFC 4954).
    Auth {
        /// Which mechanism.
        mechanism: Mechanism<'a>,
        /// The first response, where the client did not wait to be asked.
        initial_response: Option<InitialResponse<'a>>,
    },
    /// `BDAT`: so many octets of content follow the line (RFC 3030).
    Bdat {
        /// Length of the chunk.
        octets: u64,
        /// Whether it is the last one.
        last: bool,
    },
    /// `DATA`.
    Data,
    /// `EHLO`.
    Ehlo {
        /// How the client calls itself.
        name: HelloName<'a>,
    },
    /// `ETRN` (RFC 1985): the client asks for what is queued.
    Etrn {
        /// For which host; behind `@` with its subdomains, behind `#` of which queue.
        argument: Argument<'a>,
    },
    /// `EXPN`.
    Expn {
        /// Which list.
        argument: Argument<'a>,
    },
    /// A verb of the [`ExtensionRegistry`].
    Extension {
        /// Which one.
        verb: Verb<'a>,
        /// What stands behind it.
        argument: Option<Argument<'a>>,
    },
    /// `HELO`.
    Helo {
        /// How the client calls itself.
        name: HelloName<'a>,
    },
    /// `HELP`.
    Help {
        /// With what.
        topic: Option<Argument<'a>>,
    },
    /// `LHLO`: the EHLO of LMTP (RFC 2033).
    Lhlo {
        /// How the client calls itself.
        name: HelloName<'a>,
    },
    /// `MAIL FROM`.
    Mail {
        /// Where reports go.
        reverse_path: ReversePath,
        /// What stands behind it.
        parameters: MailParameters,
    },
    /// `NOOP`. What stands behind it means nothing and is dropped.
    Noop,
    /// `QUIT`.
    Quit,
    /// `RCPT TO`.
    Rcpt {
        /// Where the message goes.
        forward_path: ForwardPath,
        /// What stands behind it.
        parameters: RcptParameters,
    },
    /// `RSET`.
    Rset,
    /// `STARTTLS` (RFC 3207).
    StartTls,
    /// `VRFY`.
    Vrfy {
        /// What is asked for.
        argument: Argument<'a>,
    },
    /// `XCLIENT`: the session is taken to be that of another client.
    Xclient {
        /// Of which one.
        attributes: Box<XclientAttributes>,
    },
    /// `XFORWARD`: where the next message came from, for the log.
    Xforward {
        /// From where.
        attributes: Box<XforwardAttributes>,
    },
}

impl<'a> Command<'a> {
    /// Parses a command line without its CRLF.
    ///
    /// Lenient where that is safe: verbs and keywords in any case, spaces before the path and at
    /// the end of the line. A control character or an octet that is no UTF-8 is an error wherever
    /// it stands.
    ///
    /// # Errors
    ///
    /// What is wrong, with the reply that says so ([`CommandError::reply`]).
    pub fn parse(line: &'a [u8]) -> Result<Self, CommandError> {
        const NONE: &ExtensionRegistry = &ExtensionRegistry::new();
        Self::parse_with(line, NONE)
    }

    /// The same with the verbs and parameters of a host program.
    ///
    /// # Errors
    ///
    /// As of [`parse`](Self::parse).
    pub fn parse_with(line: &'a [u8], registry: &ExtensionRegistry) -> Result<Self, CommandError> {
        CommandRef::parse(line, registry)?.decode()
    }

    /// Appends the command line with its CRLF.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        // Writing to a Vec cannot fail.
        let _ = match self {
            Self::Auth { mechanism, initial_response: None } => write!(out, "AUTH {mechanism}"),
            Self::Auth { mechanism, initial_response: Some(response) } => {
                write!(out, "AUTH {mechanism} {}", response.wire())
            }
            Self::Bdat { octets, last: false } => write!(out, "BDAT {octets}"),
            Self::Bdat { octets, last: true } => write!(out, "BDAT {octets} LAST"),
            // [RFC 5321 §4.1.1-b] DATA, RSET and QUIT stand alone.
            Self::Data => write!(out, "DATA"),
            Self::Ehlo { name } => write!(out, "EHLO {name}"),
            Self::Etrn { argument } => write!(out, "ETRN {argument}"),
            Self::Expn { argument } => write!(out, "EXPN {argument}"),
            Self::Extension { verb, argument: None } => write!(out, "{verb}"),
            Self::Extension { verb, argument: Some(argument) } => write!(out, "{verb} {argument}"),
            Self::Helo { name } => write!(out, "HELO {name}"),
            Self::Help { topic: None } => write!(out, "HELP"),
            Self::Help { topic: Some(topic) } => write!(out, "HELP {topic}"),
            Self::Lhlo { name } => write!(out, "LHLO {name}"),
            Self::Mail { reverse_path, parameters } => {
                let _ = write!(out, "MAIL FROM:{reverse_path}");
                parameters::write_mail(parameters, out);
                Ok(())
            }
            Self::Noop => write!(out, "NOOP"),
            Self::Quit => write!(out, "QUIT"),
            Self::Rcpt { forward_path, parameters } => {
                let _ = write!(out, "RCPT TO:{forward_path}");
                parameters::write_rcpt(parameters, out);
                Ok(())
            }
            Self::Rset => write!(out, "RSET"),
            Self::StartTls => write!(out, "STARTTLS"),
            Self::Vrfy { argument } => write!(out, "VRFY {argument}"),
            Self::Xclient { attributes } => {
                out.extend_from_slice(b"XCLIENT");
                attributes.write_to(out);
                Ok(())
            }
            Self::Xforward { attributes } => {
                out.extend_from_slice(b"XFORWARD");
                attributes.write_to(out);
                Ok(())
            }
        };
        out.extend_from_slice(b"\r\n");
    }
}
