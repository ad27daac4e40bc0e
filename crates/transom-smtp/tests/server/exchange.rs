//! A25: EHLO lists what the switches of a connector say, in Exchange's order, and Exchange's texts
//! are a profile.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use transom_smtp::sasl::{
    AuthOffer, Login, ServerContext, ServerExchange, ServerMechanism, ServerStep, Verdict,
};
use transom_smtp::server::{
    Extensions, FixedReply, OwnKeyword, OwnKeywordError, ReplyProfile, ServerConfig,
};
use transom_types::{Reply, ReplyCode};

use crate::driver::{Driver, config, reply};

/// A mechanism of the name that never lets anybody in: the list of names is what is looked at.
#[derive(Clone, Copy, Debug)]
struct Named(&'static str);

impl ServerMechanism for Named {
    fn name(&self) -> &'static str {
        self.0
    }

    fn reveals_secret(&self) -> bool {
        false
    }

    fn begin(&self, _context: &ServerContext<'_>) -> Box<dyn ServerExchange> {
        Box::new(*self)
    }
}

impl ServerExchange for Named {
    fn respond(&mut self, _response: Option<&[u8]>) -> ServerStep {
        ServerStep::Denied
    }

    fn decide(&mut self, _verdict: Verdict) -> ServerStep {
        ServerStep::Denied
    }
}

fn auth(names: &[&'static str]) -> AuthOffer {
    let offer = names.iter().fold(AuthOffer::default().with_before_tls(true), |offer, name| {
        offer.with_mechanism(Arc::new(Named(name)))
    });
    offer.with_mechanism(Arc::new(Login))
}

/// All of a connector's switches on.
fn switches() -> Extensions {
    config().extensions.with_dsn(true).with_starttls(true).with_binary_mime(true).with_limits(false)
}

fn exchange() -> ServerConfig {
    config().with_replies(ReplyProfile::exchange()).with_extensions(switches())
}

fn driver(config: ServerConfig) -> Driver {
    let mut driver = Driver::new(config);
    driver.session.set_client_address(IpAddr::from([192, 0, 2, 9]));
    driver
}

/// What EHLO lists, the first line taken off.
fn ehlo(driver: &mut Driver) -> Vec<String> {
    let said = driver.say("EHLO client\r\n");
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some("250-mx.example Hello [192.0.2.9]"));
    lines.map(|line| line.split_at(4).1.to_owned()).collect()
}

const BEFORE: &str = "SIZE 37748736, PIPELINING, DSN, ENHANCEDSTATUSCODES, STARTTLS, ";
const BEHIND: &str = "SIZE 37748736, PIPELINING, DSN, ENHANCEDSTATUSCODES, ";
const REST: &str = "8BITMIME, BINARYMIME, CHUNKING, SMTPUTF8";

#[test]
fn ehlo_of_each_connector_and_state_is_the_one_of_the_table() {
    let own = |line| OwnKeyword::new(line).unwrap();
    let front = exchange()
        .with_auth(auth(&["NTLM"]))
        // Registered in any order; the profile says where they stand.
        .with_keyword(own("XRDST"))
        .with_keyword(own("X-EXPS GSSAPI NTLM"))
        .with_keyword(own("X-ANONYMOUSTLS"));
    let mut driver_ = driver(front);
    let clear = format!("{BEFORE}X-ANONYMOUSTLS, AUTH NTLM, X-EXPS GSSAPI NTLM, {REST}, XRDST");
    assert_eq!(ehlo(&mut driver_).join(", "), clear);

    let mut client = driver(exchange().with_auth(auth(&["GSSAPI", "NTLM"])));
    assert_eq!(ehlo(&mut client).join(", "), format!("{BEFORE}AUTH GSSAPI NTLM, {REST}"));
    client.say("STARTTLS\r\n");
    let tls = format!("{BEHIND}AUTH GSSAPI NTLM LOGIN, {REST}");
    assert_eq!(ehlo(&mut client).join(", "), tls);
    client.say("AUTH LOGIN\r\n");
    client.say("YWxpY2U=\r\n");
    assert!(client.say("c2VjcmV0\r\n").starts_with("235 "));
    assert_eq!(ehlo(&mut client).join(", "), format!("{BEHIND}{REST}"));

    // Anonymous relay, without a certificate.
    let mut relay = driver(exchange().with_extensions(switches().with_starttls(false)));
    assert_eq!(ehlo(&mut relay).join(", "), format!("{BEHIND}{REST}"));

    let hub = switches().with_size_told(false).with_smtputf8(false).with_starttls(false);
    let mut hub = driver(exchange().with_extensions(hub).with_keyword(own("XSHADOW")));
    let listed = "SIZE, PIPELINING, DSN, ENHANCEDSTATUSCODES, 8BITMIME, BINARYMIME, CHUNKING";
    assert_eq!(ehlo(&mut hub).join(", "), format!("{listed}, XSHADOW"));
}

/// One switch: its keyword, and how it is switched off.
type Switch = (&'static str, fn(Extensions) -> Extensions);

#[test]
fn each_switch_takes_its_keyword_away_and_no_other() {
    let all = ehlo(&mut driver(exchange()));
    let cases: [Switch; 9] = [
        ("SIZE 37748736", |on| on.with_size(None)),
        ("PIPELINING", |on| on.with_pipelining(false)),
        ("DSN", |on| on.with_dsn(false)),
        ("ENHANCEDSTATUSCODES", |on| on.with_enhanced_status_codes(false)),
        ("STARTTLS", |on| on.with_starttls(false)),
        ("8BITMIME", |on| on.with_eight_bit_mime(false)),
        ("BINARYMIME", |on| on.with_binary_mime(false)),
        ("SMTPUTF8", |on| on.with_smtputf8(false)),
        ("CHUNKING", |on| on.with_chunking(false)),
    ];
    for (keyword, off) in cases {
        let listed = ehlo(&mut driver(exchange().with_extensions(off(switches()))));
        let mut expected = all.clone();
        // BINARYMIME is of no use without CHUNKING, nor SMTPUTF8 without 8BITMIME.
        let needed = [("CHUNKING", "BINARYMIME"), ("8BITMIME", "SMTPUTF8")];
        expected.retain(|line| line != keyword && !needed.contains(&(keyword, line.as_str())));
        assert_eq!(listed, expected, "{keyword}");
    }
}

#[test]
fn session_says_the_texts_of_exchange() {
    let greeted = [
        ("HELO client", "250 mx.example Hello [192.0.2.9]"),
        ("EHLO", "501 5.5.4 Invalid domain name"),
        ("MAIL FROM:<a@example.org>", "503 5.5.2 Send hello first"),
        ("FOO", "500 5.3.3 Unrecognized command"),
        ("NOOP", "250 2.0.0 OK"),
        ("RSET", "250 2.0.0 Resetting"),
        ("QUIT", "221 2.0.0 Service closing transmission channel"),
    ];
    for (line, expected) in greeted {
        let said = driver(exchange()).say(format!("{line}\r\n"));
        assert_eq!(said.lines().last(), Some(expected), "{line}");
    }
    let identified = [
        ("STARTTLS", "220 2.0.0 SMTP server ready"),
        ("AUTH FOO", "504 5.7.4 Unrecognized authentication type"),
        ("AUTH LOGIN", "504 5.7.4 Unrecognized authentication type"),
        ("MAIL FROM:<a@example.org>", "250 2.1.0 Sender OK"),
        ("MAIL FROM:a@b@c", "501 5.1.7 Invalid address"),
        ("MAIL FROM:<> SIZE=99999999", "552 5.3.4 Message size exceeds fixed maximum message size"),
        ("RCPT TO:<b@example.net>", "503 5.5.2 Need mail command"),
        ("MAIL FROM:<>\r\nRCPT TO:<b@example.net>", "250 2.1.5 Recipient OK"),
        ("MAIL FROM:<>\r\nRCPT TO:<b", "501 5.1.3 Invalid address"),
        ("MAIL FROM:<>\r\nDATA", "503 5.5.2 Need rcpt command"),
        (
            "MAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nRCPT TO:<c@example.net>",
            "452 4.5.3 Too many recipients",
        ),
        (
            "MAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nDATA",
            "354 Start mail input; end with <CRLF>.<CRLF>",
        ),
        (
            "MAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nBDAT 2\r\n",
            "250 2.6.0 CHUNK received OK, 2 octets",
        ),
        (
            "FOO\r\nFOO\r\nFOO\r\nFOO\r\nFOO\r\nFOO",
            "421 4.7.0 Too many errors on this connection, closing transmission channel",
        ),
    ];
    for (lines, expected) in identified {
        let limits = config().limits.with_recipients_max(1);
        let mut driver = driver(exchange().with_auth(auth(&["NTLM"])).with_limits(limits));
        driver.say("EHLO client\r\n");
        let said = driver.say(format!("{lines}\r\n"));
        assert_eq!(said.lines().last(), Some(expected), "{lines}");
    }
    // Where no mechanism is offered at all.
    let mut none = driver(exchange());
    none.say("EHLO client\r\n");
    let refused = "504 5.7.4 Unrecognized authentication type\r\n";
    assert_eq!(none.say("AUTH LOGIN\r\n"), refused);
}

#[test]
fn session_says_the_texts_of_exchange_to_logons_and_at_its_end() {
    let offer = || auth(&[]).danger_offer_plaintext_auth_without_tls(true);
    for (password, expected) in [
        ("c2VjcmV0", "235 2.7.0 Authentication successful\r\n"),
        ("d3Jvbmc=", "535 5.7.3 Authentication unsuccessful\r\n"),
    ] {
        let mut driver = driver(exchange().with_auth(offer()));
        driver.say("EHLO client\r\n");
        assert_eq!(driver.say("AUTH LOGIN\r\n"), "334 VXNlcm5hbWU6\r\n");
        assert_eq!(driver.say("YWxpY2U=\r\n"), "334 UGFzc3dvcmQ6\r\n");
        let mut said = driver.say(format!("{password}\r\n"));
        driver.advance(Duration::from_secs(5));
        said += &driver.take();
        assert_eq!(said, expected);
    }
    let mut backend = driver(exchange().with_auth(offer()));
    backend.say("EHLO client\r\n");
    backend.say("AUTH LOGIN\r\n");
    backend.say("ZG93bg==\r\n"); // the user "down"
    assert_eq!(backend.say("c2VjcmV0\r\n"), "454 4.7.0 Temporary authentication failure\r\n");

    let mut tls = driver(exchange().with_require_tls(true));
    tls.say("EHLO client\r\n");
    let needed = "451 5.7.3 STARTTLS is required to send mail\r\n";
    assert_eq!(tls.say("MAIL FROM:<>\r\n"), needed);

    let mut idle = driver(exchange());
    idle.advance(Duration::from_mins(5));
    assert_eq!(idle.take(), "451 4.7.0 Timeout waiting for client input\r\n");
    let mut long = driver(exchange());
    for _ in 0..3 {
        long.advance(Duration::from_secs(200));
        long.feed(b"NOOP\r\n");
    }
    assert!(long.take().ends_with("\r\n421 4.4.1 Connection timed out\r\n"));
    let mut stopped = driver(exchange());
    stopped.session.shutdown();
    stopped.run();
    assert_eq!(stopped.take(), "421 4.3.2 Service not available\r\n");
}

#[test]
fn banner_tells_the_date_that_the_driver_gives() {
    let banner = exchange().banner("Fri, 19 Apr 2024 15:06:04 -0700");
    assert_eq!(
        banner.to_string(),
        "220 mx.example Microsoft ESMTP MAIL Service ready at Fri, 19 Apr 2024 15:06:04 -0700\r\n"
    );
    // It answers the event like any other reply.
    let mut driver = Driver::silent(exchange());
    driver.answers.push_back(("Connect".into(), banner));
    driver.run();
    assert!(driver.take().contains(" ready at Fri, 19 Apr 2024"));
    // Other words need no date.
    let plain = config().with_greeting("ready for {name}").banner("today");
    assert_eq!(plain.to_line(), "220 mx.example ready for {name}");
}

#[test]
fn profile_of_a_host_program_says_its_own_words() {
    let own = reply("501 5.5.4 No such thing");
    let profile = ReplyProfile::exchange().with_reply(FixedReply::UnknownVerb, own.clone());
    let profile = profile.unwrap().with_ehlo_order(vec!["smtputf8".into(), "SIZE".into()]);
    let mut driver = driver(exchange().with_replies(profile));
    assert_eq!(ehlo(&mut driver)[..3], ["SMTPUTF8", "SIZE 37748736", "PIPELINING"]);
    assert_eq!(driver.say("FOO\r\n"), "501 5.5.4 No such thing\r\n");
    // A reply never grants what another refuses, and only a last one says that it is the last.
    for (which, other) in [
        (FixedReply::UnknownVerb, ReplyCode::OK),
        (FixedReply::StartMailInput, ReplyCode::OK),
        (FixedReply::SenderOk, ReplyCode::MAILBOX_UNAVAILABLE),
        (FixedReply::TlsReady, ReplyCode::OK),
        (FixedReply::UnknownVerb, ReplyCode::SERVICE_NOT_AVAILABLE),
    ] {
        let wrong = ReplyProfile::plain().with_reply(which, Reply::bare(other, "text"));
        assert!(wrong.is_err(), "{which:?} as {other}");
    }
}

#[test]
fn no_text_of_exchange_grants_what_a_plain_one_refuses() {
    for &which in FixedReply::ALL {
        let said = ReplyProfile::exchange().reply(which);
        assert!(ReplyProfile::plain().with_reply(which, said).is_ok(), "{which:?}");
    }
}

#[test]
fn keyword_of_a_host_program_is_one_line_that_promises_nothing_of_ours() {
    for line in ["", " X", "X ", "-X", "X\r\nY", "X\u{e9}", "X=1", "X\tY"] {
        assert_eq!(OwnKeyword::new(line), Err(OwnKeywordError::Malformed), "{line:?}");
    }
    for line in ["STARTTLS", "starttls", "SIZE 5", "AUTH PLAIN", "LIMITS XMAX=1", "XCLIENT NAME"] {
        assert_eq!(OwnKeyword::new(line), Err(OwnKeywordError::Known), "{line:?}");
    }
}
