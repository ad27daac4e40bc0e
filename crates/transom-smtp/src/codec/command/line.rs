//! A command as it stands in its line: checked in full, nothing copied, nothing allocated.

use transom_types::{ForwardPath, ReversePath};

use super::parameters::{Encoded, MailParametersRef, RcptParametersRef};
use super::{Command, CommandError, ExtensionRegistry, parse};

/// What [`Command::parse`] finds, before it makes values of it. For who must not allocate: a path
/// and what is encoded stay a piece of the line.
///
/// ```
/// use transom_smtp::codec::{CommandRef, ExtensionRegistry};
///
/// let registry = ExtensionRegistry::new();
/// let command = CommandRef::parse(b"MAIL FROM:<a@b.example> SIZE=1000", &registry)?;
/// let CommandRef::Mail { reverse_path, parameters } = command else { panic!("{command:?}") };
/// assert_eq!(reverse_path.as_str(), "<a@b.example>");
/// assert_eq!(parameters.size, Some(1000));
/// # Ok::<(), transom_smtp::codec::CommandError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandRef<'a> {
    /// `MAIL FROM`.
    Mail {
        /// Where reports go.
        reverse_path: Encoded<'a, ReversePath>,
        /// What stands behind it.
        parameters: MailParametersRef<'a>,
    },
    /// `RCPT TO`.
    Rcpt {
        /// Where the message goes.
        forward_path: Encoded<'a, ForwardPath>,
        /// What stands behind it.
        parameters: RcptParametersRef<'a>,
    },
    /// Any other, which borrows from the line as it is.
    Other(Command<'a>),
}

impl<'a> CommandRef<'a> {
    /// Parses a command line without its CRLF. It takes what [`Command::parse_with`] takes.
    ///
    /// # Errors
    ///
    /// As of [`Command::parse`].
    #[inline]
    pub fn parse(line: &'a [u8], registry: &ExtensionRegistry) -> Result<Self, CommandError> {
        parse::command(line, registry)
    }

    /// The command with its values.
    ///
    /// # Errors
    ///
    /// None, as everything was checked.
    pub fn decode(self) -> Result<Command<'a>, CommandError> {
        Ok(match self {
            Self::Mail { reverse_path, parameters } => Command::Mail {
                reverse_path: reverse_path.decode().map_err(CommandError::ReversePath)?,
                parameters: parameters.decode()?,
            },
            Self::Rcpt { forward_path, parameters } => Command::Rcpt {
                forward_path: forward_path.decode().map_err(CommandError::ForwardPath)?,
                parameters: parameters.decode()?,
            },
            Self::Other(command) => command,
        })
    }
}
