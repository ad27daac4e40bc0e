//! From the recipients that the sender named to those that get the mail.
//!
//! A directory says what an address is; here its answers are followed: aliases, groups in groups,
//! forwarding, contacts, and who may send to whom. Nothing is asked from here. [`Resolution`] is a
//! pure function of the [`Answers`] so far: it says which addresses it must know of, and once it
//! knows them, what becomes of every recipient. Where mail goes next is not decided here; that is
//! [`categorize`](crate::categorize).
//!
//! ```text
//! RCPT ------- Resolution::judge ----> taken or refused, before custody
//! categorizer  Resolution::resolve --> Lookup(addresses) <--> Directory, until
//!                                      Done(Resolved): an end for each recipient of the envelope,
//!                                      new recipients, members that failed, steps for tracking
//! then         bifurcate(signatures) -> copies of the message
//! ```
//!
//! ```
//! use transom_agent::{Directory, DirectoryAnswer, DirectoryEntry, directory_fn};
//! use transom_connector::{AcceptedDomain, Configuration};
//! use transom_routing::resolve::{Answers, Resolution, Step};
//! use transom_types::Envelope;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let configuration = Configuration::new("mx1.contoso.com".parse()?)
//!     .with_accepted_domain(AcceptedDomain::authoritative("contoso.com")?)
//!     .check()?;
//! let members = ["ann@contoso.com".parse()?, "bob@fabrikam.com".parse()?];
//! let directory = directory_fn(move |mailbox| {
//!     Ok(match mailbox.as_str() {
//!         "sales@contoso.com" => DirectoryEntry::group(members.clone()).into(),
//!         "ann@contoso.com" => DirectoryAnswer::Known,
//!         _ => DirectoryAnswer::Unknown,
//!     })
//! });
//! let envelope = Envelope::new("<carl@fabrikam.com>".parse()?, ["<sales@contoso.com>".parse()?]);
//!
//! let resolution = Resolution::new(&configuration, &envelope.reverse_path).with_size(2_000);
//! let mut answers = Answers::default();
//! let resolved = loop {
//!     match resolution.resolve(&envelope.recipients, &answers) {
//!         Step::Done(resolved) => break resolved,
//!         Step::Lookup(mailboxes) => {
//!             for mailbox in mailboxes {
//!                 let answer = directory.lookup(&mailbox).await;
//!                 answers.insert(&mailbox, answer);
//!             }
//!         }
//!     }
//! };
//! let paths = resolved.recipients.iter().map(|to| to.recipient.forward_path.to_string());
//! assert_eq!(paths.collect::<Vec<_>>(), ["<ann@contoso.com>", "<bob@fabrikam.com>"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok(()) }
//! ```
//!
//! # Rules
//!
//! - Unknown in an authoritative domain fails; in an internal relay domain it goes on by connector;
//!   in an external relay domain and elsewhere nobody is looked up.
//! - An address gets the message once, also where it is named itself and is in groups as well: then
//!   with the parameters that it was named with. Local-parts are compared octet by octet; a
//!   directory to which case is all the same answers with an alias.
//! - Circles of groups are harmless: everybody in them gets the message once. Circles of nothing
//!   but aliases and forwarding lead to nobody, and fail.
//! - Where the directory does not answer, a recipient waits as a whole; it never fails.
//! - What a remote domain does not want is not sent there: what mailboxes forward, by
//!   [`Resolution`], and answers and reports, by [`AutomaticMail`].
//! - What Exchange calls a moderated recipient and an expansion server is not known here.
//!
//! # Limits
//!
//! [`ResolveLimits`], each with its reason; [`COPY_RECIPIENTS_MAX`] recipients of a copy;
//! [`LOOKUPS_MAX`] addresses of a [`Step::Lookup`].

mod answers;
mod bifurcation;
mod judge;
mod policy;
mod refusal;
mod remote;
mod resolved;
mod search;
#[cfg(test)]
mod tests;
mod walk;

use transom_connector::CheckedConfiguration;
use transom_types::{Mailbox, ReversePath};

pub use answers::{Answers, LOOKUPS_MAX, Step};
pub use bifurcation::{COPY_RECIPIENTS_MAX, MessageCopy, RecipientSignature, bifurcate};
pub use refusal::RecipientRefusal;
pub use remote::AutomaticMail;
pub use resolved::{
    DroppedCopy, FailedRecipient, ResolutionEnd, ResolutionStep, Resolved, ResolvedRecipient,
    StepKind,
};

/// What must be known to resolve the recipients of a message.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Resolution<'m> {
    /// Whose recipients are ours.
    pub configuration: &'m CheckedConfiguration,
    /// `RFC5321.MailFrom`.
    pub sender: &'m ReversePath,
    /// Whether the sender proved who it is: by AUTH, or by a connector that is trusted.
    pub authenticated: bool,
    /// Whether the transport made the message, a report for instance: no policy and no size limit
    /// holds for it.
    pub system: bool,
    /// Size of the content in octets, or what the client declared; none skips limits of size.
    pub size: Option<u64>,
    /// How much is followed.
    pub limits: ResolveLimits,
    /// Addresses that got the message when its other recipients were resolved before.
    pub already: &'m [Mailbox],
}

impl<'m> Resolution<'m> {
    /// For a message of unknown size that an anonymous sender sends.
    pub fn new(configuration: &'m CheckedConfiguration, sender: &'m ReversePath) -> Self {
        Self {
            configuration,
            sender,
            authenticated: false,
            system: false,
            size: None,
            limits: ResolveLimits::default(),
            already: &[],
        }
    }

    /// The same with a sender that proved who it is, or did not.
    #[must_use]
    pub fn with_authenticated(self, authenticated: bool) -> Self {
        Self { authenticated, ..self }
    }

    /// The same for a message that the transport made itself, or that came in.
    #[must_use]
    pub fn with_system(self, system: bool) -> Self {
        Self { system, ..self }
    }

    /// The same for a message of so many octets.
    #[must_use]
    pub fn with_size(self, octets: u64) -> Self {
        Self { size: Some(octets), ..self }
    }

    /// The same under other limits.
    #[must_use]
    pub fn with_limits(self, limits: ResolveLimits) -> Self {
        Self { limits, ..self }
    }

    /// The same where these addresses have got the message already.
    #[must_use]
    pub fn with_already(self, already: &'m [Mailbox]) -> Self {
        Self { already, ..self }
    }
}

/// How far answers of a directory are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResolveLimits {
    /// Most recipients of a message, groups not expanded (500, Exchange's
    /// `MaxRecipientEnvelopeLimit`); 0 is any number. The policy of a sender may say another.
    pub recipients_max: u32,
    /// Most recipients of a message after groups are expanded (10,000: each takes some hundred
    /// octets until the message is done). It also bounds how many addresses are followed for one
    /// recipient, or for a group that a policy names.
    pub expanded_recipients_max: u32,
    /// How many steps an address may lie behind the recipient that the sender named (32: nobody
    /// nests groups deeper on purpose, and a directory that makes up ever new aliases ends there).
    pub depth_max: u32,
}

impl Default for ResolveLimits {
    fn default() -> Self {
        Self { recipients_max: 500, expanded_recipients_max: 10_000, depth_max: 32 }
    }
}

impl ResolveLimits {
    /// The same with at most so many recipients that the sender names.
    #[must_use]
    pub fn with_recipients_max(self, recipients_max: u32) -> Self {
        Self { recipients_max, ..self }
    }

    /// The same with at most so many recipients after groups are expanded.
    #[must_use]
    pub fn with_expanded_recipients_max(self, expanded_recipients_max: u32) -> Self {
        Self { expanded_recipients_max, ..self }
    }

    /// The same with addresses at most so many steps away.
    #[must_use]
    pub fn with_depth_max(self, depth_max: u32) -> Self {
        Self { depth_max, ..self }
    }
}
