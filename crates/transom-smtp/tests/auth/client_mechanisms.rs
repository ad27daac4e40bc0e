//! Which mechanism a client uses: one row for each set that is offered and each thing it knows.

use std::time::Instant;

#[cfg(feature = "scram")]
use base64::Engine as _;
#[cfg(feature = "scram")]
use base64::engine::general_purpose::STANDARD;
use transom_smtp::client::{
    ClientConfig, ClientEvent, ClientOutput, ClientSession, ClientTls, CloseReason,
};
use transom_smtp::codec::HelloName;
use transom_smtp::sasl::{Channel, Credentials, Nonce};
use transom_types::{RemoteHost, Secret};

use super::client_server::user;

/// What the client holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Password,
    Token,
    Certificate,
    Nothing,
}

impl Held {
    const ALL: [Self; 4] = [Self::Password, Self::Token, Self::Certificate, Self::Nothing];

    fn credentials(self) -> Option<Credentials> {
        match self {
            Self::Password => Some(Credentials::password(user(), Secret::new(*b"secret"))),
            Self::Token => Some(Credentials::token(user(), Secret::new(*b"ya29.token"))),
            Self::Certificate => Some(Credentials::external()),
            Self::Nothing => None,
        }
    }
}

/// The connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Clear,
    Tls,
    /// TLS that tells a channel binding.
    BoundTls,
}

/// What the client does: the line of its AUTH, or that it goes on without, or why it ends.
#[derive(Debug, PartialEq, Eq)]
enum Does {
    Auth(String),
    GoesOn,
    Ends(CloseReason),
}

fn does(offered: &str, credentials: Option<Credentials>, link: Link, nonce: bool) -> Does {
    #[expect(clippy::disallowed_methods, reason = "an origin for instants; no test waits")]
    let now = Instant::now();
    let remote = RemoteHost { name: "mx.example".into(), address: None };
    let name = HelloName::new("client.example").unwrap().into_owned();
    let mut config = ClientConfig::new(name, remote)
        .with_tls(ClientTls::Never)
        .with_implicit_tls(link != Link::Clear);
    config.credentials = credentials;
    config.nonce = nonce.then(|| Nonce::new([1; 18]));
    let mut client = ClientSession::new(config, now);
    if link == Link::BoundTls {
        client.set_channel(Channel::default().with_tls_exporter([2; 32]));
    }
    let ehlo = format!("250-mx\r\n250 AUTH {offered}\r\n");
    let mut replies = ["220 mx.example\r\n", ehlo.as_str()].into_iter();
    let (mut unread, mut out) = (Vec::new(), Vec::new());
    loop {
        let step = client.poll(now, &unread, &mut out);
        unread.drain(..step.consumed);
        match step.output {
            ClientOutput::Event(ClientEvent::Ready) => return Does::GoesOn,
            ClientOutput::Close(close) => {
                assert!(!String::from_utf8(out).unwrap().contains("AUTH"));
                return Does::Ends(close.reason);
            }
            ClientOutput::Wait(_) => {
                let Some(reply) = replies.next() else {
                    let said = String::from_utf8(out).unwrap();
                    let command = said.lines().last().unwrap().strip_prefix("AUTH ");
                    return Does::Auth(command.unwrap().to_owned());
                };
                unread.extend_from_slice(reply.as_bytes());
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The mechanism alone.
fn chosen(offered: &str, held: Held, link: Link, nonce: bool) -> Result<String, CloseReason> {
    match does(offered, held.credentials(), link, nonce) {
        Does::Auth(command) => Ok(command.split(' ').next().unwrap().to_owned()),
        Does::GoesOn => Ok(String::new()),
        Does::Ends(reason) => Err(reason),
    }
}

const ALL: &str =
    "LOGIN PLAIN XOAUTH2 OAUTHBEARER EXTERNAL SCRAM-SHA-256 SCRAM-SHA-256-PLUS NTLM GSSAPI";

// [RFC 4954 §4-t, §8-a] test
#[cfg(feature = "scram")]
#[test]
fn strongest_mechanism_that_both_sides_have_is_used() {
    use Held::{Certificate, Nothing, Password, Token};
    use Link::{BoundTls, Tls};
    for (offered, held, link, nonce, mechanism) in [
        (ALL, Password, BoundTls, true, "SCRAM-SHA-256-PLUS"),
        (ALL, Password, Tls, true, "SCRAM-SHA-256"),
        (ALL, Password, BoundTls, false, "PLAIN"),
        (ALL, Password, Tls, false, "PLAIN"),
        ("SCRAM-SHA-256-PLUS", Password, BoundTls, true, "SCRAM-SHA-256-PLUS"),
        ("SCRAM-SHA-256-PLUS PLAIN", Password, Tls, true, "PLAIN"),
        ("PLAIN LOGIN", Password, BoundTls, true, "PLAIN"),
        ("LOGIN PLAIN", Password, Tls, true, "PLAIN"),
        ("LOGIN", Password, Tls, true, "LOGIN"),
        ("plain", Password, Tls, true, "PLAIN"),
        ("scram-sha-256 LOGIN", Password, Tls, true, "SCRAM-SHA-256"),
        (ALL, Token, Tls, true, "OAUTHBEARER"),
        ("XOAUTH2 PLAIN", Token, Tls, false, "XOAUTH2"),
        (ALL, Certificate, Tls, true, "EXTERNAL"),
        (ALL, Nothing, Tls, true, ""),
        ("", Nothing, Tls, true, ""),
    ] {
        let does = chosen(offered, held, link, nonce);
        assert_eq!(does.as_deref(), Ok(mechanism), "{offered}, {held:?}, {link:?}, {nonce}");
    }
    for (offered, held, nonce) in [
        ("SCRAM-SHA-256", Password, false),
        ("SCRAM-SHA-256-PLUS", Password, true),
        ("PLAIN LOGIN SCRAM-SHA-256", Token, true),
        ("PLAIN XOAUTH2", Certificate, true),
        ("OAUTHBEARER EXTERNAL", Password, true),
        ("NTLM GSSAPI CRAM-MD5", Password, true),
        ("", Password, true),
    ] {
        let does = chosen(offered, held, Tls, nonce);
        assert_eq!(does, Err(CloseReason::NoMechanism), "{offered}, {held:?}, {nonce}");
    }
}

/// Every set of the mechanisms that this crate knows.
fn every_offer() -> Vec<String> {
    let names: Vec<&str> = ALL.split(' ').take(7).collect();
    let set = |bits: u32| -> String {
        let has = |at: usize| bits & (1 << at) != 0;
        let chosen = names.iter().enumerate().filter(|(at, _)| has(*at));
        chosen.map(|(_, name)| *name).collect::<Vec<_>>().join(" ")
    };
    (0..1 << names.len()).map(set).collect()
}

// [RFC 4954 §9-b] test
// [RFC 7628 §4-a] test
#[test]
fn nothing_that_one_could_log_in_with_goes_out_in_the_clear() {
    for offered in every_offer() {
        for held in [Held::Password, Held::Token, Held::Certificate] {
            let does = chosen(&offered, held, Link::Clear, true);
            assert_eq!(does, Err(CloseReason::NoMechanism), "{offered}, {held:?}");
        }
    }
    // Only who says so gets it.
    let credentials = Held::Password.credentials().unwrap().danger_use_without_tls(true);
    let does = does("PLAIN", Some(credentials), Link::Clear, true);
    assert_eq!(does, Does::Auth("PLAIN AHJlbGF5AHNlY3JldA==".to_owned()));
}

#[test]
fn choice_is_among_the_offers_and_no_weaker_one_is_taken() {
    // Strongest first, with what each needs.
    let ranks = [
        ("SCRAM-SHA-256-PLUS", Held::Password),
        ("SCRAM-SHA-256", Held::Password),
        ("PLAIN", Held::Password),
        ("LOGIN", Held::Password),
        ("OAUTHBEARER", Held::Token),
        ("XOAUTH2", Held::Token),
        ("EXTERNAL", Held::Certificate),
    ];
    let settings =
        Held::ALL.into_iter().flat_map(|held| [(held, Link::Tls), (held, Link::BoundTls)]);
    for offered in every_offer() {
        for (held, link) in settings.clone() {
            let has = |name: &str| offered.split(' ').any(|offer| offer == name);
            let is_possible = |name: &str| match name {
                "SCRAM-SHA-256-PLUS" => cfg!(feature = "scram") && link == Link::BoundTls,
                "SCRAM-SHA-256" => cfg!(feature = "scram"),
                _ => true,
            };
            let usable =
                |(name, needs): &&(&str, Held)| *needs == held && has(name) && is_possible(name);
            let best = ranks.iter().find(usable).map(|(name, _)| (*name).to_owned());
            let expected = match (held, best) {
                (Held::Nothing, _) => Ok(String::new()),
                (_, Some(name)) => Ok(name),
                (_, None) => Err(CloseReason::NoMechanism),
            };
            assert_eq!(chosen(&offered, held, link, true), expected, "{offered}, {link:?}");
        }
    }
}

// [RFC 5802 §6-b, §6-d] test
#[cfg(feature = "scram")]
#[test]
fn client_says_in_its_first_message_that_it_could_have_bound_the_channel() {
    for (offered, link, header) in [
        ("SCRAM-SHA-256-PLUS SCRAM-SHA-256", Link::BoundTls, "p=tls-exporter,,"),
        // Somebody may have taken -PLUS out of the offer: the server, who knows, ends it then.
        ("SCRAM-SHA-256", Link::BoundTls, "y,,"),
        ("SCRAM-SHA-256", Link::Tls, "n,,"),
        ("SCRAM-SHA-256-PLUS SCRAM-SHA-256", Link::Tls, "n,,"),
    ] {
        let does = does(offered, Held::Password.credentials(), link, true);
        let Does::Auth(command) = does else { panic!("{does:?}") };
        let first = STANDARD.decode(command.split(' ').next_back().unwrap()).unwrap();
        assert!(first.starts_with(header.as_bytes()), "{offered}, {link:?}: {first:?}");
    }
}

// [RFC 4954 §4-a, §4-h] test
#[test]
fn empty_first_response_is_an_equals_sign() {
    let does = does("EXTERNAL", Held::Certificate.credentials(), Link::Tls, true);
    assert_eq!(does, Does::Auth("EXTERNAL =".to_owned()));
}
