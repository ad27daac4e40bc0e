//! AUTH as the client speaks it (RFC 4954).

use std::fmt;
use std::time::Instant;

use transom_types::{Reply, Secret, Severity};

use super::{ClientSession, CloseReason, State, findings};
use crate::codec::{Command, InitialResponse, Mechanism};
use crate::sasl::{Channel, ClientContext, ClientExchange, ClientStep, decode, encode_to};

/// [RFC 4954 §4-g] an initial response goes with the command only where the line is no longer than
/// any other command may be.
const COMMAND_OCTETS_MAX: usize = 512;

/// Most challenges of an exchange; no mechanism has nearly as many.
const CHALLENGES_MAX: usize = 16;

/// An exchange in progress.
pub(super) struct Exchange {
    mechanism: &'static str,
    machine: Box<dyn ClientExchange>,
    next: Next,
    /// How often the peer has asked.
    challenges: usize,
}

/// What is to be written.
enum Next {
    /// The command, with this as the first response where it fits.
    Command(Option<Secret>),
    /// The first response, which did not fit into the command, once the peer asks for it.
    Withheld(Secret),
    Response(Secret),
    /// The exchange is given up, for this reason.
    Cancel(&'static str),
    /// Nothing; it is the peer's turn.
    Nothing,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

impl ClientSession {
    /// Tells what TLS has told, for SCRAM with channel binding. Call it behind
    /// [`handle_tls_established`](Self::handle_tls_established), which forgets it, or at the
    /// beginning of a session with implicit TLS.
    pub fn set_channel(&mut self, channel: Channel) {
        self.channel = channel;
    }

    /// Whether the peer has accepted our credentials.
    pub fn is_authenticated(&self) -> bool {
        self.is_authenticated
    }

    /// Goes on to AUTH where there are credentials, and to [`State::Ready`] where there are none.
    pub(super) fn log_in(&mut self) {
        let Some(credentials) = &self.config.credentials else { return self.become_ready() };
        // [RFC 4954 §9-b] [RFC 7628 §4-a] nothing one could log in with goes out in the clear.
        // [RFC 7628 §4-a] secrets go out in TLS alone.
        if !self.is_secure && !credentials.danger_use_without_tls {
            return self.close(CloseReason::NoMechanism, findings::no_tls_for_credentials());
        }
        let nonce = self.config.nonce;
        let context = ClientContext::new(&self.channel, &self.capabilities.auth, nonce);
        let Some(mechanism) = credentials.choose(&context) else {
            return self
                .close(CloseReason::NoMechanism, findings::no_mechanism(self.masked.as_deref()));
        };
        let mut machine = mechanism.begin(&context);
        let next = Next::Command(machine.initial_response());
        let exchange = Exchange { mechanism: mechanism.name(), machine, next, challenges: 0 };
        // [RFC 4954 §4-u] nothing is written behind it before the reply.
        self.ask(State::Auth(Box::new(exchange)));
    }

    pub(super) fn on_auth_reply(&mut self, reply: &Reply) {
        let State::Auth(exchange) = &mut self.state else { return };
        let severity = reply.code().severity();
        if let Next::Cancel(why) = exchange.next {
            // Whatever the peer says to it, and even a success, was not honest.
            return self.close(CloseReason::PeerNotTrusted, findings::peer_not_trusted(why));
        }
        match severity {
            Severity::PositiveIntermediate => {
                exchange.on_challenge(reply.text());
                self.unsent = true;
            }
            Severity::PositiveCompletion if exchange.machine.may_succeed() => {
                self.is_authenticated = true;
                self.become_ready();
            }
            Severity::PositiveCompletion => {
                let why = "the peer ended the exchange before it proved anything";
                self.close(CloseReason::PeerNotTrusted, findings::peer_not_trusted(why));
            }
            Severity::TransientNegative => {
                let status = self.remote_status(reply);
                self.close(CloseReason::AuthenticationUnavailable, status);
            }
            Severity::PermanentNegative => {
                let status = self.remote_status(reply);
                self.close(CloseReason::CredentialsRefused, status);
            }
        }
    }

    pub(super) fn send_auth(&mut self, now: Instant, out: &mut Vec<u8>) {
        let timeout = self.config.timeouts.auth;
        if let State::Auth(exchange) = &mut self.state {
            exchange.write_to(out);
            self.set_deadline(now, timeout);
        }
    }
}

impl Exchange {
    fn on_challenge(&mut self, challenge: &str) {
        self.challenges = self.challenges.saturating_add(1);
        if self.challenges > CHALLENGES_MAX {
            self.next = Next::Cancel("the peer asks without end");
            return;
        }
        if let Next::Withheld(_) = self.next {
            // [RFC 4954 §4] the peer asks for the first response with an empty challenge.
            if challenge.is_empty()
                && let Next::Withheld(first) = std::mem::replace(&mut self.next, Next::Nothing)
            {
                self.next = Next::Response(first);
                return;
            }
            self.next = Next::Cancel("the peer speaks first where it must not");
            return;
        }
        // [RFC 4954 §4-l, §4-m] strict base64.
        let challenge = decode(challenge.trim_ascii().as_bytes());
        let step = challenge.map(|challenge| self.machine.respond(challenge.expose()));
        self.next = match step {
            Some(ClientStep::Respond(response)) => Next::Response(response),
            Some(ClientStep::Cancel(why)) => Next::Cancel(why),
            None => Next::Cancel("a challenge is no base64"),
        };
    }

    fn write_to(&mut self, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.next, Next::Nothing) {
            Next::Command(initial) => self.write_command(initial, out),
            Next::Response(response) => {
                encode_to(response.expose(), out);
                out.extend_from_slice(b"\r\n");
            }
            // [RFC 4954 §4-k] the peer answers it with 501.
            Next::Cancel(why) => {
                out.extend_from_slice(b"*\r\n");
                self.next = Next::Cancel(why);
            }
            Next::Withheld(first) => self.next = Next::Withheld(first),
            Next::Nothing => {}
        }
    }

    fn write_command(&mut self, initial: Option<Secret>, out: &mut Vec<u8>) {
        let Ok(mechanism) = Mechanism::new(self.mechanism) else { return };
        let Some(initial) = initial else {
            return Command::Auth { mechanism, initial_response: None }.write_to(out);
        };
        let mut base64 = Vec::new();
        encode_to(initial.expose(), &mut base64);
        let text = Secret::new(base64);
        let response = str::from_utf8(text.expose()).ok();
        let response = response.and_then(|text| InitialResponse::from_base64(text).ok());
        // `AUTH`, two spaces, CRLF, and `=` where there is nothing.
        let around = self.mechanism.len().saturating_add(9);
        let fits = text.expose().len().saturating_add(around) <= COMMAND_OCTETS_MAX;
        match response {
            Some(initial_response) if fits => {
                let initial_response = Some(initial_response);
                Command::Auth { mechanism, initial_response }.write_to(out);
            }
            _ => {
                Command::Auth { mechanism, initial_response: None }.write_to(out);
                self.next = Next::Withheld(initial);
            }
        }
    }
}
