//! The server's side.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use transom_types::scram::ScramVerifier;
use transom_types::{Principal, Secret};

use super::super::{Channel, Question, ServerExchange, ServerStep, Verdict};
use super::binding;
use super::messages::{Flag, auth_message, client_final, client_first};

/// What the client has to say about channel binding.
#[derive(Debug)]
pub(super) enum Expected {
    /// One of this channel's.
    Binding(Channel),
    /// It does not want any; but it must not think that none is offered.
    NoneThoughOffered,
    /// It does not want any.
    None,
}

#[derive(Debug)]
pub(super) struct ScramServer {
    decoy_key: Secret,
    expected: Expected,
    state: State,
}

#[derive(Debug)]
enum State {
    Begun,
    /// The user database is asked.
    Asked(Box<First>),
    /// The client has to prove the password.
    Challenged(Box<Challenged>),
    /// It has, and was told that the server knows the password too.
    Proved(Principal),
    Over,
}

/// What stays of the client's first message.
#[derive(Debug)]
struct First {
    bare: String,
    user: String,
    nonce: String,
    /// What must come back: the gs2 header and the octets of the channel.
    binding: Vec<u8>,
}

#[derive(Debug)]
struct Challenged {
    first: First,
    nonce: String,
    server_first: String,
    verifier: ScramVerifier,
    /// None for a decoy, whose proof nobody can give.
    principal: Option<Principal>,
}

impl ScramServer {
    pub(super) fn new(decoy_key: Secret, expected: Expected) -> Self {
        Self { decoy_key, expected, state: State::Begun }
    }

    fn client_first(&mut self, message: &[u8]) -> ServerStep {
        let Some(first) = client_first(message) else { return ServerStep::Malformed };
        let mut bound = first.header.as_bytes().to_vec();
        match (&self.expected, first.flag) {
            (Expected::Binding(channel), Flag::Used(name)) => match binding(channel, name) {
                Some(octets) => bound.extend_from_slice(octets),
                None => return ServerStep::Denied,
            },
            // [RFC 5802 §6-a, §6-d] a client that would bind, and thinks that we cannot, has been
            // shown another list of mechanisms than ours.
            (Expected::NoneThoughOffered, Flag::NotOffered)
            | (Expected::Binding(_), _)
            | (_, Flag::Used(_)) => return ServerStep::Denied,
            (Expected::NoneThoughOffered | Expected::None, _) => {}
        }
        let (user, acting_as) = (first.user.clone(), first.acting_as);
        self.state = State::Asked(Box::new(First {
            bare: first.bare.to_owned(),
            user: first.user,
            nonce: first.nonce.to_owned(),
            binding: bound,
        }));
        ServerStep::Ask(Question::ScramVerifier { user, acting_as })
    }

    fn client_final(&mut self, challenged: &Challenged, message: &[u8]) -> ServerStep {
        let Some(last) = client_final(message) else { return ServerStep::Malformed };
        let auth_message =
            auth_message(&challenged.first.bare, &challenged.server_first, last.without_proof);
        // All is looked at before anything is decided, so that the time tells nothing.
        let proved = challenged.verifier.accepts_proof(&auth_message, &last.proof);
        // [RFC 5802 §5.1-a, §6-c] both nonces, and what was bound.
        let fits = last.nonce == challenged.nonce && last.binding == challenged.first.binding;
        match &challenged.principal {
            Some(principal) if proved && fits => {
                let signature = challenged.verifier.server_signature(&auth_message);
                self.state = State::Proved(principal.clone());
                let message = format!("v={}", STANDARD.encode(signature));
                ServerStep::Challenge(message.into_bytes())
            }
            _ => ServerStep::Denied,
        }
    }
}

impl ServerExchange for ScramServer {
    fn respond(&mut self, response: Option<&[u8]>) -> ServerStep {
        match (std::mem::replace(&mut self.state, State::Over), response) {
            (State::Begun, None) => {
                self.state = State::Begun;
                ServerStep::Challenge(Vec::new())
            }
            (State::Begun, Some(message)) => self.client_first(message),
            (State::Challenged(challenged), Some(message)) => {
                self.client_final(&challenged, message)
            }
            // [RFC 4954 §4] 235 carries no data, so the client says nothing more to ours.
            (State::Proved(principal), Some(b"")) => ServerStep::Granted(principal),
            _ => ServerStep::Malformed,
        }
    }

    fn decide(&mut self, verdict: Verdict) -> ServerStep {
        let State::Asked(first) = std::mem::replace(&mut self.state, State::Over) else {
            return ServerStep::Unavailable;
        };
        let (known, nonce) = match verdict {
            Verdict::Verifier { known, nonce } => (known, nonce),
            Verdict::Denied => return ServerStep::Denied,
            // [RFC 5802 §5-a] nobody is believed without a proof.
            Verdict::Granted(_) | Verdict::Unavailable => return ServerStep::Unavailable,
        };
        // Made in both cases: how long the answer takes must not tell whether the user exists.
        let decoy = ScramVerifier::decoy(&self.decoy_key, &first.user);
        let (verifier, principal) = match known {
            Some((verifier, principal)) => (verifier, Some(principal)),
            None => (decoy, None),
        };
        let nonce = format!("{}{}", first.nonce, nonce.printed());
        let salt = STANDARD.encode(verifier.salt());
        let server_first = format!("r={nonce},s={salt},i={}", verifier.iterations());
        let challenge = server_first.clone().into_bytes();
        let challenged = Challenged { first: *first, nonce, server_first, verifier, principal };
        self.state = State::Challenged(Box::new(challenged));
        ServerStep::Challenge(challenge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "n=user,r=rOprNGfwEbeRWgbNEkqO";
    const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                                s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                         p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    /// In the middle of the example of RFC 7677 §3.
    fn challenged() -> ScramServer {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let first = First {
            bare: FIRST.into(),
            user: "user".into(),
            nonce: "rOprNGfwEbeRWgbNEkqO".into(),
            binding: b"n,,".into(),
        };
        let mut server = ScramServer::new(Secret::new(*b"key"), Expected::None);
        server.state = State::Challenged(Box::new(Challenged {
            first,
            nonce: "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".into(),
            server_first: SERVER_FIRST.into(),
            verifier: ScramVerifier::derive(&Secret::new(*b"pencil"), &salt, 4096).unwrap(),
            principal: Some(Principal::new("user").unwrap()),
        }));
        server
    }

    // [RFC 7677 §3] test
    #[test]
    fn example_of_the_standard_is_accepted() {
        let mut server = challenged();
        let signature = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        let step = server.respond(Some(FINAL.as_bytes()));
        assert_eq!(step, ServerStep::Challenge(signature.into()));
        let user = Principal::new("user").unwrap();
        assert_eq!(server.respond(Some(b"")), ServerStep::Granted(user));
        assert_eq!(server.respond(Some(b"")), ServerStep::Malformed);
    }

    // [RFC 5802 §5-a, §5.1-a, §6-c] test
    #[test]
    fn last_message_that_is_changed_anywhere_is_refused() {
        for (at, octet) in FINAL.bytes().enumerate() {
            let mut changed = FINAL.as_bytes().to_vec();
            changed[at] = if octet == b'A' { b'B' } else { b'A' };
            let step = challenged().respond(Some(&changed));
            assert!(matches!(step, ServerStep::Denied | ServerStep::Malformed), "{at}: {step:?}");
        }
    }

    #[test]
    fn client_is_not_believed_before_it_ended_the_exchange() {
        let mut server = challenged();
        server.respond(Some(FINAL.as_bytes()));
        assert_eq!(server.respond(Some(b"more")), ServerStep::Malformed);
        assert_eq!(server.respond(Some(b"")), ServerStep::Malformed);
    }
}
