//! The grammar of command lines. One function, one production.

use nom::Parser as _;
use nom::bytes::complete::{tag_no_case, take_while};
use nom::character::complete::{space0, space1};
use nom::combinator::{map_res, opt, rest, verify};
use nom::error::Error as NomError;
use nom::sequence::preceded;
use nom::{IResult, bytes::complete::take_while1};
use transom_types::{ForwardPath, MailParameters, RcptParameters, ReversePath};

use super::{Argument, Command, CommandError, HelloName};

/// `command = verb [SP arguments]`, CRLF already taken off.
pub(super) fn command(line: &[u8]) -> Result<Command<'_>, CommandError> {
    let text = match str::from_utf8(line) {
        Ok(text) => text,
        Err(wrong) => return Err(CommandError::NotUtf8 { at: wrong.valid_up_to() }),
    };
    if let Some((at, _)) = text.char_indices().find(|&(_, c)| c.is_control() && c != '\t') {
        return Err(CommandError::Control { at });
    }
    // [RFC 5321 §4.1.1] spaces at the end of a command line are tolerated.
    let text = text.trim_ascii_end();
    let (arguments, verb) = verb(text).map_err(|_| unknown(text))?;
    let is = |name: &str| verb.eq_ignore_ascii_case(name);
    if is("MAIL") {
        mail(arguments)
    } else if is("RCPT") {
        rcpt(arguments)
    } else if is("BDAT") {
        bdat(arguments)
    } else if is("EHLO") {
        Ok(Command::Ehlo { name: hello_name(arguments)? })
    } else if is("HELO") {
        Ok(Command::Helo { name: hello_name(arguments)? })
    } else if is("VRFY") {
        Ok(Command::Vrfy { argument: argument(arguments)? })
    } else if is("HELP") {
        let topic = if arguments.is_empty() { None } else { Some(argument(arguments)?) };
        Ok(Command::Help { topic })
    } else if is("NOOP") {
        // [RFC 5321 §4.1.1.9] a parameter of NOOP is ignored.
        Ok(Command::Noop)
    } else {
        let alone = [
            ("DATA", Command::Data),
            ("RSET", Command::Rset),
            ("QUIT", Command::Quit),
            ("STARTTLS", Command::StartTls),
        ];
        match alone.into_iter().find(|(name, _)| is(name)) {
            Some((_, command)) if arguments.is_empty() => Ok(command),
            Some((verb, _)) => Err(CommandError::Syntax { verb }),
            None => Err(unknown(verb)),
        }
    }
}

/// The verb and the spaces behind it; what is left are the arguments.
fn verb(text: &str) -> IResult<&str, &str> {
    let (behind, verb) = take_while1(|c: char| c != ' ' && c != '\t')(text)?;
    let (arguments, _) = space0(behind)?;
    Ok((arguments, verb))
}

fn unknown(verb: &str) -> CommandError {
    let clean = verb.chars().filter(|&c| c.is_ascii_alphanumeric() || c == '-');
    let verb: String = clean.take(32).map(|c| c.to_ascii_uppercase()).collect();
    CommandError::UnknownVerb { verb: verb.into() }
}

/// `ehlo = "EHLO" SP ( Domain / address-literal )`, wider as [`HelloName`] says.
fn hello_name(arguments: &str) -> Result<HelloName<'_>, CommandError> {
    HelloName::new(arguments).map_err(CommandError::HelloName)
}

/// `vrfy = "VRFY" SP String`, `help = "HELP" [ SP String ]`.
fn argument(arguments: &str) -> Result<Argument<'_>, CommandError> {
    Argument::new(arguments).map_err(CommandError::Argument)
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
fn number(text: &str) -> IResult<&str, u64> {
    let digits = verify(take_while1(|c: char| c.is_ascii_digit()), |token: &str| token.len() <= 20);
    map_res(digits, str::parse).parse(text)
}

/// `mail = "MAIL FROM:" Reverse-path [SP Mail-parameters]`. A space behind the colon is common.
fn mail(arguments: &str) -> Result<Command<'_>, CommandError> {
    let path = behind_word("FROM:", arguments).ok_or(CommandError::Syntax { verb: "MAIL" })?;
    let (reverse_path, length) =
        ReversePath::parse_prefix(path).map_err(CommandError::ReversePath)?;
    let mut parameters = MailParameters::default();
    let mut seen = Seen::default();
    for_each_parameter(path, length, "MAIL", |keyword, value| {
        mail_parameter(&mut parameters, &mut seen, keyword, value)
    })?;
    Ok(Command::Mail { reverse_path, parameters })
}

/// `rcpt = "RCPT TO:" Forward-path [SP Rcpt-parameters]`.
fn rcpt(arguments: &str) -> Result<Command<'_>, CommandError> {
    let path = behind_word("TO:", arguments).ok_or(CommandError::Syntax { verb: "RCPT" })?;
    let (forward_path, length) =
        ForwardPath::parse_prefix(path).map_err(CommandError::ForwardPath)?;
    let mut parameters = RcptParameters::default();
    let mut seen = Seen::default();
    for_each_parameter(path, length, "RCPT", |keyword, value| {
        rcpt_parameter(&mut parameters, &mut seen, keyword, value)
    })?;
    Ok(Command::Rcpt { forward_path, parameters })
}

/// What stands behind `word` and the spaces that some clients write there.
fn behind_word<'a>(word: &str, text: &'a str) -> Option<&'a str> {
    let mut parser = preceded((tag_no_case::<_, _, NomError<&str>>(word), space0), rest);
    parser.parse(text).ok().map(|(_, path)| path)
}

/// `Mail-parameters = esmtp-param *(SP esmtp-param)`; the same for RCPT.
fn for_each_parameter<'a>(
    text: &'a str,
    from: usize,
    verb: &'static str,
    mut take: impl FnMut(&'a str, Option<&'a str>) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let mut left = text.get(from..).unwrap_or("");
    while !left.is_empty() {
        let mut spaced = preceded(space1, parameter);
        let (behind, (keyword, value)) =
            spaced.parse(left).map_err(|_| CommandError::Syntax { verb })?;
        take(keyword, value)?;
        left = behind;
    }
    Ok(())
}

/// `esmtp-param = esmtp-keyword ["=" esmtp-value]`.
fn parameter(text: &str) -> IResult<&str, (&str, Option<&str>)> {
    // [RFC 5321 §4.1.2] esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-").
    let keyword =
        verify(take_while1(|c: char| c.is_ascii_alphanumeric() || c == '-'), |keyword: &str| {
            !keyword.starts_with('-')
        });
    // esmtp-value: no "=", no space, no control character; UTF-8 by RFC 6531 §3.3.
    let value = take_while(|c: char| c != '=' && c != ' ' && c != '\t');
    (keyword, opt(preceded(nom::character::complete::char('='), value))).parse(text)
}

/// Which parameters a command had already: each may stand once.
#[derive(Default)]
struct Seen(u8);

impl Seen {
    fn once(&mut self, bit: u8) -> Result<(), CommandError> {
        if self.0 & bit != 0 {
            return Err(CommandError::ParameterTwice);
        }
        self.0 |= bit;
        Ok(())
    }
}

fn mail_parameter(
    parameters: &mut MailParameters,
    seen: &mut Seen,
    keyword: &str,
    value: Option<&str>,
) -> Result<(), CommandError> {
    let is = |name: &str| keyword.eq_ignore_ascii_case(name);
    if is("SIZE") {
        seen.once(1)?;
        parameters.size = Some(parsed(value, "SIZE", |v| match number(v) {
            Ok(("", octets)) => Some(octets),
            _ => None,
        })?);
    } else if is("BODY") {
        seen.once(2)?;
        parameters.body = parsed(value, "BODY", |v| v.parse().ok())?;
    } else if is("SMTPUTF8") {
        seen.once(4)?;
        if value.is_some() {
            return Err(CommandError::ParameterValue { keyword: "SMTPUTF8" });
        }
        parameters.smtputf8 = true;
    } else if is("RET") {
        seen.once(8)?;
        parameters.ret = Some(parsed(value, "RET", |v| v.parse().ok())?);
    } else if is("ENVID") {
        seen.once(16)?;
        parameters.envelope_id = Some(parsed(value, "ENVID", |v| v.parse().ok())?);
    } else {
        return Err(CommandError::ParameterUnknown);
    }
    Ok(())
}

fn rcpt_parameter(
    parameters: &mut RcptParameters,
    seen: &mut Seen,
    keyword: &str,
    value: Option<&str>,
) -> Result<(), CommandError> {
    if keyword.eq_ignore_ascii_case("NOTIFY") {
        seen.once(1)?;
        parameters.notify = Some(parsed(value, "NOTIFY", |v| v.parse().ok())?);
    } else if keyword.eq_ignore_ascii_case("ORCPT") {
        seen.once(2)?;
        parameters.original_recipient = Some(parsed(value, "ORCPT", |v| v.parse().ok())?);
    } else {
        return Err(CommandError::ParameterUnknown);
    }
    Ok(())
}

fn parsed<T>(
    value: Option<&str>,
    keyword: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, CommandError> {
    value.and_then(parse).ok_or(CommandError::ParameterValue { keyword })
}
