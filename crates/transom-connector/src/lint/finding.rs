//! What lint says.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use transom_types::ForwardPath;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "it may run like this, or it may not")]
pub enum Severity {
    /// It works as it stands, but hardly as it was meant.
    Warning,
    /// Mail would be lost, loop, or be relayed for anybody: a transport does not start with it.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $id:literal,)*) => {
        /// What lint looks for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum LintRule {
            $($(#[$doc])* $name,)*
        }

        impl LintRule {
            /// All of them, in the order of their names.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word for it, which stays the same from release to release.
            pub fn id(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)*
                }
            }
        }
    };
}

rules! {
    /// Rights for users who cannot authenticate.
    AuthImpossible = "auth-impossible",
    /// Passwords may be asked for without TLS.
    AuthInClear = "auth-in-clear",
    /// A setting whose name says that it is dangerous.
    Danger = "danger",
    /// A connector that is switched off.
    Disabled = "disabled",
    /// Two things have one name.
    Duplicate = "duplicate",
    /// A header section may be bigger than the message around it.
    HeaderAboveMessage = "header-above-message",
    /// An internal relay domain whose unknown recipients go nowhere, or back here.
    InternalRelayWithoutConnector = "internal-relay-without-connector",
    /// Another contradiction that [`Configuration::check`](crate::Configuration::check) finds.
    Invalid = "invalid",
    /// Less is taken than every SMTP server has to take.
    LimitBelowStandard = "limit-below-standard",
    /// Every local-part of a domain is taken, because there is no directory.
    NoDirectory = "no-directory",
    /// Mail is taken for a domain, and no connector brings it on.
    NoRoute = "no-route",
    /// Who has shown nothing gets mail to somebody else's domain.
    OpenRelay = "open-relay",
    /// A password may be sent without TLS.
    PasswordInClear = "password-in-clear",
    /// The ranges of two connectors with one binding overlap.
    RangesOverlap = "ranges-overlap",
    /// A receive connector that serves nobody.
    ReceiveNeverChosen = "receive-never-chosen",
    /// Two connectors share a binding and a range.
    SameRange = "same-range",
    /// A send connector that no message leaves by.
    SendNeverChosen = "send-never-chosen",
    /// Messages are taken that are too big for every way out.
    SizeAboveRoutes = "size-above-routes",
    /// A smart host is this server.
    SmartHostSelf = "smart-host-self",
    /// A bound of each source is above the bound of all.
    SourceAboveConnector = "source-above-connector",
    /// A refusal takes longer than clients wait.
    TarpitAboveTimeout = "tarpit-above-timeout",
    /// The certificate is not for the name that the connector has.
    TlsNameMismatch = "tls-name-mismatch",
    /// TLS is offered or demanded, and there is no certificate.
    TlsWithoutCertificate = "tls-without-certificate",
    /// Everybody is believed who the client is.
    TrustsEverybody = "trusts-everybody",
    /// A delivery agent that the host program has not registered.
    UnknownAgent = "unknown-agent",
    /// All names below a name of one label are accepted.
    WildcardAcceptedDomain = "wildcard-accepted-domain",
}

impl fmt::Display for LintRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// The kind of thing that a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LintObject {
    /// An accepted domain.
    AcceptedDomain,
    /// The configuration as a whole.
    Configuration,
    /// A receive connector.
    ReceiveConnector,
    /// A remote domain.
    RemoteDomain,
    /// A send connector.
    SendConnector,
}

impl fmt::Display for LintObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AcceptedDomain => "accepted domain",
            Self::Configuration => "configuration",
            Self::ReceiveConnector => "receive connector",
            Self::RemoteDomain => "remote domain",
            Self::SendConnector => "send connector",
        })
    }
}

/// Which thing a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct LintPlace {
    /// What kind of thing.
    pub object: LintObject,
    /// Its name; empty for the configuration as a whole.
    pub name: String,
    /// The field, as the Rust type has it; empty where it is about the whole thing.
    pub field: &'static str,
}

impl LintPlace {
    pub(super) fn new(object: LintObject, name: &dyn fmt::Display, field: &'static str) -> Self {
        Self { object, name: name.to_string(), field }
    }
}

impl fmt::Display for LintPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.object)?;
        if !self.name.is_empty() {
            write!(f, " \"{}\"", self.name)?;
        }
        if !self.field.is_empty() {
            write!(f, ", {}", self.field)?;
        }
        Ok(())
    }
}

/// Something that is wrong, or looks so. Printed, it is two lines: what is wrong, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What was looked for.
    pub rule: LintRule,
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub place: LintPlace,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub advice: String,
    /// A session that shows it, for [`LintRule::OpenRelay`].
    pub witness: Option<RelayWitness>,
}

impl Finding {
    pub(super) fn warning(
        rule: LintRule,
        place: LintPlace,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let (problem, advice) = (problem.into(), advice.into());
        Self { rule, severity: Severity::Warning, place, problem, advice, witness: None }
    }

    pub(super) fn error(
        rule: LintRule,
        place: LintPlace,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Error, ..Self::warning(rule, place, problem, advice) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, severity, place, problem, advice, witness } = self;
        write!(f, "{severity}[{rule}] {place}: {problem}\n  what to do: {advice}")?;
        match witness {
            Some(witness) => write!(f, "\n  shown by: {witness}"),
            None => Ok(()),
        }
    }
}

/// A session of a stranger that gets mail to somebody else's domain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelayWitness {
    /// The address of ours that the session comes in at. Where a connector listens at all
    /// addresses this is one that stands for them.
    pub local: SocketAddr,
    /// Who connects, and whom the session then speaks for. One of them is the stranger.
    pub steps: Vec<RelayStep>,
    /// The recipient that is taken.
    pub recipient: ForwardPath,
}

impl fmt::Display for RelayWitness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for step in &self.steps {
            write!(f, "{separator}{step}")?;
            separator = ", ";
        }
        write!(f, " at {}, sends to {}", self.local, self.recipient)
    }
}

/// One step of a [`RelayWitness`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RelayStep {
    /// This address connects.
    Connect(IpAddr),
    /// It names this client by the PROXY protocol.
    Proxy(IpAddr),
    /// It names this client by XCLIENT.
    Xclient(IpAddr),
}

impl RelayStep {
    /// Whom the session speaks for from then on.
    pub fn client(self) -> IpAddr {
        match self {
            Self::Connect(client) | Self::Proxy(client) | Self::Xclient(client) => client,
        }
    }
}

impl fmt::Display for RelayStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(client) => write!(f, "{client} connects"),
            Self::Proxy(client) => write!(f, "names {client} by PROXY"),
            Self::Xclient(client) => write!(f, "names {client} by XCLIENT"),
        }
    }
}
