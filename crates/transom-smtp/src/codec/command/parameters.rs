//! Parameters of MAIL and RCPT: where they stand in the line, checked, and their one printed form.

use std::io::Write as _;
use std::marker::PhantomData;
use std::str::FromStr;

use transom_types::{
    BodyType, DeliverBy, EnvelopeId, ExtensionParameter, FutureRelease, MailParameters, MtPriority,
    Notify, OriginalRecipient, RcptParameters, RequireRecipientValidSince, Ret, Submitter,
};

use super::keyword::{self, Key, is_blank, word};
use super::{CommandError, ExtensionRegistry};

/// The wire form of a `T`, checked where it stands in the line.
#[derive(Debug, PartialEq, Eq)]
pub struct Encoded<'a, T> {
    text: &'a str,
    value: PhantomData<T>,
}

impl<'a, T: FromStr> Encoded<'a, T> {
    /// For text that was found to be one.
    pub(super) fn checked(text: &'a str) -> Self {
        Self { text, value: PhantomData }
    }

    /// The wire form.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// The value.
    ///
    /// # Errors
    ///
    /// None, as the text was checked.
    pub fn decode(&self) -> Result<T, T::Err> {
        self.text.parse()
    }
}

impl<T> Clone for Encoded<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Encoded<'_, T> {}

/// [`MailParameters`] that borrow from the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MailParametersRef<'a> {
    /// `AUTH=`.
    pub auth: Option<Encoded<'a, Submitter>>,
    /// `BODY=`.
    pub body: BodyType,
    /// `BY=`.
    pub deliver_by: Option<DeliverBy>,
    /// `ENVID=`.
    pub envelope_id: Option<Encoded<'a, EnvelopeId>>,
    /// `HOLDFOR=` or `HOLDUNTIL=`.
    pub hold: Option<FutureRelease>,
    /// `MT-PRIORITY=`.
    pub mt_priority: Option<MtPriority>,
    /// `REQUIRETLS`.
    pub require_tls: bool,
    /// `RET=`.
    pub ret: Option<Ret>,
    /// `SIZE=`.
    pub size: Option<u64>,
    /// `SMTPUTF8`.
    pub smtputf8: bool,
    /// All parameters as they stand in the line, where some are of the registry.
    extensions: &'a str,
}

/// [`RcptParameters`] that borrow from the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RcptParametersRef<'a> {
    /// `NOTIFY=`.
    pub notify: Option<Notify>,
    /// `ORCPT=`.
    pub original_recipient: Option<Encoded<'a, OriginalRecipient>>,
    /// `RRVS=`.
    pub valid_since: Option<RequireRecipientValidSince>,
    extensions: &'a str,
}

/// The parameters of a command, of which one is looked at.
struct Parameters<'a> {
    /// What stands behind the one.
    rest: &'a str,
    key: Key,
    keyword: &'a str,
    value: Option<&'a str>,
}

impl<'a> MailParametersRef<'a> {
    /// `Mail-parameters = esmtp-param *(SP esmtp-param)`, each behind its space.
    pub(super) fn read(
        &mut self,
        text: &'a str,
        known: &ExtensionRegistry,
    ) -> Result<(), CommandError> {
        let mut seen = Seen::default();
        let mut given = Parameters::of(text);
        while given.advance("MAIL")? {
            if !self.take(&given, &mut seen)? {
                seen.extension(&given, known.mail_parameters())?;
                self.extensions = text;
            }
        }
        Ok(())
    }

    /// False where the keyword is none of the RFCs.
    #[inline]
    fn take(&mut self, given: &Parameters<'a>, seen: &mut Seen) -> Result<bool, CommandError> {
        match given.key {
            keyword::SIZE => {
                seen.once(1)?;
                self.size = Some(given.valued("SIZE", size)?);
            }
            keyword::BODY => {
                seen.once(1 << 1)?;
                self.body = given.parsed("BODY")?;
            }
            keyword::SMTPUTF8 => {
                seen.once(1 << 2)?;
                // [RFC 6531 §3.4-b] without a value.
                self.smtputf8 = given.alone("SMTPUTF8")?;
            }
            keyword::RET => {
                seen.once(1 << 3)?;
                self.ret = Some(given.parsed("RET")?);
            }
            keyword::ENVID => {
                seen.once(1 << 4)?;
                self.envelope_id = Some(given.encoded("ENVID", EnvelopeId::check)?);
            }
            keyword::AUTH => {
                seen.once(1 << 5)?;
                self.auth = Some(given.encoded("AUTH", Submitter::check)?);
            }
            keyword::BY => {
                seen.once(1 << 7)?;
                self.deliver_by = Some(given.parsed("BY")?);
            }
            // [RFC 4865 §4.1] a message is held for a time or until a moment, not both.
            keyword::HOLDFOR => {
                seen.once(1 << 8)?;
                self.hold = Some(FutureRelease::For(given.parsed("HOLDFOR")?));
            }
            _ => return self.take_longer(given, seen),
        }
        Ok(true)
    }

    /// The same for keywords that are too long for a key.
    fn take_longer(
        &mut self,
        given: &Parameters<'a>,
        seen: &mut Seen,
    ) -> Result<bool, CommandError> {
        let is = |name: &str| given.keyword.eq_ignore_ascii_case(name);
        if is("REQUIRETLS") {
            seen.once(1 << 6)?;
            self.require_tls = given.alone("REQUIRETLS")?;
        } else if is("HOLDUNTIL") {
            seen.once(1 << 8)?;
            self.hold = Some(FutureRelease::Until(given.parsed("HOLDUNTIL")?));
        } else if is("MT-PRIORITY") {
            seen.once(1 << 9)?;
            self.mt_priority = Some(given.parsed("MT-PRIORITY")?);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// The values.
    pub(super) fn decode(&self) -> Result<MailParameters, CommandError> {
        let mut made = MailParameters::default();
        made.auth = decoded(self.auth.as_ref(), "AUTH")?;
        made.body = self.body;
        made.deliver_by = self.deliver_by;
        made.envelope_id = decoded(self.envelope_id.as_ref(), "ENVID")?;
        made.extensions = extensions(self.extensions)?;
        made.hold = self.hold;
        made.mt_priority = self.mt_priority;
        made.require_tls = self.require_tls;
        made.ret = self.ret;
        made.size = self.size;
        made.smtputf8 = self.smtputf8;
        Ok(made)
    }
}

impl<'a> RcptParametersRef<'a> {
    /// `Rcpt-parameters = esmtp-param *(SP esmtp-param)`, each behind its space.
    pub(super) fn read(
        &mut self,
        text: &'a str,
        known: &ExtensionRegistry,
    ) -> Result<(), CommandError> {
        let mut seen = Seen::default();
        let mut given = Parameters::of(text);
        while given.advance("RCPT")? {
            if !self.take(&given, &mut seen)? {
                seen.extension(&given, known.rcpt_parameters())?;
                self.extensions = text;
            }
        }
        Ok(())
    }

    /// False where the keyword is none of the RFCs.
    #[inline]
    fn take(&mut self, given: &Parameters<'a>, seen: &mut Seen) -> Result<bool, CommandError> {
        match given.key {
            keyword::NOTIFY => {
                seen.once(1)?;
                self.notify = Some(given.parsed("NOTIFY")?);
            }
            keyword::ORCPT => {
                seen.once(1 << 1)?;
                self.original_recipient = Some(given.encoded("ORCPT", OriginalRecipient::check)?);
            }
            keyword::RRVS => {
                seen.once(1 << 2)?;
                self.valid_since = Some(given.parsed("RRVS")?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The values.
    pub(super) fn decode(&self) -> Result<RcptParameters, CommandError> {
        let mut made = RcptParameters::default();
        made.extensions = extensions(self.extensions)?;
        made.notify = self.notify;
        made.original_recipient = decoded(self.original_recipient.as_ref(), "ORCPT")?;
        made.valid_since = self.valid_since;
        Ok(made)
    }
}

/// `size-value = 1*20DIGIT` (RFC 1870 §4), at most 2^64 - 1.
fn size(digits: &str) -> Option<u64> {
    let digit = digits.as_bytes().first().is_some_and(u8::is_ascii_digit);
    if digit && digits.len() <= 20 { digits.parse().ok() } else { None }
}

/// How long the `esmtp-value` is that `text` begins with: no "=", no space; UTF-8 by RFC 6531 §3.3.
/// Most values are too short for a vector search to pay.
#[inline]
fn value_octets(text: &[u8]) -> usize {
    const SHORT: usize = 10;
    let (short, long) = text.split_at_checked(SHORT).unwrap_or((text, &[]));
    short.iter().position(|&octet| keyword::ends_value(octet)).unwrap_or_else(|| {
        let behind = memchr::memchr3(b' ', b'\t', b'=', long).unwrap_or(long.len());
        short.len().saturating_add(behind)
    })
}

impl<'a> Parameters<'a> {
    fn of(text: &'a str) -> Self {
        Self { rest: text, key: 0, keyword: "", value: None }
    }

    /// Goes to the next parameter; false at the end. It is looked at where it stands, as handing
    /// it out would cost more than reading it.
    ///
    /// `esmtp-param = esmtp-keyword ["=" esmtp-value]`, behind a space.
    fn advance(&mut self, verb: &'static str) -> Result<bool, CommandError> {
        let wrong = || CommandError::Syntax { verb };
        let text = match self.rest.as_bytes() {
            [] => return Ok(false),
            [b' ', next, ..] if !is_blank(*next) => self.rest.get(1..).unwrap_or(""),
            [b' ' | b'\t', ..] => self.rest.trim_start_matches([' ', '\t']),
            _ => return Err(wrong()),
        };
        // [RFC 5321 §4.1.2] esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-").
        let (key, length) = word(text.as_bytes());
        if length == 0 || text.as_bytes().first() == Some(&b'-') {
            return Err(wrong());
        }
        let (keyword, behind) = text.split_at_checked(length).ok_or_else(wrong)?;
        (self.key, self.keyword) = (key, keyword);
        (self.value, self.rest) = match behind.as_bytes() {
            [b'=', value @ ..] => {
                let end = value_octets(value).saturating_add(1);
                let (value, rest) = behind.split_at_checked(end).ok_or_else(wrong)?;
                (value.get(1..), rest)
            }
            [] | [b' ' | b'\t', ..] => (None, behind),
            _ => return Err(wrong()),
        };
        Ok(true)
    }

    fn alone(&self, keyword: &'static str) -> Result<bool, CommandError> {
        if self.value.is_none() { Ok(true) } else { Err(CommandError::ParameterValue { keyword }) }
    }

    #[inline]
    fn valued<T>(
        &self,
        keyword: &'static str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, CommandError> {
        self.value.and_then(read).ok_or(CommandError::ParameterValue { keyword })
    }

    #[inline]
    fn parsed<T: FromStr>(&self, keyword: &'static str) -> Result<T, CommandError> {
        self.valued(keyword, |value| value.parse().ok())
    }

    #[inline]
    fn encoded<T: FromStr>(
        &self,
        keyword: &'static str,
        check: impl FnOnce(&str) -> Result<(), T::Err>,
    ) -> Result<Encoded<'a, T>, CommandError> {
        self.valued(keyword, |value| check(value).ok().map(|()| Encoded::checked(value)))
    }

    fn extension(&self) -> Result<ExtensionParameter, CommandError> {
        ExtensionParameter::new(self.keyword, self.value)
            .map_err(|_| CommandError::ParameterValue { keyword: "of the host program" })
    }
}

/// Which parameters a command had already: each may stand once.
#[derive(Default)]
struct Seen(u64);

// [RFC 3461 §4.5-a, §4.5-b, §5.1-b] each parameter once, or 501.
impl Seen {
    #[inline]
    fn once(&mut self, bit: u64) -> Result<(), CommandError> {
        if self.0 & bit != 0 {
            return Err(CommandError::ParameterTwice);
        }
        self.0 |= bit;
        Ok(())
    }

    /// A parameter that is none of the RFCs. The registry has at most 32 names.
    #[cold]
    fn extension(
        &mut self,
        given: &Parameters<'_>,
        known: &[Box<str>],
    ) -> Result<(), CommandError> {
        let name = known.iter().position(|name| name.eq_ignore_ascii_case(given.keyword));
        let at = name.ok_or(CommandError::ParameterUnknown)?;
        given.extension()?;
        self.once(1 << at.saturating_add(32).min(63))
    }
}

fn decoded<T: FromStr>(
    encoded: Option<&Encoded<'_, T>>,
    keyword: &'static str,
) -> Result<Option<T>, CommandError> {
    let value = encoded.map(Encoded::decode).transpose();
    value.map_err(|_| CommandError::ParameterValue { keyword })
}

/// Those of the parameters that are none of the RFCs.
fn extensions(text: &str) -> Result<Vec<ExtensionParameter>, CommandError> {
    let (mut found, mut given) = (Vec::new(), Parameters::of(text));
    while given.advance("MAIL")? {
        if ExtensionParameter::check_keyword(given.keyword).is_ok() {
            found.push(given.extension()?);
        }
    }
    Ok(found)
}

/// Parameters that say what holds anyway are left out.
pub(super) fn write_mail(parameters: &MailParameters, out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail.
    if let Some(size) = parameters.size {
        let _ = write!(out, " SIZE={size}");
    }
    if parameters.body != BodyType::SevenBit {
        let _ = write!(out, " BODY={}", parameters.body);
    }
    if parameters.smtputf8 {
        out.extend_from_slice(b" SMTPUTF8");
    }
    if let Some(ret) = parameters.ret {
        let _ = write!(out, " RET={ret}");
    }
    if let Some(id) = &parameters.envelope_id {
        let _ = write!(out, " ENVID={id}");
    }
    if let Some(auth) = &parameters.auth {
        let _ = write!(out, " AUTH={auth}");
    }
    if parameters.require_tls {
        out.extend_from_slice(b" REQUIRETLS");
    }
    if let Some(by) = parameters.deliver_by {
        let _ = write!(out, " BY={by}");
    }
    let _ = match parameters.hold {
        Some(FutureRelease::For(interval)) => write!(out, " HOLDFOR={interval}"),
        Some(FutureRelease::Until(moment)) => write!(out, " HOLDUNTIL={moment}"),
        None => Ok(()),
    };
    if let Some(priority) = parameters.mt_priority {
        let _ = write!(out, " MT-PRIORITY={priority}");
    }
    for parameter in &parameters.extensions {
        let _ = write!(out, " {parameter}");
    }
}

pub(super) fn write_rcpt(parameters: &RcptParameters, out: &mut Vec<u8>) {
    if let Some(notify) = parameters.notify {
        let _ = write!(out, " NOTIFY={notify}");
    }
    if let Some(original_recipient) = &parameters.original_recipient {
        let _ = write!(out, " ORCPT={original_recipient}");
    }
    if let Some(since) = parameters.valid_since {
        let _ = write!(out, " RRVS={since}");
    }
    for parameter in &parameters.extensions {
        let _ = write!(out, " {parameter}");
    }
}
