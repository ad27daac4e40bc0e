//! The grammar of command lines. One function, one production.
//!
//! Lines are looked at octet by octet where every message passes, by `nom` elsewhere.

use nom::Parser as _;
use nom::bytes::complete::{tag_no_case, take_while1};
use nom::character::complete::space1;
use nom::combinator::{map_res, opt, verify};
use nom::sequence::preceded;
use nom::{IResult, error::Error as NomError};
use transom_types::{ForwardPath, ReversePath};

use super::auth::{InitialResponse, Mechanism};
use super::forwarded::{XclientAttributes, XforwardAttributes};
use super::keyword::{self, is_blank};
use super::parameters::{Encoded, MailParametersRef, RcptParametersRef};
use super::{Argument, Command, CommandError, CommandRef, ExtensionRegistry, HelloName, Verb};

/// `command = verb [SP arguments]`, CRLF already taken off.
#[inline]
pub(super) fn command<'a>(
    line: &'a [u8],
    registry: &ExtensionRegistry,
) -> Result<CommandRef<'a>, CommandError> {
    let text = match str::from_utf8(line) {
        Ok(text) => without_spaces_at_end(text),
        Err(wrong) => return Err(CommandError::NotUtf8 { at: wrong.valid_up_to() }),
    };
    let (verb, length) = keyword::verb(text.as_bytes());
    let (name, behind) = text.split_at_checked(length).unwrap_or((text, ""));
    if behind.as_bytes().first().is_some_and(|&next| !is_blank(next)) {
        return Err(refused(text, unknown(text)));
    }
    let arguments = without_spaces_at_start(behind);
    match verb {
        keyword::MAIL => mail(text, arguments, registry),
        keyword::RCPT => rcpt(text, arguments, registry),
        keyword::EHLO => match HelloName::check(arguments) {
            Ok(()) => Ok(CommandRef::Other(Command::Ehlo { name: HelloName::checked(arguments) })),
            Err(wrong) => Err(refused(text, CommandError::HelloName(wrong))),
        },
        _ => match other(verb, name, arguments, registry) {
            Ok(command) => Ok(CommandRef::Other(command)),
            Err(wrong) => Err(refused(text, wrong)),
        },
    }
}

/// No grammar here lets a control character in, so that only a line that is refused is looked at
/// for one.
#[cold]
fn refused(line: &str, wrong: CommandError) -> CommandError {
    control(line).unwrap_or(wrong)
}

fn control(text: &str) -> Option<CommandError> {
    let (at, _) = text.char_indices().find(|&(_, c)| c.is_control() && c != '\t')?;
    Some(CommandError::Control { at })
}

/// [RFC 5321 §4.1.1-c] spaces at the end of a command line are tolerated.
#[inline]
fn without_spaces_at_end(text: &str) -> &str {
    match text.as_bytes().last() {
        Some(&last) if is_blank(last) => text.trim_end_matches([' ', '\t']),
        _ => text,
    }
}

/// One space is what nearly every client writes.
#[inline]
fn without_spaces_at_start(text: &str) -> &str {
    let behind = text.strip_prefix(' ').unwrap_or(text);
    match behind.as_bytes().first() {
        Some(&first) if is_blank(first) => behind.trim_start_matches([' ', '\t']),
        _ => behind,
    }
}

/// Commands that move no envelope.
fn other<'a>(
    verb: keyword::Key,
    name: &'a str,
    arguments: &'a str,
    registry: &ExtensionRegistry,
) -> Result<Command<'a>, CommandError> {
    match verb {
        keyword::HELO => Ok(Command::Helo { name: hello_name(arguments)? }),
        keyword::LHLO => Ok(Command::Lhlo { name: hello_name(arguments)? }),
        // [RFC 5321 §4.1.1] these have no parameters.
        keyword::DATA => alone(Command::Data, "DATA", arguments),
        keyword::BDAT => bdat(arguments),
        keyword::RSET => alone(Command::Rset, "RSET", arguments),
        keyword::QUIT => alone(Command::Quit, "QUIT", arguments),
        keyword::STARTTLS => alone(Command::StartTls, "STARTTLS", arguments),
        // [RFC 5321 §4.1.1.9] a parameter of NOOP is ignored.
        keyword::NOOP => control(arguments).map_or(Ok(Command::Noop), Err),
        keyword::AUTH => auth(arguments),
        keyword::VRFY => Ok(Command::Vrfy { argument: argument(arguments)? }),
        keyword::EXPN => Ok(Command::Expn { argument: argument(arguments)? }),
        keyword::ETRN => Ok(Command::Etrn { argument: argument(arguments)? }),
        keyword::HELP => Ok(Command::Help { topic: optional(arguments)? }),
        keyword::XCLIENT => match XclientAttributes::parse(arguments) {
            Some(attributes) => Ok(Command::Xclient { attributes: Box::new(attributes) }),
            None => Err(CommandError::Syntax { verb: "XCLIENT" }),
        },
        keyword::XFORWARD => match XforwardAttributes::parse(arguments) {
            Some(attributes) => Ok(Command::Xforward { attributes: Box::new(attributes) }),
            None => Err(CommandError::Syntax { verb: "XFORWARD" }),
        },
        _ => match Verb::new(name) {
            Ok(verb) if registry.has_verb(name) => {
                Ok(Command::Extension { verb, argument: optional(arguments)? })
            }
            _ => Err(unknown(name)),
        },
    }
}

#[cold]
fn unknown(text: &str) -> CommandError {
    let verb = text.split([' ', '\t']).next().unwrap_or("");
    let clean = verb.chars().filter(|&c| c.is_ascii_alphanumeric() || c == '-');
    let verb: String = clean.take(32).map(|c| c.to_ascii_uppercase()).collect();
    CommandError::UnknownVerb { verb: verb.into() }
}

fn alone<'a>(
    command: Command<'a>,
    verb: &'static str,
    arguments: &str,
) -> Result<Command<'a>, CommandError> {
    if arguments.is_empty() { Ok(command) } else { Err(CommandError::Syntax { verb }) }
}

/// `ehlo = "EHLO" SP ( Domain / address-literal )`, wider as [`HelloName`] says.
fn hello_name(arguments: &str) -> Result<HelloName<'_>, CommandError> {
    HelloName::new(arguments).map_err(CommandError::HelloName)
}

/// `vrfy = "VRFY" SP String`; the same for EXPN and ETRN.
fn argument(arguments: &str) -> Result<Argument<'_>, CommandError> {
    Argument::new(arguments).map_err(CommandError::Argument)
}

/// `help = "HELP" [ SP String ]`.
fn optional(arguments: &str) -> Result<Option<Argument<'_>>, CommandError> {
    if arguments.is_empty() { Ok(None) } else { argument(arguments).map(Some) }
}

/// `auth-command = "AUTH" SP sasl-mech [ SP initial-response ]` (RFC 4954 §8).
fn auth(arguments: &str) -> Result<Command<'_>, CommandError> {
    let (mechanism, response) = match arguments.split_once([' ', '\t']) {
        Some((mechanism, response)) => (mechanism, Some(response.trim_start_matches([' ', '\t']))),
        None => (arguments, None),
    };
    let mechanism = Mechanism::new(mechanism).map_err(CommandError::Mechanism)?;
    let initial_response = response.map(InitialResponse::parse).transpose();
    let initial_response = initial_response.map_err(CommandError::InitialResponse)?;
    Ok(Command::Auth { mechanism, initial_response })
}

/// `bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ]` (RFC 3030 §2).
fn bdat(arguments: &str) -> Result<Command<'_>, CommandError> {
    let mut parser = (number, opt(preceded(space1, tag_no_case("LAST"))));
    match parser.parse(arguments) {
        Ok(("", (octets, last))) => Ok(Command::Bdat { octets, last: last.is_some() }),
        _ => Err(CommandError::ChunkLength),
    }
}

/// `1*20DIGIT`, at most 2^64 - 1.
fn number(text: &str) -> IResult<&str, u64, NomError<&str>> {
    let digits = verify(take_while1(|c: char| c.is_ascii_digit()), |token: &str| token.len() <= 20);
    map_res(digits, str::parse).parse(text)
}

/// `mail = "MAIL FROM:" Reverse-path [SP Mail-parameters]`. A space behind the colon is common.
fn mail<'a>(
    line: &'a str,
    arguments: &'a str,
    registry: &ExtensionRegistry,
) -> Result<CommandRef<'a>, CommandError> {
    let refused = |wrong| refused(line, wrong);
    let text = behind_word("FROM:", arguments);
    let text = text.ok_or_else(|| refused(CommandError::Syntax { verb: "MAIL" }))?;
    let length = ReversePath::check_prefix(text);
    let length = length.map_err(|wrong| refused(CommandError::ReversePath(wrong)))?;
    let (path, behind) = text.split_at_checked(length).unwrap_or((text, ""));
    let reverse_path = Encoded::checked(path);
    if behind.is_empty() {
        return Ok(CommandRef::Mail { reverse_path, parameters: MailParametersRef::default() });
    }
    let mut parameters = MailParametersRef::default();
    parameters.read(behind, registry).map_err(refused)?;
    Ok(CommandRef::Mail { reverse_path, parameters })
}

/// `rcpt = "RCPT TO:" Forward-path [SP Rcpt-parameters]`.
fn rcpt<'a>(
    line: &'a str,
    arguments: &'a str,
    registry: &ExtensionRegistry,
) -> Result<CommandRef<'a>, CommandError> {
    let refused = |wrong| refused(line, wrong);
    let text = behind_word("TO:", arguments);
    let text = text.ok_or_else(|| refused(CommandError::Syntax { verb: "RCPT" }))?;
    let length = ForwardPath::check_prefix(text);
    let length = length.map_err(|wrong| refused(CommandError::ForwardPath(wrong)))?;
    let (path, behind) = text.split_at_checked(length).unwrap_or((text, ""));
    let forward_path = Encoded::checked(path);
    if behind.is_empty() {
        return Ok(CommandRef::Rcpt { forward_path, parameters: RcptParametersRef::default() });
    }
    let mut parameters = RcptParametersRef::default();
    parameters.read(behind, registry).map_err(refused)?;
    Ok(CommandRef::Rcpt { forward_path, parameters })
}

/// What stands behind `word` and the spaces that some clients write there.
#[inline]
fn behind_word<'a>(word: &str, text: &'a str) -> Option<&'a str> {
    let (start, behind) = text.split_at_checked(word.len())?;
    start.eq_ignore_ascii_case(word).then(|| without_spaces_at_start(behind))
}
