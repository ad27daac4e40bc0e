//! What each mechanism makes of what a peer may send: the table of attack 24, and both sides
//! against each other.

use proptest::prelude::*;

use super::*;

const NUL: &str = "\0";

fn server(mechanism: &dyn ServerMechanism) -> Box<dyn ServerExchange> {
    let channel = Channel::default().with_external_identity("host.example");
    mechanism.begin(&ServerContext::new(&channel, &[]))
}

fn alice() -> Principal {
    Principal::new("alice").unwrap()
}

fn asked(step: ServerStep) -> String {
    match step {
        ServerStep::Ask(Question::Password { user, acting_as, password }) => {
            format!("{user} {acting_as:?} {:?}", str::from_utf8(password.expose()).unwrap())
        }
        ServerStep::Ask(Question::Token { user, token }) => {
            format!("{user:?} {}", str::from_utf8(token.expose()).unwrap())
        }
        ServerStep::Ask(other) => format!("{other:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn plain_takes_exactly_three_parts() {
    let respond = |message: &[u8]| server(&Plain).respond(Some(message));
    assert_eq!(asked(respond(b"\0alice\0pass word")), "alice None \"pass word\"");
    assert_eq!(asked(respond(b"bob\0alice\0p")), "alice Some(\"bob\") \"p\"");
    let long = format!("\0{}\0p", "u".repeat(321));
    for message in [
        "",
        "alice",
        "\0",
        "\0\0",
        "\0\0password",
        "\0alice\0",
        "alice\0password",
        "\0alice\0pass\0word",
        "\0alice\0password\0",
        "\0\0alice\0password",
        "\0al\nice\0password",
        "b\rob\0alice\0password",
        long.as_str(),
    ] {
        assert_eq!(respond(message.as_bytes()), ServerStep::Malformed, "{message:?}");
    }
    assert_eq!(respond(b"\0\xff\0p"), ServerStep::Malformed);
    assert_eq!(respond(b"\0alice\0\xff"), ServerStep::Malformed);
}

#[test]
fn login_asks_for_both_and_takes_the_user_at_once() {
    let mut exchange = server(&Login);
    assert_eq!(exchange.respond(None), ServerStep::Challenge(b"Username:".into()));
    assert_eq!(exchange.respond(Some(b"alice")), ServerStep::Challenge(b"Password:".into()));
    assert_eq!(asked(exchange.respond(Some(b"p"))), "alice None \"p\"");
    let mut exchange = server(&Login);
    assert_eq!(exchange.respond(Some(b"alice")), ServerStep::Challenge(b"Password:".into()));
    for password in [&b""[..], b"p\0", b"\xff"] {
        let mut exchange = server(&Login);
        exchange.respond(Some(b"alice"));
        assert_eq!(exchange.respond(Some(password)), ServerStep::Malformed);
    }
    for user in ["", NUL, "a\0b", "a\nb"] {
        assert_eq!(server(&Login).respond(Some(user.as_bytes())), ServerStep::Malformed);
    }
}

// [RFC 7628 §3.1-b, §3.1-c] test
#[test]
fn oauthbearer_takes_one_token_and_no_binding() {
    let respond = |message: &str| server(&OauthBearer).respond(Some(message.as_bytes()));
    let whole = "n,a=al=2Cice=3D,\x01host=mx\x01port=587\x01auth=Bearer t0ken==\x01\x01";
    assert_eq!(asked(respond(whole)), "Some(\"al,ice=\") t0ken==");
    assert_eq!(asked(respond("y,,\x01auth=bearer t\x01\x01")), "None t");
    for message in [
        "",
        "n,,",
        "n,,\x01",
        "n,,\x01\x01",
        "n,,\x01auth=Bearer t\x01",
        "n,,\x01auth=Bearer t",
        "n,,\x01auth=Bearer \x01\x01",
        "n,,\x01auth=Bearer a b\x01\x01",
        "n,,\x01auth=Basic t\x01\x01",
        "n,,\x01auth=Bearer t\x01auth=Bearer u\x01\x01",
        "n,,\x01auth=Bearer t\x01\x01\x01",
        "n,,\x01auth\x01\x01",
        "p=tls-exporter,,\x01auth=Bearer t\x01\x01",
        "n,alice,\x01auth=Bearer t\x01\x01",
        "n,a=,\x01auth=Bearer t\x01\x01",
        "n,a=a=2,\x01auth=Bearer t\x01\x01",
        "n,a=a,b,\x01auth=Bearer t\x01\x01",
        "n,a=a\0b,\x01auth=Bearer t\x01\x01",
    ] {
        assert_eq!(respond(message), ServerStep::Malformed, "{message:?}");
    }
}

#[test]
fn xoauth2_takes_user_and_token() {
    let respond = |message: &str| server(&XOauth2).respond(Some(message.as_bytes()));
    assert_eq!(asked(respond("user=alice\x01auth=Bearer t\x01\x01")), "Some(\"alice\") t");
    for message in ["", "user=alice", "user=\x01auth=Bearer t\x01\x01", "alice\x01auth=Bearer t"] {
        assert_eq!(respond(message), ServerStep::Malformed, "{message:?}");
    }
}

// [RFC 7628 §3.2.2-a] test
#[test]
fn denied_token_is_explained_before_the_failure() {
    for mechanism in [&OauthBearer as &dyn ServerMechanism, &XOauth2] {
        let mut exchange = server(mechanism);
        let message: &[u8] = match mechanism.name() {
            "XOAUTH2" => b"user=alice\x01auth=Bearer t\x01\x01",
            _ => b"n,a=alice,\x01auth=Bearer t\x01\x01",
        };
        exchange.respond(Some(message));
        let ServerStep::Challenge(error) = exchange.decide(Verdict::Denied) else { panic!() };
        assert!(error.starts_with(br#"{"status":"#));
        // Another try in the same exchange does not count.
        assert_eq!(exchange.respond(Some(message)), ServerStep::Denied);
    }
}

#[test]
fn external_needs_an_identity() {
    let mut exchange = server(&External);
    assert_eq!(exchange.respond(None), ServerStep::Challenge(Vec::new()));
    let question =
        Question::External { identity: "host.example".into(), acting_as: Some("x".into()) };
    assert_eq!(exchange.respond(Some(b"x")), ServerStep::Ask(question));
    assert!(!External.is_possible(&Channel::default()));
    let mut exchange = External.begin(&ServerContext::new(&Channel::default(), &[]));
    assert_eq!(exchange.respond(Some(b"")), ServerStep::Denied);
    assert_eq!(server(&External).respond(Some(b"a\0")), ServerStep::Malformed);
}

#[test]
fn offers_are_what_is_possible_at_this_moment() {
    let plain = Channel::default();
    let with_certificate = Channel::default().with_external_identity("host.example");
    let offer = AuthOffer::default().with_tokens().with_passwords().with_external();
    assert!(offer.names(false, &plain).is_empty());
    assert_eq!(offer.names(true, &plain), ["OAUTHBEARER", "XOAUTH2", "PLAIN", "LOGIN"]);
    assert_eq!(offer.names(true, &with_certificate).last(), Some(&"EXTERNAL"));
    let danger = offer.clone().danger_offer_plaintext_auth_without_tls(true);
    assert_eq!(danger.names(false, &plain).len(), 4);
    assert_ne!(danger, offer);
    assert!(offer.with_before_tls(true).names(false, &plain).is_empty());
}

/// Runs an exchange to its end: what the server decides, and whether the client believes it.
fn exchange(
    client: &dyn ClientMechanism,
    client_context: &ClientContext<'_>,
    server: &dyn ServerMechanism,
    server_context: &ServerContext<'_>,
    verdict: &Verdict,
) -> (ServerStep, bool) {
    let (mut client, mut server) = (client.begin(client_context), server.begin(server_context));
    let first = client.initial_response();
    let mut step = server.respond(first.as_ref().map(Secret::expose));
    loop {
        step = match step {
            ServerStep::Ask(_) => server.decide(verdict.clone()),
            ServerStep::Challenge(challenge) => match client.respond(&challenge) {
                ClientStep::Respond(response) => server.respond(Some(response.expose())),
                ClientStep::Cancel(why) => panic!("cancelled: {why}"),
            },
            end => return (end, client.may_succeed()),
        };
    }
}

#[test]
fn client_and_server_understand_each_other() {
    let channel = Channel::default().with_external_identity("host.example");
    let context = ClientContext::new(&channel, &[], None);
    let server_context = ServerContext::new(&channel, &[]);
    let servers: [&dyn ServerMechanism; 5] = [&OauthBearer, &XOauth2, &Plain, &Login, &External];
    let mut clients = Credentials::token(alice(), Secret::new(*b"t0k")).mechanisms;
    clients.extend(Credentials::password(alice(), Secret::new(*b"pw")).mechanisms);
    clients.extend(Credentials::external().mechanisms);
    for server in servers {
        let client = clients.iter().find(|client| client.name() == server.name()).unwrap();
        for (verdict, end) in [
            (Verdict::Granted(alice()), ServerStep::Granted(alice())),
            (Verdict::Denied, ServerStep::Denied),
            (Verdict::Unavailable, ServerStep::Unavailable),
        ] {
            let (step, _) = exchange(client.as_ref(), &context, server, &server_context, &verdict);
            assert_eq!(step, end, "{}", server.name());
        }
    }
}

#[test]
fn no_secret_is_printed() {
    let secret = || Secret::new(*b"hunter2");
    let shown = [
        format!("{:?}", Credentials::password(alice(), secret()).mechanisms),
        format!("{:?}", Credentials::token(alice(), secret()).mechanisms),
        format!("{:?}", server(&Plain).respond(Some(b"\0alice\0hunter2"))),
        format!("{:?}", server(&XOauth2).respond(Some(b"user=a\x01auth=Bearer hunter2\x01\x01"))),
    ];
    for text in shown {
        assert!(!text.contains("hunter2"), "{text}");
        assert!(!text.contains("104, 117, 110"), "{text}");
    }
}

#[cfg(feature = "scram")]
mod scram {
    use super::*;

    const BOTH: [&str; 2] = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"];

    fn known(password: &[u8]) -> Verdict {
        let password = Secret::new(password);
        let verifier = ScramVerifier::derive(&password, b"0123456789abcdef", 4096).unwrap();
        Verdict::Verifier { known: Some((verifier, alice())), nonce: Nonce::new([7; 18]) }
    }

    fn unknown() -> Verdict {
        Verdict::Verifier { known: None, nonce: Nonce::new([7; 18]) }
    }

    fn mechanism(plus: bool) -> ScramSha256 {
        let key = Secret::new(*b"decoys");
        if plus { ScramSha256::plus(key) } else { ScramSha256::new(key) }
    }

    fn bound(octet: u8) -> Channel {
        Channel::default().with_tls_exporter([octet; 32])
    }

    /// The client gets `seen` for the server's list.
    fn log_in(
        client_channel: &Channel,
        server_channel: &Channel,
        seen: &[&str],
        verdict: &Verdict,
    ) -> (String, ServerStep, bool) {
        let seen: Vec<String> = seen.iter().map(|&name| name.to_owned()).collect();
        let nonce = Some(Nonce::new([1; 18]));
        let context = ClientContext::new(client_channel, &seen, nonce);
        let credentials = Credentials::password(alice(), Secret::new(*b"pencil"));
        let client = credentials.choose(&context).unwrap();
        let offer = AuthOffer::default().with_scram(&Secret::new(*b"decoys"));
        let offered = offer.names(true, server_channel);
        let server = offer.find(client.name()).unwrap();
        let context_there = ServerContext::new(server_channel, &offered);
        let (step, believed) = exchange(client, &context, server.as_ref(), &context_there, verdict);
        (client.name().to_owned(), step, believed)
    }

    #[test]
    fn both_sides_prove_the_password_with_and_without_binding() {
        for (channel, name) in [
            (Channel::default(), "SCRAM-SHA-256"),
            (bound(3), "SCRAM-SHA-256-PLUS"),
            (Channel::default().with_tls_server_end_point(*b"hash"), "SCRAM-SHA-256-PLUS"),
        ] {
            let (used, step, believed) = log_in(&channel, &channel, &BOTH, &known(b"pencil"));
            assert_eq!((used.as_str(), step, believed), (name, ServerStep::Granted(alice()), true));
        }
    }

    #[test]
    fn wrong_password_and_unknown_user_fail_at_the_same_step() {
        for verdict in [known(b"other"), unknown()] {
            let channel = Channel::default();
            let (_, step, believed) = log_in(&channel, &channel, &BOTH, &verdict);
            assert_eq!((step, believed), (ServerStep::Denied, false));
        }
    }

    #[test]
    fn unknown_user_looks_like_a_known_one() {
        let channel = Channel::default();
        let first = |verdict| {
            let mut exchange = mechanism(false).begin(&ServerContext::new(&channel, &[]));
            exchange.respond(Some(b"n,,n=bob,r=abc"));
            let ServerStep::Challenge(first) = exchange.decide(verdict) else { panic!() };
            String::from_utf8(first).unwrap()
        };
        let decoy = first(unknown());
        assert_eq!(decoy, first(unknown()), "the salt of a decoy stays the same");
        let password = Secret::new(*b"pw");
        let iterations = ScramVerifier::ITERATIONS_DEFAULT;
        let verifier = ScramVerifier::derive(&password, &[5; 16], iterations).unwrap();
        let nonce = Nonce::new([7; 18]);
        let real = first(Verdict::Verifier { known: Some((verifier, alice())), nonce });
        assert_eq!(decoy.len(), real.len());
        assert!(decoy.ends_with(",i=10000") && real.ends_with(",i=10000"));
    }

    // [RFC 5802 §6-c] test
    #[test]
    fn session_with_somebody_between_is_refused() {
        // Each side has its own TLS session with the one between.
        let (_, step, _) = log_in(&bound(1), &bound(2), &BOTH, &known(b"pencil"));
        assert_eq!(step, ServerStep::Denied);
    }

    // [RFC 5802 §6-a, §6-b] test
    #[test]
    fn downgrade_is_seen_by_the_server() {
        // The one between hides PLUS; the client says that it would have used it.
        let (used, step, _) = log_in(&bound(1), &bound(1), &["SCRAM-SHA-256"], &known(b"pencil"));
        assert_eq!((used.as_str(), step), ("SCRAM-SHA-256", ServerStep::Denied));
        // A server that really has no binding takes the same words.
        let without = Channel::default();
        let (_, step, _) = log_in(&bound(1), &without, &["SCRAM-SHA-256"], &known(b"pencil"));
        assert_eq!(step, ServerStep::Granted(alice()));
    }

    // [RFC 5802 §5.1-b, §5.1-d, §6-d] test
    #[test]
    fn flags_that_do_not_fit_the_mechanism_are_refused() {
        let channel = bound(1);
        for (plus, message, malformed) in [
            (true, "n,,n=alice,r=abc", false),
            (true, "y,,n=alice,r=abc", false),
            (true, "p=tls-unique,,n=alice,r=abc", false),
            (true, "p=tls-server-end-point,,n=alice,r=abc", false),
            (false, "p=tls-exporter,,n=alice,r=abc", false),
            (false, "y,,n=alice,r=abc", false),
            (false, "x,,n=alice,r=abc", true),
            (false, "n,,m=news,n=alice,r=abc", true),
            (false, "n,,n=,r=abc", true),
            (false, "n,,n=al=2ice,r=abc", true),
            (false, "n,,n=a\0b,r=abc", true),
            (false, "n,,n=alice,r=", true),
            (false, "n,,n=alice,r=a\x7fc", true),
            (false, "n,,n=alice", true),
            (false, "n,bob,n=alice,r=abc", true),
            (false, "n", true),
            (false, "", true),
        ] {
            let context = ServerContext::new(&channel, &BOTH);
            let step = mechanism(plus).begin(&context).respond(Some(message.as_bytes()));
            let expected = if malformed { ServerStep::Malformed } else { ServerStep::Denied };
            assert_eq!(step, expected, "{message:?}");
        }
        let long = format!("n,,n=alice,r={}", "x".repeat(257));
        let context = ServerContext::new(&channel, &BOTH);
        let step = mechanism(false).begin(&context).respond(Some(long.as_bytes()));
        assert_eq!(step, ServerStep::Malformed);
    }

    // [RFC 5802 §5-a] test
    #[test]
    fn nobody_is_granted_without_a_proof() {
        let context_channel = Channel::default();
        let context = ServerContext::new(&context_channel, &[]);
        let mut exchange = mechanism(false).begin(&context);
        exchange.respond(Some(b"n,,n=alice,r=abc"));
        assert_eq!(exchange.decide(Verdict::Granted(alice())), ServerStep::Unavailable);
        assert_eq!(exchange.respond(Some(b"")), ServerStep::Malformed);
    }
}

proptest! {
    #[test]
    fn no_message_makes_a_mechanism_panic_or_grant(
        messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 1..4),
    ) {
        let offer = AuthOffer::default().with_tokens().with_passwords().with_external();
        #[cfg(feature = "scram")]
        let offer = offer.with_scram(&Secret::new(*b"key"));
        for mechanism in &offer.mechanisms {
            let mut exchange = server(mechanism.as_ref());
            for message in &messages {
                let step = exchange.respond(Some(message));
                prop_assert!(!matches!(step, ServerStep::Granted(_)), "{}", mechanism.name());
            }
        }
    }

    #[test]
    fn any_password_arrives_by_plain(user in "[^\\p{Cc}]{1,40}", password in "[^\\x00]{1,40}") {
        let user = Principal::new(&user).unwrap();
        let secret = Secret::new(password.as_bytes());
        let credentials = Credentials::password(user.clone(), secret);
        let channel = Channel::default();
        let plain = ["PLAIN".to_owned()];
        let context = ClientContext::new(&channel, &plain, None);
        let mut client = credentials.choose(&context).unwrap().begin(&context);
        let message = client.initial_response().unwrap();
        let step = server(&Plain).respond(Some(message.expose()));
        prop_assert_eq!(asked(step), format!("{} None {:?}", user, password));
    }
}
