//! Commands (RFC 5321 §4.1 and the extensions): one parser and one encoder.
//!
//! The grammar is in `parse`, what stands in a command line as a name or text in `argument`.
//! Whether a command may be given at this moment, and whether its parameters were offered, is
//! decided in [`server`](crate::server).

mod argument;
mod error;
mod parse;
#[cfg(test)]
mod tests;

use std::io::Write as _;

use transom_types::{BodyType, ForwardPath, MailParameters, RcptParameters, ReversePath};

pub use argument::{Argument, ArgumentError, HelloName, HelloNameError};
pub use error::CommandError;

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
        parse::command(line)
    }

    /// Appends the command line with its CRLF.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        // Writing to a Vec cannot fail.
        let _ = match self {
            Self::Bdat { octets, last: false } => write!(out, "BDAT {octets}"),
            Self::Bdat { octets, last: true } => write!(out, "BDAT {octets} LAST"),
            Self::Data => write!(out, "DATA"),
            Self::Ehlo { name } => write!(out, "EHLO {name}"),
            Self::Helo { name } => write!(out, "HELO {name}"),
            Self::Help { topic: None } => write!(out, "HELP"),
            Self::Help { topic: Some(topic) } => write!(out, "HELP {topic}"),
            Self::Mail { reverse_path, parameters } => {
                let _ = write!(out, "MAIL FROM:{reverse_path}");
                write_mail_parameters(parameters, out);
                Ok(())
            }
            Self::Noop => write!(out, "NOOP"),
            Self::Quit => write!(out, "QUIT"),
            Self::Rcpt { forward_path, parameters } => {
                let _ = write!(out, "RCPT TO:{forward_path}");
                write_rcpt_parameters(parameters, out);
                Ok(())
            }
            Self::Rset => write!(out, "RSET"),
            Self::StartTls => write!(out, "STARTTLS"),
            Self::Vrfy { argument } => write!(out, "VRFY {argument}"),
        };
        out.extend_from_slice(b"\r\n");
    }
}

/// Parameters that say what holds anyway are left out.
fn write_mail_parameters(parameters: &MailParameters, out: &mut Vec<u8>) {
    if let Some(size) = parameters.size {
        let _ = write!(out, " SIZE={size}");
    }
    if parameters.body != BodyType::SevenBit {
        let _ = write!(out, " BODY={}", parameters.body);
    }
    if parameters.smtputf8 {
        let _ = write!(out, " SMTPUTF8");
    }
    if let Some(ret) = parameters.ret {
        let _ = write!(out, " RET={ret}");
    }
    if let Some(id) = &parameters.envelope_id {
        let _ = write!(out, " ENVID={id}");
    }
}

fn write_rcpt_parameters(parameters: &RcptParameters, out: &mut Vec<u8>) {
    if let Some(notify) = parameters.notify {
        let _ = write!(out, " NOTIFY={notify}");
    }
    if let Some(original_recipient) = &parameters.original_recipient {
        let _ = write!(out, " ORCPT={original_recipient}");
    }
}
