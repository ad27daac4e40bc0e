//! The SASL exchanges of `transom-smtp`, each against a peer that says whatever it likes.

use std::sync::Arc;

use transom_smtp::sasl::{
    Channel, ClientContext, ClientMechanism, ClientStep, Credentials, External, Login, Nonce,
    OauthBearer, Plain, Question, ScramSha256, ServerContext, ServerMechanism, ServerStep, Verdict,
    XOauth2,
};
use transom_types::scram::ScramVerifier;
use transom_types::{Principal, Secret};

/// The first octet chooses the mechanism, the rest are the responses of the client, parted by LF.
pub fn sasl_server(octets: &[u8]) {
    let [choice, responses @ ..] = octets else { return };
    let mechanism = server_mechanism(*choice);
    let channel = channel();
    let mut exchange = mechanism.begin(&ServerContext::new(&channel, &[]));
    for response in responses.split(|&octet| octet == b'\n') {
        let mut step = exchange.respond(Some(response));
        if let ServerStep::Ask(question) = step {
            step = exchange.decide(verdict(&question));
        }
        match step {
            ServerStep::Challenge(_) => {}
            ServerStep::Granted(principal) => {
                assert_eq!(principal.as_str(), USER, "{}", mechanism.name());
                // Nobody knows a password behind the verifier.
                assert!(!mechanism.name().starts_with("SCRAM"), "{}", octets.escape_ascii());
                return;
            }
            ServerStep::Ask(question) => panic!("asked twice: {question:?}"),
            _ => return,
        }
    }
}

/// What an application says that lets everybody in who needs no proof. Whoever is asked about has
/// a name that can stand in a log.
pub(crate) fn verdict(question: &Question) -> Verdict {
    let user = match question {
        Question::Password { user, .. } | Question::ScramVerifier { user, .. } => user.as_str(),
        _ => "",
    };
    assert!(!user.chars().any(char::is_control), "{user:?}");
    let Ok(principal) = Principal::new(USER) else { return Verdict::Denied };
    if !matches!(question, Question::ScramVerifier { .. }) {
        return Verdict::Granted(principal);
    }
    let known = ScramVerifier::new(b"0123456789abcdef", 4096, [1; 32], [2; 32]).ok();
    let known = known.map(|verifier| (verifier, principal));
    Verdict::Verifier { known, nonce: Nonce::new([7; 18]) }
}

const USER: &str = "alice";

fn server_mechanism(choice: u8) -> Arc<dyn ServerMechanism> {
    let decoy_key = Secret::new(*b"the same for all servers");
    match choice % 7 {
        0 => Arc::new(Plain),
        1 => Arc::new(Login),
        2 => Arc::new(OauthBearer),
        3 => Arc::new(XOauth2),
        4 => Arc::new(External),
        5 => Arc::new(ScramSha256::new(decoy_key)),
        _ => Arc::new(ScramSha256::plus(decoy_key)),
    }
}

fn channel() -> Channel {
    Channel::default().with_external_identity("host.example").with_tls_exporter([3; 32])
}

/// The first octet chooses the mechanism, the rest are the challenges of the server, parted by LF.
pub fn sasl_client(octets: &[u8]) {
    let [choice, challenges @ ..] = octets else { return };
    let Ok(user) = Principal::new(USER) else { return };
    let secret = Secret::new(*b"secret");
    let mechanisms: Vec<Arc<dyn ClientMechanism>> = [
        Credentials::password(user.clone(), secret.clone()),
        Credentials::token(user, secret),
        Credentials::external(),
    ]
    .into_iter()
    .flat_map(|credentials| credentials.mechanisms)
    .collect();
    let Some(mechanism) = mechanisms.get(usize::from(*choice) % mechanisms.len()) else { return };
    let (channel, nonce) = (channel(), Some(Nonce::new([7; 18])));
    let mut exchange = mechanism.begin(&ClientContext::new(&channel, &[], nonce));
    let proves = mechanism.name().starts_with("SCRAM");
    let _ = exchange.initial_response();
    for challenge in challenges.split(|&octet| octet == b'\n') {
        // Who is asked for a proof by a server that gave none does not believe it.
        assert!(!(proves && exchange.may_succeed()), "{}", octets.escape_ascii());
        if let ClientStep::Cancel(why) = exchange.respond(challenge) {
            assert!(!why.is_empty());
            return;
        }
    }
}
