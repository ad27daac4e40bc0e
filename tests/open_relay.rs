//! What lint says of open relays, held against sessions: an anonymous session that gets mail of a
//! stranger to somebody else's domain was told of before, and what was told of can be shown.
#![allow(
    clippy::indexing_slicing,
    clippy::single_match_else,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "tests fail by panic"
)]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use proptest::prelude::*;
use transom::connector::{
    AcceptedDomain, AcceptedDomainKind, CheckedConfiguration, Configuration, LintContext, LintRule,
    PermissionGroup, Permissions, ReceiveAuth, ReceiveConnector, ReceiveProtocol, ReceiveTls,
    RelayStep, RemoteRange, ReplyProfile, Rights,
};
use transom::types::{ForwardPath, Reply};
use transom_smtp::Protocol;
use transom_smtp::codec::Told;
use transom_smtp::server::{Event, Extensions, Output, ServerConfig, ServerSession};

/// One session from connection to RCPT, as a driver lets it run.
struct Probe<'c> {
    config: &'c CheckedConfiguration,
    local: SocketAddr,
    connector: &'c ReceiveConnector,
    client: IpAddr,
    session: ServerSession,
    now: Instant,
    /// What was replied to the last command.
    code: u16,
}

/// Whether the recipient gets 250 in a session that takes these steps; none where it cannot take
/// them.
fn accepts(
    config: &CheckedConfiguration,
    local: SocketAddr,
    steps: &[RelayStep],
    recipient: &ForwardPath,
) -> Option<bool> {
    let (mut probe, further) = Probe::connect(config, local, steps)?;
    probe.greet();
    for step in further {
        let RelayStep::Xclient(client) = step else { return None };
        if !probe.connector.may_xclient(probe.client) {
            return None;
        }
        let prefix = if client.is_ipv6() { "IPV6:" } else { "" };
        let code = probe.say(&format!("XCLIENT ADDR={prefix}{client}\r\n"));
        if code != 220 {
            return None;
        }
        assert_eq!(probe.client, *client);
        probe.greet();
    }
    let mail = probe.say("MAIL FROM:<>\r\n");
    Some(mail == 250 && probe.say(&format!("RCPT TO:{recipient}\r\n")) == 250)
}

impl<'c> Probe<'c> {
    /// The connection, and the steps that are left behind a PROXY header.
    fn connect<'s>(
        config: &'c CheckedConfiguration,
        local: SocketAddr,
        steps: &'s [RelayStep],
    ) -> Option<(Self, &'s [RelayStep])> {
        let [RelayStep::Connect(peer), further @ ..] = steps else { return None };
        // Who connects reaches our address: the families are one, and loopback is not for others.
        let reaches = peer.is_ipv4() == local.is_ipv4();
        if !reaches || (local.ip().is_loopback() && !peer.is_loopback()) {
            return None;
        }
        let (client, further) = match further {
            [RelayStep::Proxy(client), further @ ..] => {
                config.expects_proxy_header(local, *peer).then_some((*client, further))?
            }
            _ => (*peer, further),
        };
        let connector = config.select_receive(local, client)?;
        #[expect(clippy::disallowed_methods, reason = "the session wants some moment")]
        let now = Instant::now();
        let implicit = connector.tls == ReceiveTls::Implicit;
        let session = ServerSession::new(settings(config, connector, client), implicit, now);
        let mut probe = Self { config, local, connector, client, session, now, code: 0 };
        (probe.say("") == 220).then_some((probe, further))
    }

    /// Says who it is, and begins TLS where it is offered.
    fn greet(&mut self) {
        let hello = match self.connector.protocol {
            ReceiveProtocol::Lmtp => "LHLO probe.example\r\n",
            _ => "EHLO probe.example\r\n",
        };
        assert_eq!(self.say(hello), 250);
        if self.say("STARTTLS\r\n") == 220 {
            assert_eq!(self.say(hello), 250);
        }
    }

    /// Says one line and gives the code of the reply.
    fn say(&mut self, line: &str) -> u16 {
        let (mut input, mut out) = (line.as_bytes(), Vec::new());
        loop {
            let step = self.session.poll(self.now, input, &mut out);
            let consumed = step.consumed;
            let mut tls = false;
            match step.output {
                Output::Event(event) => self.answer(event),
                Output::StartTls => tls = true,
                Output::Pause(until) => self.now = until,
                Output::Wait(_) | Output::Close(_) => break,
                _ => {}
            }
            input = &input[consumed..];
            if tls {
                self.session.handle_tls_established(self.now);
            }
        }
        if out.len() >= 3 {
            let text = str::from_utf8(&out).unwrap();
            let last = text.lines().next_back().unwrap();
            self.code = last[..3].parse().unwrap();
        }
        self.code
    }

    fn answer(&mut self, event: Event) {
        let kind = self.connector.principal_kind(false, &[""; 0]);
        let rights = self.connector.permissions.rights(kind);
        let refusal = match event {
            Event::Mail { reverse_path, .. } => {
                self.config.accepts_sender(rights, &reverse_path, false).err()
            }
            Event::Rcpt { forward_path, .. } => {
                self.config.accepts_recipient(self.connector, rights, &forward_path).err()
            }
            Event::Xclient { attributes } => return self.xclient(attributes.address),
            _ => None,
        };
        if let Some(refusal) = refusal {
            self.session.respond(refusal.reply(ReplyProfile::Plain)).unwrap();
        } else {
            self.session.accept().unwrap();
        }
    }

    fn xclient(&mut self, address: Option<Told<IpAddr>>) {
        let client = address.and_then(Told::known).unwrap();
        match self.config.select_receive(self.local, client) {
            Some(connector) => {
                (self.connector, self.client) = (connector, client);
                let settings = settings(self.config, connector, client);
                self.session.restart(settings, None).unwrap();
            }
            None => {
                let reply = Reply::bare("550".parse().unwrap(), "Nobody serves this client");
                self.session.respond(reply).unwrap();
            }
        }
    }
}

fn settings(
    config: &CheckedConfiguration,
    connector: &ReceiveConnector,
    client: IpAddr,
) -> Arc<ServerConfig> {
    let starttls = matches!(connector.tls, ReceiveTls::Offered | ReceiveTls::Required);
    let extensions =
        Extensions::default().with_starttls(starttls).with_xclient(connector.may_xclient(client));
    let protocol = match connector.protocol {
        ReceiveProtocol::Lmtp => Protocol::Lmtp,
        _ => Protocol::Smtp,
    };
    let demands = matches!(connector.tls, ReceiveTls::Required | ReceiveTls::Implicit);
    let settings = ServerConfig::new(config.receive_fqdn(connector).clone())
        .with_protocol(protocol)
        .with_extensions(extensions)
        .with_require_tls(demands);
    Arc::new(settings)
}

/// Whether an address may be a stranger's, told by the standard library: an oracle that shares no
/// code with what it judges.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let special = ip.is_private() || ip.is_loopback() || ip.is_link_local();
            !(special || shared || a == 0 || a >= 224)
        }
        IpAddr::V6(ip) => {
            let [a, b, ..] = ip.segments();
            let own = ip.is_unique_local() || ip.is_unicast_link_local() || a & 0xffc0 == 0xfec0;
            !(own || ip.is_multicast() || (a == 0 && b == 0))
        }
    }
}

/// Whether a recipient is somebody else's: in no accepted domain, or in one for the sake of a
/// whole top level.
fn is_foreign(config: &CheckedConfiguration, recipient: &ForwardPath) -> bool {
    let Some(mailbox) = recipient.mailbox() else { return false };
    let text = mailbox.to_string();
    let domain = text.rsplit('@').next().unwrap();
    let ours = config.accepted_domains().iter().filter(|entry| entry.domain.as_str() != "com");
    let mut ours = ours.map(|entry| (entry.domain.as_str(), entry.match_subdomains));
    !ours.any(|(own, below)| domain == own || (below && domain.ends_with(&format!(".{own}"))))
}

const ADDRESSES: [&str; 12] = [
    "203.0.113.7",
    "203.0.113.200",
    "198.51.100.9",
    "10.1.2.3",
    "10.200.0.1",
    "192.168.0.1",
    "127.0.0.1",
    "100.64.0.1",
    "2001:db8::7",
    "2001:db8:1::9",
    "fd00::1",
    "::1",
];

const RANGES: [&str; 16] = [
    "0.0.0.0/0",
    "::/0",
    "10.0.0.0/8",
    "10.1.0.0/16",
    "127.0.0.0/8",
    "203.0.113.0/24",
    "203.0.113.128/25",
    "203.0.113.7",
    "198.51.100.9",
    "198.51.100.0/24",
    "9.255.255.255-11.0.0.0",
    "192.168.0.1",
    "2001:db8::/32",
    "2001:db8::7",
    "fd00::/8",
    "::1",
];

const BINDINGS: [&str; 7] = [
    "0.0.0.0:25",
    "[::]:25",
    "192.0.2.25:25",
    "127.0.0.1:25",
    "127.0.0.1:24",
    "0.0.0.0:0",
    "[::1]:25",
];

const LOCALS: [&str; 9] = [
    "192.0.2.25:25",
    "192.0.2.77:25",
    "127.0.0.1:25",
    "127.0.0.1:24",
    "192.0.2.25:0",
    "127.0.0.1:0",
    "[2001:db8::25]:25",
    "[::1]:25",
    "[2001:db8::25]:24",
];

const RECIPIENTS: [&str; 7] = [
    "<bob@contoso.com>",
    "<bob@a.contoso.com>",
    "<bob@elsewhere.example>",
    "<bob@a.com>",
    "<bob@fabrikam.example>",
    "<bob@[192.0.2.1]>",
    "<Postmaster>",
];

fn one_of<T: std::str::FromStr<Err: std::fmt::Debug> + std::fmt::Debug>(
    texts: &'static [&'static str],
) -> impl Strategy<Value = T> {
    prop::sample::select(texts).prop_map(|text| text.parse().unwrap())
}

fn networks() -> impl Strategy<Value = Vec<RemoteRange>> {
    prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(one_of(&RANGES[2..]), 1..3)]
}

fn permissions() -> impl Strategy<Value = Permissions> {
    let relay = Rights::ANONYMOUS_USERS | Rights::ACCEPT_ANY_RECIPIENT;
    prop_oneof![
        4 => Just(Permissions::anonymous_users()),
        3 => Just(Permissions::none().with_anonymous(relay)),
        1 => Just(Permissions::none()),
        1 => Just(Permissions::none().with_anonymous(Rights::ACCEPT_ANY_RECIPIENT)),
        1 => Just(Permissions::none().with_group(PermissionGroup::ExchangeServers)),
        1 => Just(Permissions::none().with_group(PermissionGroup::ExchangeUsers)),
    ]
}

fn receive_connector() -> impl Strategy<Value = ReceiveConnector> {
    let places = (
        prop::collection::vec(one_of::<SocketAddr>(&BINDINGS), 1..3),
        prop::collection::vec(one_of::<RemoteRange>(&RANGES), 1..3),
        networks(),
        networks(),
    );
    let tls = prop::sample::select(vec![
        ReceiveTls::Off,
        ReceiveTls::Off,
        ReceiveTls::Offered,
        ReceiveTls::Required,
        ReceiveTls::Implicit,
    ]);
    let auth = prop::sample::select(vec![
        ReceiveAuth::Off,
        ReceiveAuth::Off,
        ReceiveAuth::ExternalAuthoritative,
        ReceiveAuth::DangerClear,
    ]);
    let flags = any::<[bool; 3]>();
    (places, permissions(), tls, auth, flags, 0u8..8).prop_map(
        |((bindings, ranges, proxy, xclient), permissions, tls, auth, flags, rare)| {
            let mut connector = ReceiveConnector::internet(bindings[0])
                .with_remote_ranges(ranges)
                .with_permissions(permissions)
                .with_tls(tls)
                .with_auth(auth)
                .with_reject_reserved_top_level(flags[0])
                .with_reject_reserved_second_level(flags[1])
                .with_reject_single_label(flags[2])
                .with_proxy_networks(proxy)
                .with_xclient_networks(xclient)
                .with_enabled(rare != 0)
                .danger_open_relay(rare == 2);
            connector.bindings = bindings;
            if rare == 1 {
                connector = connector.with_protocol(ReceiveProtocol::Lmtp);
            }
            connector
        },
    )
}

fn accepted_domain() -> impl Strategy<Value = AcceptedDomain> {
    let domain =
        prop::sample::select(vec!["contoso.com", "*.contoso.com", "*.com", "*.example", "com"]);
    let kind = prop::sample::select(vec![
        AcceptedDomainKind::Authoritative,
        AcceptedDomainKind::InternalRelay,
        AcceptedDomainKind::ExternalRelay,
    ]);
    (domain, kind).prop_map(|(domain, kind)| {
        let mut accepted = AcceptedDomain::authoritative(domain).unwrap();
        accepted.kind = kind;
        accepted
    })
}

/// Takes one after the other what does not make the configuration invalid.
fn configuration() -> impl Strategy<Value = CheckedConfiguration> {
    let connectors = prop::collection::vec(receive_connector(), 1..6);
    let domains = prop::collection::vec(accepted_domain(), 0..3);
    (connectors, domains).prop_map(|(connectors, domains)| {
        let mut all = Configuration::new("mx.contoso.com".parse().unwrap());
        let valid = |wider: &Configuration| wider.clone().check().is_ok();
        for domain in domains {
            let wider = all.clone().with_accepted_domain(domain);
            all = if valid(&wider) { wider } else { all };
        }
        for (at, connector) in connectors.into_iter().enumerate() {
            let named = connector.with_name(&at.to_string());
            let wider = all.clone().with_receive_connector(named);
            all = if valid(&wider) { wider } else { all };
        }
        all.check().unwrap()
    })
}

/// A session that the configuration allows, by the choices of a die: who connects, perhaps a client
/// that it names by PROXY, and perhaps clients that it names by XCLIENT. Whoever may name others is
/// more likely than the rest.
fn walk(config: &CheckedConfiguration, local: SocketAddr, dice: [usize; 4]) -> Vec<RelayStep> {
    let addresses = ADDRESSES.map(|text| text.parse::<IpAddr>().unwrap());
    let met = |ip: IpAddr| config.select_receive(local, ip);
    let xclient = |ip: IpAddr| met(ip).is_some_and(|connector| connector.may_xclient(ip));
    let proxy = |ip: IpAddr| config.expects_proxy_header(local, ip);
    let pick = |die: usize| {
        let naming: Vec<_> =
            addresses.iter().filter(|ip| proxy(**ip) || xclient(**ip)).copied().collect();
        let names = die.is_multiple_of(2) && !naming.is_empty();
        let among = if names { &naming[..] } else { &addresses[..] };
        among[die / 2 % among.len()]
    };
    let mut client = pick(dice[0]);
    let mut steps = vec![RelayStep::Connect(client)];
    if proxy(client) && !dice[1].is_multiple_of(4) {
        client = pick(dice[1] / 4);
        steps.push(RelayStep::Proxy(client));
    }
    for die in &dice[2..] {
        if xclient(client) && die % 4 != 0 {
            client = pick(die / 4);
            steps.push(RelayStep::Xclient(client));
        }
    }
    steps
}

fn has_stranger(steps: &[RelayStep]) -> bool {
    steps.iter().any(|step| is_public(step.client()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    // A33
    #[test]
    fn no_stranger_relays_without_lint_having_said_so(
        config in configuration(),
        sessions in prop::collection::vec(
            (one_of::<SocketAddr>(&LOCALS), any::<[usize; 4]>(), one_of(&RECIPIENTS)),
            64,
        ),
    ) {
        let findings = config.lint(&LintContext::default());
        let told = findings.iter().any(|finding| finding.rule == LintRule::OpenRelay);
        for (local, dice, recipient) in sessions {
            let steps = walk(&config, local, dice);
            let recipient: ForwardPath = recipient;
            let relayed = accepts(&config, local, &steps, &recipient) == Some(true)
                && has_stranger(&steps)
                && is_foreign(&config, &recipient);
            prop_assert!(told || !relayed, "{steps:?} at {local} to {recipient}");
        }
    }

    // A33
    #[test]
    fn every_open_relay_that_lint_tells_of_can_be_shown(config in configuration()) {
        for finding in config.lint(&LintContext::default()) {
            if finding.rule != LintRule::OpenRelay {
                prop_assert!(finding.witness.is_none());
                continue;
            }
            let witness = finding.witness.as_ref().unwrap();
            prop_assert!(has_stranger(&witness.steps), "{finding}");
            prop_assert!(is_foreign(&config, &witness.recipient), "{finding}");
            let shown = accepts(&config, witness.local, &witness.steps, &witness.recipient);
            prop_assert_eq!(shown, Some(true), "{}", finding);
        }
    }
}
