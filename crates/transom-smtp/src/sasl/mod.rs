//! SASL (RFC 4422) as small machines, one a mechanism, for both sides.
//!
//! A machine gets decoded octets and gives decoded octets; the base64 around them and the AUTH
//! command are the sessions' ([`server`](crate::server), [`client`](crate::client)). Nobody is
//! known here: what only a user database can tell is a [`Question`] to the application, and its
//! [`Verdict`] comes back in.
//!
//! ```text
//!  AUTH, responses --> ServerExchange --> challenges
//!                        |        ^
//!                     Question  Verdict
//!                        v        |
//!                       application (an Authenticator)
//! ```
//!
//! | mechanism | server | client | what goes over the wire |
//! |---|---|---|---|
//! | `SCRAM-SHA-256`, `-PLUS` | `ScramSha256` | [`Credentials::password`] | proofs, of both sides |
//! | `OAUTHBEARER`, `XOAUTH2` | [`OauthBearer`], [`XOauth2`] | [`Credentials::token`] | a token |
//! | `PLAIN`, `LOGIN` | [`Plain`], [`Login`] | [`Credentials::password`] | the password |
//! | `EXTERNAL` | [`External`] | [`Credentials::external`] | nothing; TLS has told |
//!
//! SCRAM comes with the feature `scram`.
//!
//! ```
//! use transom_smtp::sasl::{Plain, Question, ServerContext, ServerMechanism, ServerStep, Verdict};
//! use transom_smtp::sasl::Channel;
//! use transom_types::Principal;
//!
//! let channel = Channel::default();
//! let mut exchange = Plain.begin(&ServerContext::new(&channel, &["PLAIN"]));
//! let step = exchange.respond(Some(b"\0alice\0hunter2"));
//! let ServerStep::Ask(Question::Password { user, password, .. }) = step else { panic!() };
//! assert_eq!((user.as_str(), password.expose()), ("alice", &b"hunter2"[..]));
//! let alice = Principal::new("alice")?;
//! let step = exchange.decide(Verdict::Granted(alice.clone()));
//! assert_eq!(step, ServerStep::Granted(alice));
//! # Ok::<(), transom_types::PrincipalError>(())
//! ```
//!
//! # A mechanism of the host program's own
//!
//! It is a type that implements [`ServerMechanism`], [`ClientMechanism`] or both. A server offers
//! it by [`AuthOffer::with_mechanism`], a client uses it by [`Credentials::mechanism`] or
//! [`Credentials::with_mechanism`]; the sessions know no other way for those above.
//!
//! - *Initial response*: [`ClientExchange::initial_response`] may give one, and
//!   [`ServerExchange::respond`] is called with it first. Without one it is called with `None` and
//!   gives its first challenge, which may be empty.
//! - *Continuation*: [`ServerStep::Challenge`] and [`ClientStep::Respond`], as often as it takes;
//!   base64 and the bounds of lines are the sessions'.
//! - *Decision*: the exchange decides by itself, or asks one of the [`Question`]s, which the
//!   application may take its time for.
//! - *Cancel*: a client says [`ClientStep::Cancel`]. Where a client cancels, or the connection is
//!   lost, the server's exchange is dropped.
//!
//! # What is not done
//!
//! No security layer is negotiated: that is for TLS. User names and passwords beyond ASCII are
//! taken as they are, without the preparation of RFC 4013.

mod bearer;
mod credentials;
mod external;
mod login;
mod offer;
mod plain;
#[cfg(feature = "scram")]
mod scram;
#[cfg(test)]
mod tests;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use transom_types::scram::ScramVerifier;
use transom_types::{Principal, Secret};

pub use bearer::{OauthBearer, XOauth2};
pub use credentials::Credentials;
pub use external::External;
pub use login::Login;
pub use offer::AuthOffer;
pub use plain::Plain;
#[cfg(feature = "scram")]
pub use scram::ScramSha256;

/// Longest line of an exchange with its CRLF. [RFC 4954 §4-n] so much both sides must take.
pub const LINE_OCTETS_MAX: usize = 12_288;

/// A mechanism, as the server offers it.
pub trait ServerMechanism: fmt::Debug + Send + Sync {
    /// Its registered name, in upper case.
    fn name(&self) -> &'static str;

    /// Whether who reads the exchange can log in later. Such a mechanism is offered in TLS alone.
    fn reveals_secret(&self) -> bool;

    /// Whether an exchange can succeed over this channel. What cannot is not offered.
    fn is_possible(&self, _channel: &Channel) -> bool {
        true
    }

    /// Begins an exchange.
    fn begin(&self, context: &ServerContext<'_>) -> Box<dyn ServerExchange>;
}

/// One exchange, as the server sees it. It is dropped when the client cancels.
pub trait ServerExchange: fmt::Debug + Send + Sync {
    /// Takes the client's next response, decoded. `None`, and only as the first one, says that the
    /// client sent no initial response.
    fn respond(&mut self, response: Option<&[u8]>) -> ServerStep;

    /// Takes the answer to the question that was asked.
    fn decide(&mut self, verdict: Verdict) -> ServerStep;
}

/// What the server does next in an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerStep {
    /// Ask the application.
    Ask(Question),
    /// Send this to the client and take its response.
    Challenge(Vec<u8>),
    /// The credentials are not valid, or the client's side of the exchange is not to be trusted.
    Denied,
    /// The client is who it says.
    Granted(Principal),
    /// The response is none that the mechanism knows.
    Malformed,
    /// The credentials cannot be checked now.
    Unavailable,
}

/// What a server mechanism knows of the session.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ServerContext<'a> {
    /// What TLS has told.
    pub channel: &'a Channel,
    /// The mechanisms that are offered in this state of the session.
    pub offered: &'a [&'static str],
}

impl<'a> ServerContext<'a> {
    /// Over this channel, where these mechanisms are offered.
    pub fn new(channel: &'a Channel, offered: &'a [&'static str]) -> Self {
        Self { channel, offered }
    }
}

/// What only a user database can answer. Names are what the peer says: nobody has checked them,
/// but none holds a control character.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Question {
    /// Who is behind this identity of the TLS layer? [`Verdict::Granted`] says it.
    External {
        /// What the certificate says ([`Channel::external_identity`]).
        identity: String,
        /// As whom the client wants to act, where it says so.
        acting_as: Option<String>,
    },
    /// Is this the user's password? [`Verdict::Granted`] says yes.
    Password {
        /// Whose password.
        user: String,
        /// As whom the client wants to act, where it says so. Only the user database knows
        /// whether it may; if not, the answer is [`Verdict::Denied`].
        acting_as: Option<String>,
        /// The password.
        password: Secret,
    },
    /// Which verifier does the user have? [`Verdict::Verifier`] says it, and whether there is one.
    ScramVerifier {
        /// Whose.
        user: String,
        /// As whom the client wants to act, where it says so.
        acting_as: Option<String>,
    },
    /// Who is the bearer of this token? [`Verdict::Granted`] says it.
    Token {
        /// Who the client says it is, where it says so. A token for somebody else is denied.
        user: Option<String>,
        /// The token.
        token: Secret,
    },
}

/// What the application answers to a [`Question`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// No.
    Denied,
    /// The credentials are valid, and this is whose they are. No answer to
    /// [`Question::ScramVerifier`].
    Granted(Principal),
    /// The user database cannot be asked now.
    Unavailable,
    /// The user's verifier. An answer to [`Question::ScramVerifier`] only.
    Verifier {
        /// The verifier, and who the client is when its proof is right. `None`: there is no such
        /// user; the exchange goes on with a decoy all the same, and fails in the end.
        known: Option<(ScramVerifier, Principal)>,
        /// Fresh random octets.
        nonce: Nonce,
    },
}

/// Random octets for one exchange. They must come from a generator whose next octets nobody can
/// guess, and must not be used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce([u8; 18]);

impl Nonce {
    /// Takes the octets over.
    pub fn new(octets: [u8; 18]) -> Self {
        Self(octets)
    }

    /// As it stands in the messages of an exchange: 24 printable octets.
    #[cfg(feature = "scram")]
    fn printed(&self) -> String {
        STANDARD.encode(self.0)
    }
}

/// What the TLS layer below the session has told. Empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Channel {
    /// The channel binding `tls-exporter` (RFC 9266 §2).
    pub tls_exporter: Option<[u8; 32]>,
    /// The channel binding `tls-server-end-point`: the hash of the server's certificate
    /// (RFC 5929 §4.1).
    pub tls_server_end_point: Option<Vec<u8>>,
    /// The identity that the client's certificate has proved, for EXTERNAL.
    pub external_identity: Option<String>,
}

impl Channel {
    /// Sets the channel binding `tls-exporter`.
    #[must_use]
    pub fn with_tls_exporter(self, exported: [u8; 32]) -> Self {
        Self { tls_exporter: Some(exported), ..self }
    }

    /// Sets the channel binding `tls-server-end-point`.
    #[must_use]
    pub fn with_tls_server_end_point(self, hash: impl Into<Vec<u8>>) -> Self {
        Self { tls_server_end_point: Some(hash.into()), ..self }
    }

    /// Sets the identity of the client's certificate.
    #[must_use]
    pub fn with_external_identity(self, identity: impl Into<String>) -> Self {
        Self { external_identity: Some(identity.into()), ..self }
    }

    /// Whether there is any channel binding.
    pub fn has_binding(&self) -> bool {
        self.tls_exporter.is_some() || self.tls_server_end_point.is_some()
    }
}

/// A mechanism with credentials, as the client uses it.
pub trait ClientMechanism: fmt::Debug + Send + Sync {
    /// Its registered name, in upper case.
    fn name(&self) -> &'static str;

    /// Whether an exchange can be begun here. What cannot is passed over.
    fn is_possible(&self, _context: &ClientContext<'_>) -> bool {
        true
    }

    /// Begins an exchange.
    fn begin(&self, context: &ClientContext<'_>) -> Box<dyn ClientExchange>;
}

/// One exchange, as the client sees it.
pub trait ClientExchange: fmt::Debug + Send + Sync {
    /// What the client says first, or `None` where the server speaks first.
    fn initial_response(&mut self) -> Option<Secret>;

    /// Takes the server's next challenge, decoded.
    fn respond(&mut self, challenge: &[u8]) -> ClientStep;

    /// Whether the server may end the exchange with success now. One that has to prove something
    /// and has not may not.
    fn may_succeed(&self) -> bool;
}

/// What the client does next in an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientStep {
    /// End the exchange: the server's side of it is not to be trusted, for this reason.
    Cancel(&'static str),
    /// Send this to the server.
    Respond(Secret),
}

/// What a client mechanism knows of the session.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ClientContext<'a> {
    /// What TLS has told.
    pub channel: &'a Channel,
    /// The mechanisms that the server offers.
    pub offered: &'a [String],
    /// Random octets, where the session has some.
    pub nonce: Option<Nonce>,
}

impl<'a> ClientContext<'a> {
    /// Over this channel, where the server offers these mechanisms.
    pub fn new(channel: &'a Channel, offered: &'a [String], nonce: Option<Nonce>) -> Self {
        Self { channel, offered, nonce }
    }
}

/// Decodes one line of an exchange. [RFC 4954 §4-l, §4-m] base64 with its
/// padding, nothing else in it.
pub(crate) fn decode(text: &[u8]) -> Option<Secret> {
    STANDARD.decode(text).ok().map(Secret::new)
}

/// Appends one line of an exchange, without its CRLF.
pub(crate) fn encode_to(octets: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(STANDARD.encode(octets).as_bytes());
}

/// [RFC 4954 §4-o] a name that is empty, or could not be compared, is none.
///
/// A name as a peer may give it: text of bearable length, without control characters.
fn name(octets: &[u8]) -> Option<String> {
    let text = str::from_utf8(octets).ok()?;
    Principal::new(text).ok().map(|name| name.as_str().to_owned())
}

/// Like [`name`], where nothing at all is right too.
fn optional_name(octets: &[u8]) -> Result<Option<String>, NoName> {
    if octets.is_empty() { Ok(None) } else { name(octets).map(Some).ok_or(NoName) }
}

/// What stands in place of a name is none.
#[derive(Debug)]
struct NoName;

/// What a verdict means where a simple question was asked.
fn simple(verdict: Verdict) -> ServerStep {
    match verdict {
        Verdict::Granted(principal) => ServerStep::Granted(principal),
        Verdict::Denied => ServerStep::Denied,
        // A verifier answers nothing here; the session lets none in.
        Verdict::Unavailable | Verdict::Verifier { .. } => ServerStep::Unavailable,
    }
}
