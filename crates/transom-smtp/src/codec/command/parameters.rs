//! Parameters of MAIL and RCPT: where they stand in the line, checked, and their one printed form.

use std::io::Write as _;
use std::marker::PhantomData;
use std::str::FromStr;

use transom_types::{
    BodyType, DeliverBy, EnvelopeId, ExtensionParameter, FutureRelease, MailParameters, MtPriority,
    Notify, OriginalRecipient, RcptParameters, RequireRecipientValidSince, Ret, Submitter,
};

use super::keyword::{self, Key, word};
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

/// `esmtp-param = esmtp-keyword ["=" esmtp-value]`.
#[derive(Clone, Copy)]
struct Parameter<'a> {
    key: Key,
    keyword: &'a str,
    value: Option<&'a str>,
}

impl<'a> MailParametersRef<'a> {
    /// `Mail-parameters = esmtp-param *(SP esmtp-param)`, each behind its space.
    pub(super) fn parse(text: &'a str, known: &ExtensionRegistry) -> Result<Self, CommandError> {
        let mut read = Self::default();
        let mut seen = Seen::default();
        let mut rest = text;
        while let Some(parameter) = next(&mut rest, "MAIL")? {
            if !read.take(&parameter, &mut seen)? {
                seen.extension(&parameter, known.mail_parameters(), "MAIL")?;
                read.extensions = text;
            }
        }
        Ok(read)
    }

    /// False where the keyword is none of the RFCs.
    #[inline]
    fn take(&mut self, given: &Parameter<'a>, seen: &mut Seen) -> Result<bool, CommandError> {
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
            keyword::REQUIRETLS => {
                seen.once(1 << 6)?;
                self.require_tls = given.alone("REQUIRETLS")?;
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
            keyword::HOLDUNTIL => {
                seen.once(1 << 8)?;
                self.hold = Some(FutureRelease::Until(given.parsed("HOLDUNTIL")?));
            }
            keyword::MT_PRIORITY => {
                seen.once(1 << 9)?;
                self.mt_priority = Some(given.parsed("MT-PRIORITY")?);
            }
            _ => return Ok(false),
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
    pub(super) fn parse(text: &'a str, known: &ExtensionRegistry) -> Result<Self, CommandError> {
        let mut read = Self::default();
        let mut seen = Seen::default();
        let mut rest = text;
        while let Some(parameter) = next(&mut rest, "RCPT")? {
            if !read.take(&parameter, &mut seen)? {
                seen.extension(&parameter, known.rcpt_parameters(), "RCPT")?;
                read.extensions = text;
            }
        }
        Ok(read)
    }

    /// False where the keyword is none of the RFCs.
    #[inline]
    fn take(&mut self, given: &Parameter<'a>, seen: &mut Seen) -> Result<bool, CommandError> {
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

/// Takes the next parameter and the spaces before it off `rest`; none at the end.
#[inline]
fn next<'a>(rest: &mut &'a str, verb: &'static str) -> Result<Option<Parameter<'a>>, CommandError> {
    let text = *rest;
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || CommandError::Syntax { verb };
    let spaces = text.bytes().take_while(|&octet| is_blank(octet)).count();
    let text = text.get(spaces..).unwrap_or("");
    // [RFC 5321 §4.1.2] esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-").
    let (key, length) = word(text.as_bytes(), |octet| octet == b'=' || is_blank(octet));
    let (keyword, behind) = text.split_at_checked(length).ok_or_else(wrong)?;
    if spaces == 0 || keyword.is_empty() {
        return Err(wrong());
    }
    let Some(behind) = behind.strip_prefix('=') else {
        *rest = behind;
        return Ok(Some(Parameter { key, keyword, value: None }));
    };
    // esmtp-value: no "=", no space, no control character; UTF-8 by RFC 6531 §3.3.
    let ends = |octet| octet == b'=' || is_blank(octet);
    let length = behind.bytes().position(ends).unwrap_or(behind.len());
    let (value, behind) = behind.split_at_checked(length).ok_or_else(wrong)?;
    *rest = behind;
    Ok(Some(Parameter { key, keyword, value: Some(value) }))
}

fn is_blank(octet: u8) -> bool {
    octet == b' ' || octet == b'\t'
}

/// `size-value = 1*20DIGIT` (RFC 1870 §4), at most 2^64 - 1.
fn size(digits: &str) -> Option<u64> {
    let well_formed = digits.len() <= 20 && digits.bytes().all(|octet| octet.is_ascii_digit());
    if well_formed { digits.parse().ok() } else { None }
}

impl<'a> Parameter<'a> {
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
        given: &Parameter<'_>,
        known: &[Box<str>],
        verb: &'static str,
    ) -> Result<(), CommandError> {
        let Some(at) = known.iter().position(|name| name.eq_ignore_ascii_case(given.keyword))
        else {
            let in_keyword = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
            let well_formed =
                given.keyword.bytes().all(in_keyword) && !given.keyword.starts_with('-');
            return Err(if well_formed {
                CommandError::ParameterUnknown
            } else {
                CommandError::Syntax { verb }
            });
        };
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
fn extensions(mut text: &str) -> Result<Vec<ExtensionParameter>, CommandError> {
    let mut found = Vec::new();
    while let Some(parameter) = next(&mut text, "MAIL")? {
        if ExtensionParameter::check_keyword(parameter.keyword).is_ok() {
            found.push(parameter.extension()?);
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
