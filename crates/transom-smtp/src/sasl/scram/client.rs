//! The client's side.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use transom_types::scram::ScramKeys;
use transom_types::{Principal, Secret};

use super::super::bearer::escape;
use super::super::{ClientContext, ClientExchange, ClientMechanism, ClientStep, Nonce};
use super::messages::{auth_message, server_final, server_first};
use super::{NAME, NAME_PLUS, binding};

/// SCRAM with a user's password.
#[derive(Clone, Debug)]
pub(in super::super) struct ScramClient {
    pub(in super::super) user: Principal,
    pub(in super::super) password: Secret,
    pub(in super::super) plus: bool,
}

impl ClientMechanism for ScramClient {
    fn name(&self) -> &'static str {
        if self.plus { NAME_PLUS } else { NAME }
    }

    fn is_possible(&self, context: &ClientContext<'_>) -> bool {
        context.nonce.is_some() && (!self.plus || context.channel.has_binding())
    }

    fn begin(&self, context: &ClientContext<'_>) -> Box<dyn ClientExchange> {
        // [RFC 9266 §3] the exporter where there is one.
        let bound = ["tls-exporter", "tls-server-end-point"]
            .into_iter()
            .find_map(|name| Some((name, binding(context.channel, name)?)));
        // [RFC 5802 §6-b, §6-d] a server that offers the binding sees by `y` that it was hidden.
        let (header, octets) = match bound {
            Some((name, octets)) if self.plus => (format!("p={name},,"), octets),
            Some(_) => ("y,,".to_owned(), &[][..]),
            None => ("n,,".to_owned(), &[][..]),
        };
        Box::new(ScramExchange {
            password: self.password.clone(),
            bare: format!(
                "n={},r={}",
                escape(self.user.as_str()),
                context.nonce.as_ref().map(Nonce::printed).unwrap_or_default()
            ),
            nonce: context.nonce.as_ref().map(Nonce::printed).unwrap_or_default(),
            binding: STANDARD.encode([header.as_bytes(), octets].concat()),
            header,
            state: State::Begun,
        })
    }
}

#[derive(Debug)]
struct ScramExchange {
    password: Secret,
    header: String,
    bare: String,
    nonce: String,
    /// The gs2 header and the octets of the channel, in base64.
    binding: String,
    state: State,
}

#[derive(Debug)]
enum State {
    Begun,
    /// The server has to prove that it knows the password.
    Proving {
        keys: ScramKeys,
        auth_message: Vec<u8>,
    },
    Proved,
    Over,
}

impl ScramExchange {
    fn server_first(&mut self, challenge: &[u8]) -> ClientStep {
        let first = str::from_utf8(challenge).ok();
        let Some((text, first)) = first.and_then(|text| Some((text, server_first(text)?))) else {
            return ClientStep::Cancel("the server's first message is none of SCRAM");
        };
        // [RFC 5802 §5.1-a, §5.1-c] the nonce has our half, and one of the server's.
        if first.nonce.strip_prefix(&self.nonce).is_none_or(str::is_empty) {
            return ClientStep::Cancel("the server's nonce is not based on ours");
        }
        // A few iterations would make the proof easy to break, many would keep us busy.
        let Ok(keys) = ScramKeys::derive(&self.password, &first.salt, first.iterations) else {
            return ClientStep::Cancel("the server's salt or iterations are out of bounds");
        };
        let without_proof = format!("c={},r={}", self.binding, first.nonce);
        let auth_message = auth_message(&self.bare, text, &without_proof);
        let proof = STANDARD.encode(keys.client_proof(&auth_message));
        self.state = State::Proving { keys, auth_message };
        ClientStep::Respond(Secret::new(format!("{without_proof},p={proof}").into_bytes()))
    }
}

impl ClientExchange for ScramExchange {
    fn initial_response(&mut self) -> Option<Secret> {
        Some(Secret::new(format!("{}{}", self.header, self.bare).into_bytes()))
    }

    fn respond(&mut self, challenge: &[u8]) -> ClientStep {
        // [RFC 5802 §5-c] each message at its place, and none twice.
        match std::mem::replace(&mut self.state, State::Over) {
            State::Begun => self.server_first(challenge),
            State::Proving { keys, auth_message } => {
                let signature = server_final(challenge).unwrap_or_default();
                // [RFC 5802 §5-b] it has to prove that it knows the password.
                if !keys.accepts_signature(&auth_message, &signature) {
                    return ClientStep::Cancel("the server does not know the password");
                }
                self.state = State::Proved;
                ClientStep::Respond(Secret::new(*b""))
            }
            State::Proved | State::Over => ClientStep::Cancel("SCRAM has no further challenge"),
        }
    }

    fn may_succeed(&self) -> bool {
        matches!(self.state, State::Proved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                                s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    fn exchange() -> ScramExchange {
        ScramExchange {
            password: Secret::new(*b"pencil"),
            header: "n,,".into(),
            bare: format!("n=user,r={NONCE}"),
            nonce: NONCE.into(),
            binding: STANDARD.encode("n,,"),
            state: State::Begun,
        }
    }

    fn said(step: ClientStep) -> String {
        let ClientStep::Respond(secret) = step else { panic!("{step:?}") };
        String::from_utf8(secret.expose().to_vec()).unwrap()
    }

    // [RFC 7677 §3] test
    #[test]
    fn example_of_the_standard_is_spoken_octet_by_octet() {
        let mut exchange = exchange();
        let first = exchange.initial_response().unwrap();
        assert_eq!(first.expose(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        assert_eq!(
            said(exchange.respond(SERVER_FIRST.as_bytes())),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(!exchange.may_succeed());
        let last = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(said(exchange.respond(last)), "");
        assert!(exchange.may_succeed());
    }

    // [RFC 5802 §5.1-a, §5.1-b, §5.1-c] test
    #[test]
    fn server_that_does_not_play_by_the_rules_is_left() {
        for challenge in [
            "",
            "e=other-error",
            "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", // no half of its own
            "r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=600001",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=99999999999",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=-4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=?,i=4096",
            "m=news,r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        ] {
            let mut exchange = exchange();
            let step = exchange.respond(challenge.as_bytes());
            assert!(matches!(step, ClientStep::Cancel(_)), "{challenge}: {step:?}");
            assert!(!exchange.may_succeed(), "{challenge}");
        }
    }

    // [RFC 5802 §5-b, §5-c] test
    #[test]
    fn server_that_does_not_know_the_password_is_left() {
        for last in [
            "v=AAAATRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            "v=",
            "e=invalid-proof",
            "",
            SERVER_FIRST,
        ] {
            let mut exchange = exchange();
            said(exchange.respond(SERVER_FIRST.as_bytes()));
            let step = exchange.respond(last.as_bytes());
            assert_eq!(step, ClientStep::Cancel("the server does not know the password"));
            assert!(!exchange.may_succeed(), "{last}");
        }
    }
}
