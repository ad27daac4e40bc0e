//! Who a server session takes its client for, and what an exchange may not do to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use transom_smtp::sasl::{AuthOffer, Nonce, Question, Verdict};
use transom_smtp::server::{
    ApiMisuse, Close, Event, Extensions, Notice, Output, ServerConfig, ServerSession,
};
use transom_types::{Principal, Reply, Secret};

const GOOD: &str = "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n";
const BAD: &str = "AUTH PLAIN AGFsaWNlAHdyb25n\r\n";

fn config() -> Arc<ServerConfig> {
    let offer = AuthOffer::default().with_passwords().danger_offer_plaintext_auth_without_tls(true);
    let config = ServerConfig::new("mx.example".parse().unwrap());
    let limits = config.limits.with_error_delay(Duration::ZERO, Duration::ZERO);
    Arc::new(
        config
            .with_extensions(Extensions::default().with_starttls(true))
            .with_auth(offer)
            .with_limits(limits),
    )
}

struct Driver {
    session: ServerSession,
    now: Instant,
    out: Vec<u8>,
    closed: Option<Close>,
    handshakes: u32,
}

impl Driver {
    fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "an origin for instants; no test waits")]
        let now = Instant::now();
        let session = ServerSession::new(config(), false, now);
        let mut driver = Self { session, now, out: Vec::new(), closed: None, handshakes: 0 };
        driver.say("");
        driver
    }

    /// Sends, lets delays pass, and gives the last line that was said.
    fn say(&mut self, text: &str) -> String {
        let mut unread = text.as_bytes();
        loop {
            let step = self.session.poll(self.now, unread, &mut self.out);
            unread = unread.get(step.consumed..).unwrap_or_default();
            match step.output {
                Output::Event(Event::Authenticate(Question::Password { password, .. })) => {
                    let verdict = if password == Secret::new(*b"secret") {
                        Verdict::Granted(Principal::new("alice").unwrap())
                    } else {
                        Verdict::Denied
                    };
                    self.session.authenticate(verdict).unwrap();
                }
                Output::Event(_) => self.session.accept().unwrap(),
                Output::Notice(Notice::AuthenticationFailed) => {
                    self.now += Duration::from_secs(5);
                }
                Output::StartTls => {
                    self.handshakes += 1;
                    self.session.handle_tls_established(self.now);
                    unread = &[];
                }
                Output::Pause(until) => self.now = until,
                Output::Wait(_) => break,
                Output::Close(why) => {
                    self.closed = Some(why);
                    break;
                }
                _ => {}
            }
        }
        let said = String::from_utf8(std::mem::take(&mut self.out)).unwrap();
        said.lines().last().unwrap_or_default().to_owned()
    }
}

#[test]
fn principal_comes_with_235_and_with_nothing_else() {
    let mut driver = Driver::new();
    driver.say("EHLO c.example\r\n");
    assert_eq!(driver.say(BAD), "535 5.7.8 Authentication unsuccessful");
    assert_eq!(driver.session.principal(), None);
    assert_eq!(driver.say(GOOD), "235 2.7.0 Authentication successful");
    assert_eq!(driver.session.principal().map(Principal::as_str), Some("alice"));
    driver.say("RSET\r\nNOOP\r\n");
    driver.say("EHLO c.example\r\n");
    assert!(driver.session.principal().is_some());
    driver.say("STARTTLS\r\n");
    assert_eq!(driver.session.principal(), None);
    assert_eq!(driver.handshakes, 1);
}

#[test]
fn failures_are_counted_over_the_whole_session() {
    let mut driver = Driver::new();
    driver.say("EHLO c.example\r\n");
    driver.say(BAD);
    driver.say("STARTTLS\r\n");
    driver.say("EHLO c.example\r\n");
    driver.say(BAD);
    assert!(driver.say(BAD).starts_with("421 4.7.0 Too many logon failures"));
    assert_eq!(driver.closed, Some(Close::LogonFailures));
}

#[test]
fn lines_of_an_exchange_are_bounded() {
    for (octets, said) in [(12_286, "501 5.5.2"), (12_287, "500 5.5.6"), (60_000, "500 5.5.6")] {
        let mut driver = Driver::new();
        driver.say("EHLO c.example\r\n");
        assert_eq!(driver.say("AUTH PLAIN\r\n"), "334 ");
        let line = format!("{}\r\n", "A".repeat(octets));
        assert!(driver.say(&line).starts_with(said), "{octets}");
        assert_eq!(driver.say("NOOP\r\n"), "250 2.0.0 OK");
    }
    // The command itself may be as long, and no other command may.
    let mut driver = Driver::new();
    driver.say("EHLO c.example\r\n");
    let long = "AAAA".repeat(2_500);
    assert!(driver.say(&format!("AUTH PLAIN {long}\r\n")).starts_with("501 5.5.2"));
    assert!(driver.say(&format!("NOOP {long}\r\n")).starts_with("500 5.5.2 Line too long"));
    assert!(driver.say(&format!("AUTH PLAIN {}\r\n", "A".repeat(12_300))).starts_with("500 "));
}

#[test]
fn verdicts_that_do_not_fit_the_question_are_misuse() {
    let mut driver = Driver::new();
    driver.say("EHLO c.example\r\n");
    let (now, mut out) = (driver.now, Vec::new());
    let session = &mut driver.session;
    let alice = || Verdict::Granted(Principal::new("alice").unwrap());
    assert_eq!(session.authenticate(alice()), Err(ApiMisuse::NoOpenEvent));
    let step = session.poll(now, GOOD.as_bytes(), &mut out);
    assert!(matches!(step.output, Output::Event(Event::Authenticate(_))));
    let wrong = ApiMisuse::WrongAnswer { command: "AUTH" };
    assert_eq!(session.accept(), Err(wrong.clone()));
    let verifier = Verdict::Verifier { known: None, nonce: Nonce::new([0; 18]) };
    assert_eq!(session.authenticate(verifier), Err(wrong));
    let welcome = Reply::bare("235".parse().unwrap(), "welcome");
    assert!(matches!(session.respond(welcome), Err(ApiMisuse::WrongSeverity { .. })));
    assert_eq!(session.authenticate(alice()), Ok(()));
    assert_eq!(session.authenticate(alice()), Err(ApiMisuse::NoOpenEvent));
}

#[test]
fn verdict_on_another_question_is_misuse() {
    let mut driver = Driver::new();
    let (now, mut out) = (driver.now, Vec::new());
    let step = driver.session.poll(now, b"EHLO c.example\r\n", &mut out);
    assert!(matches!(step.output, Output::Event(Event::Hello { .. })));
    let misuse = driver.session.authenticate(Verdict::Denied);
    assert_eq!(misuse, Err(ApiMisuse::WrongAnswer { command: "EHLO" }));
}

#[test]
fn application_may_refuse_with_its_own_reply() {
    for (reply, said, failures) in [
        ("535 5.7.139 Basic authentication is disabled", "535 Basic", 1),
        ("454 4.7.0 Come back", "454 Come", 0),
    ] {
        let mut driver = Driver::new();
        driver.say("EHLO c.example\r\n");
        let (code, text) = (reply.split_at(3).0, reply.split(' ').skip(2));
        let text = text.collect::<Vec<_>>().join(" ");
        let mut out = Vec::new();
        let _ = driver.session.poll(driver.now, GOOD.as_bytes(), &mut out);
        driver.session.respond(Reply::bare(code.parse().unwrap(), text)).unwrap();
        assert!(driver.say("").starts_with(said), "{reply}");
        assert_eq!(driver.session.principal(), None);
        for _ in failures..2 {
            assert!(driver.say(BAD).starts_with("535"));
        }
        assert!(driver.say(BAD).starts_with("421"));
    }
}

#[test]
fn session_that_authenticates_stays_small() {
    let octets = size_of::<ServerSession>();
    assert!(octets <= 1024, "a session has {octets} octets");
}

proptest! {
    /// Whatever the client says: it is somebody only behind a 235 with no STARTTLS behind that.
    #[test]
    fn identity_never_survives_starttls_nor_reaches_another_session(
        script in proptest::collection::vec(0usize..11, 1..24),
    ) {
        const LINES: [&str; 11] = [
            "EHLO c.example\r\n",
            "HELO c.example\r\n",
            GOOD,
            BAD,
            "AUTH PLAIN\r\n",
            "AGFsaWNlAHNlY3JldA==\r\n",
            "*\r\n",
            "STARTTLS\r\n",
            "RSET\r\n",
            "MAIL FROM:<a@c.example>\r\n",
            "NOOP\r\n",
        ];
        let mut driver = Driver::new();
        let mut known = false;
        for line in script {
            let handshakes = driver.handshakes;
            let said = driver.say(LINES[line]);
            if said.starts_with("235 ") {
                prop_assert!(!known, "only once");
                known = true;
            }
            if driver.handshakes > handshakes {
                known = false;
            }
            prop_assert_eq!(driver.session.principal().is_some(), known);
        }
        prop_assert!(Driver::new().session.principal().is_none());
    }
}
