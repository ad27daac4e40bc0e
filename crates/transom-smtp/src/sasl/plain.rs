//! PLAIN (RFC 4616).

use transom_types::{Principal, Secret};

use super::{
    ClientContext, ClientExchange, ClientMechanism, ClientStep, Question, ServerContext,
    ServerExchange, ServerMechanism, ServerStep, Verdict, name, optional_name, simple,
};

/// `PLAIN`: the password in one message. [RFC 4954 §4-t] both sides have it.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to set")]
pub struct Plain;

impl ServerMechanism for Plain {
    fn name(&self) -> &'static str {
        "PLAIN"
    }

    fn reveals_secret(&self) -> bool {
        true
    }

    fn begin(&self, _context: &ServerContext<'_>) -> Box<dyn ServerExchange> {
        Box::new(Self)
    }
}

impl ServerExchange for Plain {
    fn respond(&mut self, response: Option<&[u8]>) -> ServerStep {
        match response {
            None => ServerStep::Challenge(Vec::new()),
            Some(message) => parse(message).map_or(ServerStep::Malformed, ServerStep::Ask),
        }
    }

    fn decide(&mut self, verdict: Verdict) -> ServerStep {
        simple(verdict)
    }
}

/// `message = [authzid] UTF8NUL authcid UTF8NUL passwd`; no part holds a NUL.
fn parse(message: &[u8]) -> Option<Question> {
    let mut parts = message.split(|&octet| octet == 0);
    let (acting_as, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    // [RFC 4616 §2] the password is not empty, and nothing stands behind it.
    if parts.next().is_some() || password.is_empty() || str::from_utf8(password).is_err() {
        return None;
    }
    Some(Question::Password {
        user: name(user)?,
        acting_as: optional_name(acting_as).ok()?,
        password: Secret::new(password),
    })
}

/// `PLAIN` as a client.
#[derive(Clone, Debug)]
pub(super) struct PlainClient {
    pub(super) user: Principal,
    pub(super) password: Secret,
}

impl ClientMechanism for PlainClient {
    fn name(&self) -> &'static str {
        "PLAIN"
    }

    fn is_possible(&self, _context: &ClientContext<'_>) -> bool {
        !self.password.expose().contains(&0)
    }

    fn begin(&self, _context: &ClientContext<'_>) -> Box<dyn ClientExchange> {
        Box::new(self.clone())
    }
}

impl ClientExchange for PlainClient {
    fn initial_response(&mut self) -> Option<Secret> {
        let parts = [b"", self.user.as_str().as_bytes(), self.password.expose()];
        Some(Secret::new(parts.join(&0)))
    }

    fn respond(&mut self, _challenge: &[u8]) -> ClientStep {
        ClientStep::Cancel("PLAIN has no challenge")
    }

    fn may_succeed(&self) -> bool {
        true
    }
}
