//! Each mechanism, spoken by our client to our server, in TLS and cut into any pieces.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use transom_smtp::client::{ClientConfig, ClientEvent, ClientOutput, ClientSession, CloseReason};
use transom_smtp::codec::HelloName;
use transom_smtp::sasl::{AuthOffer, Channel, Credentials, Nonce, Question, Verdict};
use transom_smtp::server::{
    Event, Extensions, Notice, Output, ServerConfig, ServerLimits, ServerSession,
};
#[cfg(feature = "scram")]
use transom_types::scram::ScramVerifier;
use transom_types::{AttemptStage, Principal, RemoteHost, Secret};

/// A password that would show in any log it got into.
const PASSWORD: &[u8] = b"correct-horse-battery";
const TOKEN: &[u8] = b"ya29.correct-horse";

pub(crate) fn user() -> Principal {
    Principal::new("relay").unwrap()
}

/// What is kept of the password.
fn verifier(user: &str) -> Verdict {
    let nonce = Nonce::new(*b"a nonce of server!");
    #[cfg(feature = "scram")]
    if user == "relay" {
        let password = Secret::new(PASSWORD);
        let verifier = ScramVerifier::derive(&password, b"0123456789abcdef", 4096).unwrap();
        return Verdict::Verifier { known: Some((verifier, self::user())), nonce };
    }
    panic!("nobody asks for the verifier of {user} with {nonce:?}")
}

fn verdict(question: &Question) -> Verdict {
    let right = match question {
        Question::Password { user, password, .. } => {
            user == "relay" && *password == Secret::new(PASSWORD)
        }
        Question::Token { token, .. } => *token == Secret::new(TOKEN),
        Question::External { identity, .. } => identity == "relay.example",
        Question::ScramVerifier { user, .. } => return verifier(user),
        other => panic!("{other:?}"),
    };
    if right { Verdict::Granted(user()) } else { Verdict::Denied }
}

/// How a session went.
#[derive(Debug, PartialEq, Eq)]
struct End {
    /// Whom the server took the client for when that was ready.
    principal: Option<Principal>,
    client: Option<CloseReason>,
    /// All that `Debug` and the application saw, for secrets.
    log: String,
    /// The command lines of AUTH, up to the mechanism.
    mechanism: String,
}

struct Talk {
    credentials: Credentials,
    offer: AuthOffer,
    client_channel: Channel,
    server_channel: Channel,
    starttls: bool,
    pieces: usize,
}

impl Talk {
    fn new(credentials: Credentials, offer: AuthOffer) -> Self {
        let channel = Channel::default();
        Self {
            credentials,
            offer,
            client_channel: channel.clone(),
            server_channel: channel,
            starttls: true,
            pieces: usize::MAX,
        }
    }

    fn over(self, channel: &Channel) -> Self {
        Self { client_channel: channel.clone(), server_channel: channel.clone(), ..self }
    }

    fn run(&self) -> End {
        #[expect(clippy::disallowed_methods, reason = "an origin for instants; no test waits")]
        let mut now = Instant::now();
        let config = ServerConfig::new("mx.example".parse().unwrap())
            .with_extensions(Extensions::default().with_starttls(self.starttls))
            .with_limits(ServerLimits::default().with_auth_tarpit_interval(Duration::from_secs(5)))
            .with_auth(self.offer.clone());
        let mut server = ServerSession::new(Arc::new(config), false, now);
        let remote = RemoteHost { name: "mx.example".into(), address: None };
        let name = HelloName::new("client.example").unwrap().into_owned();
        let config = ClientConfig::new(name, remote)
            .with_credentials(self.credentials.clone())
            .with_nonce(Nonce::new(*b"a nonce of client!"));
        let mut end = End {
            principal: None,
            client: None,
            log: format!("{config:?}"),
            mechanism: String::new(),
        };
        let mut client = ClientSession::new(config, now);
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        loop {
            let step = client.poll(now, &to_client, &mut to_server);
            to_client.drain(..step.consumed);
            match step.output {
                ClientOutput::Event(ClientEvent::Ready) => {
                    assert!(client.is_authenticated());
                    end.principal = server.principal().cloned();
                    client.quit(now, &mut to_server);
                }
                ClientOutput::StartTls => {
                    client.handle_tls_established(now);
                    client.set_channel(self.client_channel.clone());
                }
                ClientOutput::Wait(_) => {
                    if let Some(line) = str::from_utf8(&to_server).unwrap().strip_prefix("AUTH ") {
                        let word = line.split_ascii_whitespace().next();
                        end.mechanism = word.unwrap().into();
                    }
                    let said = std::mem::take(&mut to_server);
                    self.serve(&mut server, &mut now, &said, &mut to_client, &mut end.log);
                }
                ClientOutput::Close(close) => {
                    let _ = write!(end.log, "{close:?}");
                    end.client = Some(close.reason);
                    return end;
                }
                other => panic!("{other:?}"),
            }
            let _ = write!(end.log, "{client:?}{server:?}");
        }
    }

    fn serve(
        &self,
        server: &mut ServerSession,
        now: &mut Instant,
        said: &[u8],
        back: &mut Vec<u8>,
        log: &mut String,
    ) {
        let mut pieces = said.chunks(self.pieces).peekable();
        let mut unread = Vec::new();
        loop {
            let step = server.poll(*now, &unread, back);
            let consumed = step.consumed;
            let _ = write!(log, "{:?}", step.output);
            match step.output {
                Output::Event(Event::Authenticate(question)) => {
                    let verdict = verdict(&question);
                    let _ = write!(log, "{verdict:?}");
                    server.authenticate(verdict).unwrap();
                }
                Output::Event(_) => server.accept().unwrap(),
                Output::StartTls => {
                    server.handle_tls_established(*now);
                    server.set_channel(self.server_channel.clone());
                    return;
                }
                Output::Wait(deadline) => {
                    unread.drain(..consumed);
                    if let Some(piece) = pieces.next() {
                        unread.extend_from_slice(piece);
                    } else if back.is_empty() {
                        *now = deadline.expect("both sides wait");
                    } else {
                        return;
                    }
                    continue;
                }
                Output::Close(_) => return,
                Output::Notice(Notice::Authenticated) => assert!(server.principal().is_some()),
                Output::Notice(_) => assert!(server.principal().is_none()),
                other => panic!("{other:?}"),
            }
            unread.drain(..consumed);
        }
    }
}

fn password(octets: &[u8]) -> Credentials {
    Credentials::password(user(), Secret::new(octets))
}

fn token(octets: &[u8]) -> Credentials {
    Credentials::token(user(), Secret::new(octets))
}

fn offers() -> Vec<(&'static str, AuthOffer)> {
    use transom_smtp::sasl::{Login, OauthBearer, Plain, XOauth2};
    let one = AuthOffer::default;
    vec![
        ("PLAIN", one().with_mechanism(Arc::new(Plain))),
        ("LOGIN", one().with_mechanism(Arc::new(Login))),
        ("OAUTHBEARER", one().with_mechanism(Arc::new(OauthBearer))),
        ("XOAUTH2", one().with_mechanism(Arc::new(XOauth2))),
        #[cfg(feature = "scram")]
        ("SCRAM-SHA-256", one().with_passwords().with_scram(&Secret::new(*b"decoys"))),
    ]
}

fn credentials_for(mechanism: &str, right: bool) -> Credentials {
    match mechanism {
        "OAUTHBEARER" | "XOAUTH2" => token(if right { TOKEN } else { b"stale" }),
        _ => password(if right { PASSWORD } else { b"wrong" }),
    }
}

#[test]
fn each_mechanism_logs_in_whatever_the_pieces() {
    for (name, offer) in offers() {
        for pieces in [usize::MAX, 1, 3, 7] {
            let credentials = credentials_for(name, true);
            let talk = Talk { pieces, ..Talk::new(credentials, offer.clone()) };
            let end = talk.run();
            assert_eq!(end.mechanism, name);
            assert_eq!(end.principal, Some(user()), "{name}");
            assert_eq!(end.client, Some(CloseReason::Quit), "{name}");
        }
    }
}

#[test]
fn external_logs_in_by_the_certificate() {
    let channel = Channel::default().with_external_identity("relay.example");
    let offer = AuthOffer::default().with_external();
    let end = Talk::new(Credentials::external(), offer.clone()).over(&channel).run();
    assert_eq!((end.principal, end.client), (Some(user()), Some(CloseReason::Quit)));
    // Without a certificate it is not even offered.
    let end = Talk::new(Credentials::external(), offer).run();
    assert_eq!(end.client, Some(CloseReason::NoMechanism));
}

#[test]
fn wrong_credentials_end_the_session_by_name() {
    for (name, offer) in offers() {
        let end = Talk::new(credentials_for(name, false), offer).run();
        assert_eq!(end.mechanism, name);
        let refused = (None, Some(CloseReason::CredentialsRefused));
        assert_eq!((end.principal, end.client), refused, "{name}");
    }
}

#[test]
fn no_secret_is_in_any_output_of_a_session() {
    let encoded = |secret: &[u8]| {
        let mut text = String::new();
        // Any three octets in a row would show as four of base64, at one of three places.
        for at in 0..3 {
            text = format!("{text}{}\n", base64(secret.get(at..at + 9).unwrap()));
        }
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    for (name, offer) in offers() {
        let end = Talk::new(credentials_for(name, true), offer).run();
        assert!(end.log.len() > 1000, "{name}");
        for secret in [PASSWORD, TOKEN] {
            let text = str::from_utf8(secret).unwrap();
            assert!(!end.log.contains(text), "{name}");
            let octets = format!("{:?}", secret.get(..8).unwrap());
            let octets = octets.trim_matches(['[', ']']).to_owned();
            assert!(!end.log.contains(&octets), "{name}");
            for text in encoded(secret) {
                assert!(!end.log.contains(&text), "{name}: {text}");
            }
        }
    }
}

/// Base64 of a multiple of three octets.
fn base64(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in octets.chunks(3) {
        let number = three.iter().fold(0usize, |number, &octet| number * 256 + usize::from(octet));
        for shift in [18, 12, 6, 0] {
            text.push(char::from(DIGITS[(number >> shift) % 64]));
        }
    }
    text
}

#[test]
fn credentials_do_not_go_out_without_tls() {
    let offer = AuthOffer::default().with_passwords().danger_offer_plaintext_auth_without_tls(true);
    let talk = Talk { starttls: false, ..Talk::new(password(PASSWORD), offer.clone()) };
    let end = talk.run();
    assert_eq!((end.mechanism.as_str(), end.client), ("", Some(CloseReason::NoMechanism)));
    let danger = password(PASSWORD).danger_use_without_tls(true);
    let end = Talk { starttls: false, ..Talk::new(danger, offer) }.run();
    assert_eq!((end.mechanism.as_str(), end.principal), ("PLAIN", Some(user())));
}

#[test]
fn stages_of_a_login_have_a_name() {
    assert_eq!(AttemptStage::Auth.to_string(), "AUTH");
}

#[cfg(feature = "scram")]
#[test]
fn strongest_mechanism_that_is_possible_is_used() {
    let offer = AuthOffer::default().with_passwords().with_scram(&Secret::new(*b"decoys"));
    let bound = Channel::default().with_tls_exporter([9; 32]);
    let end = Talk::new(password(PASSWORD), offer.clone()).over(&bound).run();
    assert_eq!((end.mechanism.as_str(), end.principal), ("SCRAM-SHA-256-PLUS", Some(user())));
    // Somebody between both, with a TLS session of his own to each.
    let other = Channel::default().with_tls_exporter([8; 32]);
    let talk = Talk { client_channel: other, ..Talk::new(password(PASSWORD), offer).over(&bound) };
    assert_eq!(talk.run().client, Some(CloseReason::CredentialsRefused));
}
