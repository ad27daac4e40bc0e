//! The envelope: who sent it, to whom, and with which parameters (RFC 5321 §2.3.1).

use std::fmt;
use std::str::FromStr;

use crate::{
    DeliverBy, EnvelopeId, ExtensionParameter, ForwardPath, FutureRelease, MtPriority, Notify,
    OriginalRecipient, RequireRecipientValidSince, Ret, ReversePath, Submitter,
};

/// What travels with a message but is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an envelope is these three, by RFC 5321 §2.3.1")]
pub struct Envelope {
    /// `RFC5321.MailFrom`.
    pub reverse_path: ReversePath,
    /// What stood behind MAIL FROM.
    pub parameters: MailParameters,
    /// Whom it goes to, in the order of the RCPT commands. A recipient is named by its place here.
    pub recipients: Vec<Recipient>,
}

impl Envelope {
    /// An envelope without parameters.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use transom_types::Envelope;
    ///
    /// let to = ["<ann@contoso.com>".parse()?, "<bob@contoso.com>".parse()?];
    /// let envelope = Envelope::new("<carl@fabrikam.com>".parse()?, to);
    /// assert_eq!(envelope.recipients.len(), 2);
    /// # Ok(()) }
    /// ```
    pub fn new(
        reverse_path: ReversePath,
        recipients: impl IntoIterator<Item = ForwardPath>,
    ) -> Self {
        let recipients = recipients.into_iter().map(Recipient::from).collect();
        Self { reverse_path, parameters: MailParameters::default(), recipients }
    }
}

/// One RCPT command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a RCPT command is a path and its parameters")]
pub struct Recipient {
    /// `RFC5321.RcptTo`.
    pub forward_path: ForwardPath,
    /// What stood behind it.
    pub parameters: RcptParameters,
}

impl From<ForwardPath> for Recipient {
    fn from(forward_path: ForwardPath) -> Self {
        Self { forward_path, parameters: RcptParameters::default() }
    }
}

/// Parameters of MAIL that are kept with the message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MailParameters {
    /// `AUTH=` (RFC 4954).
    pub auth: Option<Submitter>,
    /// `BODY=` (RFC 6152, RFC 3030).
    pub body: BodyType,
    /// `BY=` (RFC 2852).
    pub deliver_by: Option<DeliverBy>,
    /// `ENVID=` (RFC 3461).
    pub envelope_id: Option<EnvelopeId>,
    /// Parameters that the host program registered, each keyword once.
    pub extensions: Vec<ExtensionParameter>,
    /// `HOLDFOR=` or `HOLDUNTIL=` (RFC 4865).
    pub hold: Option<FutureRelease>,
    /// `MT-PRIORITY=` (RFC 6710).
    pub mt_priority: Option<MtPriority>,
    /// `REQUIRETLS` (RFC 8689).
    pub require_tls: bool,
    /// `RET=` (RFC 3461).
    pub ret: Option<Ret>,
    /// `SIZE=` in octets, as the client declared it (RFC 1870).
    pub size: Option<u64>,
    /// `SMTPUTF8` (RFC 6531).
    pub smtputf8: bool,
}

/// Parameters of RCPT that are kept with the recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RcptParameters {
    /// Parameters that the host program registered, each keyword once.
    pub extensions: Vec<ExtensionParameter>,
    /// `NOTIFY=` (RFC 3461); absent is [`Notify::DEFAULT`].
    pub notify: Option<Notify>,
    /// `ORCPT=` (RFC 3461).
    pub original_recipient: Option<OriginalRecipient>,
    /// `RRVS=` (RFC 7293).
    pub valid_since: Option<RequireRecipientValidSince>,
}

impl RcptParameters {
    /// What is to be reported, with the default for an absent NOTIFY.
    pub fn notify_or_default(&self) -> Notify {
        self.notify.unwrap_or(Notify::DEFAULT)
    }
}

/// `BODY=`: what the client says of the content (RFC 6152, RFC 3030).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BodyType {
    /// `7BIT`, which absence means too.
    #[default]
    SevenBit,
    /// `8BITMIME`.
    EightBitMime,
    /// `BINARYMIME`: lines of any length and any octets, so it goes by BDAT only.
    BinaryMime,
}

impl FromStr for BodyType {
    type Err = ParseBodyTypeError;
    fn from_str(value: &str) -> Result<Self, Self::Err> {
        match value {
            value if value.eq_ignore_ascii_case("7BIT") => Ok(Self::SevenBit),
            value if value.eq_ignore_ascii_case("8BITMIME") => Ok(Self::EightBitMime),
            value if value.eq_ignore_ascii_case("BINARYMIME") => Ok(Self::BinaryMime),
            _ => Err(ParseBodyTypeError),
        }
    }
}

impl fmt::Display for BodyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SevenBit => "7BIT",
            Self::EightBitMime => "8BITMIME",
            Self::BinaryMime => "BINARYMIME",
        })
    }
}

/// The text is no value of BODY.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("BODY is 7BIT, 8BITMIME or BINARYMIME")]
#[non_exhaustive]
pub struct ParseBodyTypeError;
