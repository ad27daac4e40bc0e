//! LOGIN: no standard, but spoken by many clients (draft-murchison-sasl-login).

use transom_types::{Principal, Secret};

use super::{
    ClientContext, ClientExchange, ClientMechanism, ClientStep, Question, ServerContext,
    ServerExchange, ServerMechanism, ServerStep, Verdict, name, simple,
};

/// `LOGIN`: user and password, each asked for.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to set")]
pub struct Login;

impl ServerMechanism for Login {
    fn name(&self) -> &'static str {
        "LOGIN"
    }

    fn reveals_secret(&self) -> bool {
        true
    }

    fn begin(&self, _context: &ServerContext<'_>) -> Box<dyn ServerExchange> {
        Box::new(LoginServer { user: None })
    }
}

#[derive(Debug)]
struct LoginServer {
    user: Option<String>,
}

impl ServerExchange for LoginServer {
    fn respond(&mut self, response: Option<&[u8]>) -> ServerStep {
        // Clients look at these words, so they are Exchange's to the letter.
        let Some(response) = response else { return ServerStep::Challenge(b"Username:".into()) };
        let Some(user) = self.user.take() else {
            self.user = name(response);
            return match self.user {
                Some(_) => ServerStep::Challenge(b"Password:".into()),
                None => ServerStep::Malformed,
            };
        };
        if response.is_empty() || response.contains(&0) || str::from_utf8(response).is_err() {
            return ServerStep::Malformed;
        }
        let password = Secret::new(response);
        ServerStep::Ask(Question::Password { user, acting_as: None, password })
    }

    fn decide(&mut self, verdict: Verdict) -> ServerStep {
        simple(verdict)
    }
}

/// `LOGIN` as a client. What the server asks for is not looked at: servers word it differently,
/// and the order is fixed.
#[derive(Clone, Debug)]
pub(super) struct LoginClient {
    pub(super) user: Principal,
    pub(super) password: Secret,
    pub(super) asked: u8,
}

impl ClientMechanism for LoginClient {
    fn name(&self) -> &'static str {
        "LOGIN"
    }

    fn begin(&self, _context: &ClientContext<'_>) -> Box<dyn ClientExchange> {
        Box::new(self.clone())
    }
}

impl ClientExchange for LoginClient {
    fn initial_response(&mut self) -> Option<Secret> {
        None
    }

    fn respond(&mut self, _challenge: &[u8]) -> ClientStep {
        self.asked = self.asked.saturating_add(1);
        match self.asked {
            1 => ClientStep::Respond(Secret::new(self.user.as_str().as_bytes())),
            2 => ClientStep::Respond(self.password.clone()),
            _ => ClientStep::Cancel("LOGIN has two challenges and no third"),
        }
    }

    fn may_succeed(&self) -> bool {
        true
    }
}
