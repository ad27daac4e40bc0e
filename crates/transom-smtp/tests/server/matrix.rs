//! Every command in every state, as a table in a text file. After a wanted change write the new
//! table with `TRANSOM_WRITE_SNAPSHOTS=1`.

use std::fmt::Write as _;
use std::path::Path;

use transom_smtp::Protocol;
use transom_smtp::codec::ExtensionRegistry;

use crate::driver::{Driver, config, offer, reply};

const COMMANDS: [&str; 21] = [
    "EHLO c.example",
    "HELO c.example",
    "LHLO c.example",
    "MAIL FROM:<a@example.org>",
    "RCPT TO:<b@example.net>",
    "DATA",
    "BDAT 2",
    "BDAT 2 LAST",
    "RSET",
    "NOOP",
    "VRFY b",
    "HELP",
    "STARTTLS",
    "AUTH PLAIN AGFsaWNlAHNlY3JldA==",
    "EXPN staff",
    "ETRN c.example",
    "XCLIENT NAME=d.example",
    "XFORWARD NAME=d.example",
    "XPING",
    "XYZZY",
    "QUIT",
];

fn states() -> Vec<(&'static str, Driver)> {
    let config = || {
        let all = config().extensions.with_starttls(true).with_etrn(true).with_expn(true);
        config()
            .with_extensions(all.with_xclient(true).with_xforward(true))
            .with_registry(ExtensionRegistry::new().with_verb("XPING").unwrap())
            .with_auth(offer())
    };
    let plain = crate::driver::config;
    let in_clear = || offer().danger_offer_plaintext_auth_without_tls(true);
    let mut refused = Driver::silent(config());
    refused.answers.push_back(("Connect".into(), reply("554 5.7.1 No")));
    refused.run();
    let mut helo = Driver::new(config());
    helo.feed(b"HELO c.example\r\n");
    let mut envelope = Driver::identified(config());
    envelope.feed(b"MAIL FROM:<a@example.org>\r\n");
    let mut chunks = Driver::with_recipient(config());
    chunks.feed(b"BDAT 2\r\n\r\n");
    let mut tls = Driver::identified(config());
    tls.feed(b"STARTTLS\r\n");
    let mut tls_identified = Driver::identified(config());
    tls_identified.feed(b"STARTTLS\r\n");
    tls_identified.feed(b"EHLO c.example\r\n");
    let mut authenticating = Driver::identified(config().with_auth(in_clear()));
    authenticating.feed(b"AUTH LOGIN\r\n");
    let mut authenticated = Driver::identified(config().with_auth(in_clear()));
    authenticated.feed(b"AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n");
    let mut binary =
        Driver::identified(plain().with_extensions(plain().extensions.with_binary_mime(true)));
    binary.feed(b"MAIL FROM:<a@example.org> BODY=BINARYMIME\r\nRCPT TO:<b@example.net>\r\n");
    let lmtp = || config().with_protocol(Protocol::Lmtp);
    let mut lhlo = Driver::new(lmtp());
    lhlo.feed(b"LHLO c.example\r\n");
    vec![
        ("refused", refused),
        ("greeted", Driver::new(config())),
        ("HELO", helo),
        ("EHLO", Driver::identified(config())),
        ("MAIL", envelope),
        ("MAIL RCPT", Driver::with_recipient(config())),
        ("between chunks", chunks),
        ("TLS", tls),
        ("TLS EHLO", tls_identified),
        ("AUTH LOGIN", authenticating),
        ("authenticated", authenticated),
        ("EHLO, nothing switched on", Driver::identified(plain())),
        ("BODY=BINARYMIME RCPT", binary),
        ("LMTP greeted", Driver::new(lmtp())),
        ("LMTP LHLO", lhlo),
    ]
}

#[test]
fn every_command_in_every_state_does_what_the_table_says() {
    let mut table = String::new();
    for (number, (name, _)) in states().into_iter().enumerate() {
        let _ = writeln!(table, "[{name}]");
        for command in COMMANDS {
            let (_, mut driver) = states().swap_remove(number);
            driver.take();
            driver.trace.clear();
            let chunk = if command.starts_with("BDAT") { "\r\n" } else { "" };
            let said = driver.say(format!("{command}\r\n{chunk}"));
            let said = said.lines().last().unwrap_or("");
            let events = driver.trace.join(", ");
            let state = state(&driver);
            let _ = writeln!(table, "{command:26} {said:<48.48} {state:12} {events}");
        }
        table.push('\n');
    }
    let table = table.lines().map(str::trim_end).collect::<Vec<_>>().join("\n") + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server/matrix.txt");
    if std::env::var_os("TRANSOM_WRITE_SNAPSHOTS").is_some() {
        std::fs::write(&file, &table).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    for (found, expected) in table.lines().zip(expected.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(table.len(), expected.len());
}

/// The state as the session's `Debug` names it.
fn state(driver: &Driver) -> String {
    let text = format!("{:?}", driver.session);
    let state = text.split("state: ").nth(1).unwrap();
    state.split([',', ' ']).next().unwrap().replace("Closed(", "closed(")
}
