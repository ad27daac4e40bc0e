//! Why a peer meets the connector that it meets, and what it may do there.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use transom_types::ConnectorId;

use super::select::covers;
use super::{ReceiveAuth, ReceiveConnector, ReceiveTls};
use crate::{CheckedConfiguration, PrincipalKind, RemoteRange, Rights};

impl CheckedConfiguration {
    /// Which connector a session from `peer` meets that comes in at `local`, and why: what
    /// [`select_receive`](Self::select_receive) does, told in full.
    ///
    /// ```
    /// use transom_connector::{Configuration, ReceiveConnector};
    ///
    /// let configuration = Configuration::new("mx1.contoso.com".parse()?)
    ///     .with_receive_connector(ReceiveConnector::internet("0.0.0.0:25".parse()?))
    ///     .with_receive_connector(ReceiveConnector::relay(
    ///         "0.0.0.0:25".parse()?,
    ///         vec!["10.0.0.0/8".parse()?],
    ///     ))
    ///     .check()?;
    /// let told = configuration.explain_receive("192.0.2.25:25".parse()?, "10.1.2.3".parse()?);
    /// assert_eq!(
    ///     told.to_string(),
    ///     "10.1.2.3 at 192.0.2.25:25 meets \"Relay 0.0.0.0:25\".\n\
    ///      - \"Internet 0.0.0.0:25\": its range 0.0.0.0/0 is wider than 10.0.0.0/8\n\
    ///      - \"Relay 0.0.0.0:25\": chosen by its range 10.0.0.0/8 at 0.0.0.0:25\n\
    ///      It is:\n\
    ///      - anonymous from the greeting on: may send as anybody, to anywhere\n  \
    ///        (SMTP-Submit, SMTP-Accept-Any-Sender, SMTP-Accept-Any-Recipient, \
    ///      SMTP-Accept-Authoritative-Domain-Sender, Accept-Headers-Routing)\n"
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn explain_receive(&self, local: SocketAddr, peer: IpAddr) -> ReceiveExplanation<'_> {
        let local = SocketAddr::new(local.ip().to_canonical(), local.port());
        let peer = peer.to_canonical();
        let chosen = self.select_receive(local, peer);
        let winner = chosen.map(|connector| seen_from(connector, local, peer));
        let connectors = self.receive_connectors().iter();
        let candidates = connectors.map(|connector| {
            let (binding, range) = seen_from(connector, local, peer);
            let is_chosen = chosen.is_some_and(|chosen| std::ptr::eq(chosen, connector));
            let lost =
                (!is_chosen).then(|| lost(connector, (binding, range), chosen.zip(winner), local));
            ReceiveCandidate { connector, binding, range, lost }
        });
        ReceiveExplanation {
            local,
            peer,
            candidates: candidates.collect(),
            stages: chosen.map(stages).unwrap_or_default(),
            expects_proxy_header: self.expects_proxy_header(local, peer),
        }
    }

    /// The same for every address of ours that `peer` may come in at by `port`, where the address
    /// of ours is not known.
    pub fn explain_receive_at_port(&self, port: u16, peer: IpAddr) -> Vec<ReceiveExplanation<'_>> {
        let peer = peer.to_canonical();
        let enabled = self.receive_connectors().iter().filter(|connector| connector.enabled);
        let mut locals: Vec<SocketAddr> = Vec::new();
        for binding in enabled.flat_map(|connector| &connector.bindings) {
            let ip = match binding.ip() {
                IpAddr::V6(ip) if ip.is_unspecified() && peer.is_ipv4() => {
                    Ipv4Addr::UNSPECIFIED.into()
                }
                ip => ip,
            };
            let local = SocketAddr::new(ip, port);
            let fits = binding.port() == port || binding.port() == 0;
            if fits && ip.is_ipv4() == peer.is_ipv4() && !locals.contains(&local) {
                locals.push(local);
            }
        }
        locals.into_iter().map(|local| self.explain_receive(local, peer)).collect()
    }
}

/// Where a session comes in at a connector, and the narrowest range that it is in.
type View = (Option<SocketAddr>, Option<RemoteRange>);

fn seen_from(connector: &ReceiveConnector, local: SocketAddr, peer: IpAddr) -> View {
    let any_port = SocketAddr::new(local.ip(), 0);
    let fits = |local: SocketAddr| connector.bindings.iter().filter(move |b| covers(b, &local));
    let by_exactness = |binding: &&SocketAddr| binding.ip() == local.ip();
    let binding = fits(local).max_by_key(by_exactness);
    let binding = binding.or_else(|| fits(any_port).max_by_key(by_exactness));
    (binding.copied(), connector.range_of(peer).copied())
}

/// Why a connector was not chosen, in the order in which connectors are compared.
fn lost(
    connector: &ReceiveConnector,
    (binding, range): View,
    winner: Option<(&ReceiveConnector, View)>,
    local: SocketAddr,
) -> LostReason {
    if !connector.enabled {
        return LostReason::Disabled;
    }
    let Some(binding) = binding else { return LostReason::OtherBinding };
    let Some(range) = range else { return LostReason::OutOfRange };
    let Some((winner, (Some(best_binding), Some(best_range)))) = winner else {
        return LostReason::OutOfRange;
    };
    if binding.port() == 0 && best_binding.port() != 0 {
        LostReason::PortOfOthers { binding: best_binding }
    } else if range.width() > best_range.width() {
        LostReason::WiderRange { range, narrower: best_range }
    } else if binding.ip() != local.ip() && best_binding.ip() == local.ip() {
        LostReason::WiderBinding { binding, narrower: best_binding }
    } else {
        LostReason::LaterName { winner: winner.name.clone() }
    }
}

/// What a session at this connector may become.
fn stages(connector: &ReceiveConnector) -> Vec<ReceiveStage> {
    let stage = |principal, proof| ReceiveStage {
        principal,
        proof,
        rights: connector.permissions.rights(principal),
    };
    if connector.auth == ReceiveAuth::ExternalAuthoritative {
        return vec![stage(PrincipalKind::ExternallySecured, "from the greeting on")];
    }
    let begins = match connector.tls {
        ReceiveTls::Required => "from the greeting on, sending under TLS only",
        ReceiveTls::Implicit => "from the greeting on, under TLS",
        _ => "from the greeting on",
    };
    let mut all = vec![stage(PrincipalKind::Anonymous, begins)];
    if connector.tls != ReceiveTls::Off {
        if !connector.partner_domains.is_empty() {
            all.push(stage(PrincipalKind::Partner, "with the certificate of one, under TLS"));
        }
        if !connector.server_domains.is_empty() {
            all.push(stage(PrincipalKind::Server, "with the certificate of one, under TLS"));
        }
    }
    if connector.offers_auth(false) {
        all.push(stage(PrincipalKind::User, "after AUTH, with or without TLS"));
    } else if connector.offers_auth(connector.tls != ReceiveTls::Off) {
        all.push(stage(PrincipalKind::User, "after AUTH under TLS"));
    }
    all
}

/// Which receive connector a peer meets, and why. Prints as text to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceiveExplanation<'c> {
    /// Where the session comes in.
    pub local: SocketAddr,
    /// Whose it is.
    pub peer: IpAddr,
    /// Every receive connector, in the order of the configuration.
    pub candidates: Vec<ReceiveCandidate<'c>>,
    /// What a session may become at the connector that was chosen.
    pub stages: Vec<ReceiveStage>,
    /// Whether the peer is a front end that must say by a PROXY header for whom it connects; the
    /// client that it names is then another question.
    pub expects_proxy_header: bool,
}

impl<'c> ReceiveExplanation<'c> {
    /// The connector that serves the session.
    pub fn chosen(&self) -> Option<&'c ReceiveConnector> {
        self.candidates.iter().find(|one| one.lost.is_none()).map(|one| one.connector)
    }
}

/// A receive connector as a session meets it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceiveCandidate<'c> {
    /// The connector.
    pub connector: &'c ReceiveConnector,
    /// The binding that the session comes in at.
    pub binding: Option<SocketAddr>,
    /// The narrowest of its ranges that the peer is in.
    pub range: Option<RemoteRange>,
    /// Why it was not chosen; none where it was.
    pub lost: Option<LostReason>,
}

/// Why a receive connector does not serve a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LostReason {
    /// It is not enabled.
    Disabled,
    /// Range and binding are as good as the winner's, whose name comes first.
    LaterName {
        /// The winner.
        winner: ConnectorId,
    },
    /// The session comes in at none of its bindings.
    OtherBinding,
    /// The peer is in none of its ranges.
    OutOfRange,
    /// It takes ports that no other serves, and this one has a binding of its own.
    PortOfOthers {
        /// The winner's binding.
        binding: SocketAddr,
    },
    /// Its range is as narrow, but its binding is to any address.
    WiderBinding {
        /// Its binding.
        binding: SocketAddr,
        /// The winner's binding.
        narrower: SocketAddr,
    },
    /// Its range is wider.
    WiderRange {
        /// Its range.
        range: RemoteRange,
        /// The winner's range.
        narrower: RemoteRange,
    },
}

impl fmt::Display for LostReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled => f.write_str("it is not enabled"),
            Self::LaterName { winner } => {
                write!(f, "it is as near as \"{winner}\", whose name comes first")
            }
            Self::OtherBinding => f.write_str("it is not bound there"),
            Self::OutOfRange => f.write_str("the peer is in none of its ranges"),
            Self::PortOfOthers { binding } => {
                write!(f, "it takes ports that no other has, and this one is that of {binding}")
            }
            Self::WiderBinding { binding, narrower } => {
                write!(
                    f,
                    "its range is as narrow, but its binding {binding} is wider than {narrower}"
                )
            }
            Self::WiderRange { range, narrower } => {
                write!(f, "its range {range} is wider than {narrower}")
            }
        }
    }
}

/// What a session may become at a receive connector, and what it may do then.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceiveStage {
    /// What it is.
    pub principal: PrincipalKind,
    /// How it gets there.
    pub proof: &'static str,
    /// What it may do.
    pub rights: Rights,
}

impl fmt::Display for ReceiveStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { principal, proof, rights } = self;
        write!(f, "{principal} {proof}: ")?;
        if !rights.contains(Rights::SUBMIT) {
            return writeln!(f, "may not send\n  ({rights})");
        }
        let any = rights.contains(Rights::ACCEPT_ANY_SENDER);
        let ours = rights.contains(Rights::ACCEPT_AUTHORITATIVE_DOMAIN_SENDER);
        f.write_str(match (any, ours) {
            (true, true) => "may send as anybody",
            (true, false) => "may send as anybody outside the authoritative domains",
            (false, _) => "may send as itself alone",
        })?;
        f.write_str(if rights.contains(Rights::ACCEPT_ANY_RECIPIENT) {
            ", to anywhere"
        } else {
            ", to the accepted domains"
        })?;
        writeln!(f, "\n  ({rights})")
    }
}

impl fmt::Display for ReceiveExplanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { local, peer, .. } = self;
        match self.chosen() {
            Some(connector) => writeln!(f, "{peer} at {local} meets \"{}\".", connector.name)?,
            None => writeln!(f, "{peer} at {local} meets no connector, and gets 421 4.3.2.")?,
        }
        if self.expects_proxy_header {
            writeln!(f, "It must begin with a PROXY header, and the client named there counts.")?;
        }
        for candidate in &self.candidates {
            write!(f, "- \"{}\": ", candidate.connector.name)?;
            match (&candidate.lost, candidate.range, candidate.binding) {
                (Some(lost), ..) => writeln!(f, "{lost}")?,
                (None, Some(range), Some(binding)) => {
                    writeln!(f, "chosen by its range {range} at {binding}")?;
                }
                (None, ..) => writeln!(f, "chosen")?,
            }
        }
        if !self.stages.is_empty() {
            writeln!(f, "It is:")?;
        }
        self.stages.iter().try_for_each(|stage| write!(f, "- {stage}"))
    }
}
