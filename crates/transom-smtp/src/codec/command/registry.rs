//! Verbs and parameters that a host program brings itself.

use std::borrow::Cow;
use std::fmt;

use transom_types::{ExtensionParameter, ExtensionParameterError};

use super::keyword::{VERBS, word};

/// What the parser takes beside the commands and parameters of the RFCs. It hands them on as they
/// stand: [`Command::Extension`](super::Command::Extension), and the `extensions` of
/// [`MailParameters`](transom_types::MailParameters) and
/// [`RcptParameters`](transom_types::RcptParameters).
///
/// ```
/// use transom_smtp::codec::{Command, ExtensionRegistry};
///
/// let registry = ExtensionRegistry::new().with_verb("XPING")?.with_mail_parameter("XTENANT")?;
/// let command = Command::parse_with(b"MAIL FROM:<> XTENANT=contoso", &registry)?;
/// let Command::Mail { parameters, .. } = command else { panic!("{command:?}") };
/// assert_eq!(parameters.extensions[0].value(), Some("contoso"));
/// let command = Command::parse_with(b"xping now", &registry)?;
/// let Command::Extension { argument: Some(argument), .. } = command else { panic!() };
/// assert_eq!(argument.as_str(), "now");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtensionRegistry {
    verbs: Vec<Verb<'static>>,
    mail_parameters: Vec<Box<str>>,
    rcpt_parameters: Vec<Box<str>>,
}

impl ExtensionRegistry {
    /// Most names of each kind.
    pub const NAMES_MAX: usize = 32;

    /// Nothing but the RFCs.
    pub const fn new() -> Self {
        Self { verbs: Vec::new(), mail_parameters: Vec::new(), rcpt_parameters: Vec::new() }
    }

    /// Adds a verb.
    ///
    /// # Errors
    ///
    /// Where it is no verb, is one that this crate knows, or is one too many.
    pub fn with_verb(mut self, verb: &str) -> Result<Self, ExtensionRegistryError> {
        if self.verbs.len() >= Self::NAMES_MAX {
            return Err(ExtensionRegistryError::TooMany);
        }
        self.verbs.push(Verb::new(verb).map_err(ExtensionRegistryError::Verb)?.into_owned());
        Ok(self)
    }

    /// Adds a parameter of MAIL.
    ///
    /// # Errors
    ///
    /// Where it is no keyword, is one that this crate knows, or is one too many.
    pub fn with_mail_parameter(mut self, keyword: &str) -> Result<Self, ExtensionRegistryError> {
        add_keyword(&mut self.mail_parameters, keyword)?;
        Ok(self)
    }

    /// Adds a parameter of RCPT.
    ///
    /// # Errors
    ///
    /// As of [`with_mail_parameter`](Self::with_mail_parameter).
    pub fn with_rcpt_parameter(mut self, keyword: &str) -> Result<Self, ExtensionRegistryError> {
        add_keyword(&mut self.rcpt_parameters, keyword)?;
        Ok(self)
    }

    pub(super) fn has_verb(&self, verb: &str) -> bool {
        self.verbs.iter().any(|known| known.as_str().eq_ignore_ascii_case(verb))
    }

    pub(super) fn mail_parameters(&self) -> &[Box<str>] {
        &self.mail_parameters
    }

    pub(super) fn rcpt_parameters(&self) -> &[Box<str>] {
        &self.rcpt_parameters
    }
}

fn add_keyword(names: &mut Vec<Box<str>>, keyword: &str) -> Result<(), ExtensionRegistryError> {
    if names.len() >= ExtensionRegistry::NAMES_MAX {
        return Err(ExtensionRegistryError::TooMany);
    }
    ExtensionParameter::check_keyword(keyword).map_err(ExtensionRegistryError::Keyword)?;
    names.push(keyword.to_ascii_uppercase().into());
    Ok(())
}

/// Why a name cannot be registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtensionRegistryError {
    /// The keyword of a parameter.
    #[error("the keyword cannot be registered")]
    Keyword(#[source] ExtensionParameterError),
    /// More than [`ExtensionRegistry::NAMES_MAX`].
    #[error("more than 32 names of a kind")]
    TooMany,
    /// The verb.
    #[error("the verb cannot be registered")]
    Verb(#[source] VerbError),
}

/// A verb that this crate does not know: letters, digits and hyphens, in the case they came in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Verb<'a>(Cow<'a, str>);

impl<'a> Verb<'a> {
    /// Longest verb, in octets.
    pub const OCTETS_MAX: usize = 32;

    /// Checks `text`.
    ///
    /// # Errors
    ///
    /// Where `text` is empty, too long, holds another character, or is a verb of the RFCs.
    pub fn new(text: &'a str) -> Result<Self, VerbError> {
        let well_formed = (1..=Self::OCTETS_MAX).contains(&text.len())
            && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
        if !well_formed {
            return Err(VerbError::Malformed);
        }
        let (key, _) = word(text.as_bytes());
        if VERBS.contains(&key) { Err(VerbError::Known) } else { Ok(Self(Cow::Borrowed(text))) }
    }

    /// The verb as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The verb with an allocation of its own.
    pub fn into_owned(self) -> Verb<'static> {
        Verb(Cow::Owned(self.0.into_owned()))
    }
}

impl fmt::Display for Verb<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no [`Verb`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerbError {
    /// It has a command of its own.
    #[error("the verb is one of the standard")]
    Known,
    /// It is no verb.
    #[error("a verb is 1 to 32 letters, digits and hyphens")]
    Malformed,
}
