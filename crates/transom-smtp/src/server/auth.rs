//! AUTH (RFC 4954): the command, the responses behind it, and what the application says to them.

use std::time::{Duration, Instant};

use transom_types::{Principal, Reply, Secret};

use super::{
    Answer, ApiMisuse, Close, Event, FixedReply, Notice, Open, Output, ServerSession, State, Turn,
};
use crate::sasl::{
    Channel, LINE_OCTETS_MAX, Question, ServerContext, ServerExchange, ServerStep, Verdict, decode,
    encode_to,
};

/// An exchange in progress, or the end of one that failed.
#[derive(Debug)]
pub(super) struct Authentication {
    exchange: Box<dyn ServerExchange>,
    failure: Option<Failure>,
    /// What stood behind AUTH, until the exchange begins.
    initial: Option<Secret>,
    /// Who the client has shown to be, until the application has agreed.
    shown: Option<Principal>,
}

#[derive(Debug)]
struct Failure {
    reply: Reply,
    told_at: Option<Instant>,
}

impl ServerSession {
    /// Who the client has shown to be. It is forgotten by STARTTLS and XCLIENT and by nothing
    /// else, and no other session ever has it: ask anew for each decision, and keep no copy.
    pub fn principal(&self) -> Option<&Principal> {
        self.principal.as_ref()
    }

    /// Tells what TLS has told, for SCRAM with channel binding and for EXTERNAL. Call it behind
    /// [`handle_tls_established`](Self::handle_tls_established), which forgets it, or at the
    /// beginning of a session with implicit TLS.
    pub fn set_channel(&mut self, channel: Channel) {
        self.channel = Some(Box::new(channel));
    }

    /// Answers [`Event::Authenticate`].
    ///
    /// # Errors
    ///
    /// Where no such event is open, or the verdict does not fit the question: a verifier is given
    /// where one is asked for and nowhere else, and where it is asked for nobody is granted
    /// anything yet.
    pub fn authenticate(&mut self, verdict: Verdict) -> Result<(), ApiMisuse> {
        let Some(open) = self.open.filter(|_| self.answer.is_none()) else {
            return Err(ApiMisuse::NoOpenEvent);
        };
        let fits = match (open, &verdict) {
            (Open::Authenticate { verifier }, Verdict::Verifier { .. }) => verifier,
            (Open::Authenticate { verifier }, Verdict::Granted(_)) => !verifier,
            (Open::Authenticate { .. }, Verdict::Denied | Verdict::Unavailable) => true,
            _ => false,
        };
        if !fits {
            return Err(ApiMisuse::WrongAnswer { command: open.name() });
        }
        self.answer = Some(Answer::Verdict(Box::new(verdict)));
        Ok(())
    }

    /// What EHLO announces: exactly what AUTH would take now.
    pub(super) fn mechanisms_offered(&self) -> Vec<&'static str> {
        // [RFC 4954 §4-b] behind a success no further AUTH is taken.
        if self.principal.is_some() || self.needs_tls() {
            return Vec::new();
        }
        let nothing = Channel::default();
        self.config.auth.names(self.tls, self.channel.as_deref().unwrap_or(&nothing))
    }

    /// The longest line that may stand here.
    pub(super) fn line_octets_max(&self, input: &[u8]) -> usize {
        let command_max = self.config.limits.command_line_octets_max;
        // [RFC 4954 §4-n] AUTH with its initial response, and each response, may be longer.
        let is_auth = self.state == State::Authenticating
            || input.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "));
        if is_auth { command_max.max(LINE_OCTETS_MAX) } else { command_max }
    }

    /// A line was too long. An exchange ends with it.
    pub(super) fn too_long(&mut self) -> FixedReply {
        if self.state != State::Authenticating {
            return FixedReply::LineTooLong;
        }
        self.cancel_authentication();
        FixedReply::ResponseTooLong
    }

    /// Ends an exchange, where there is one.
    pub(super) fn cancel_authentication(&mut self) {
        if self.state == State::Authenticating {
            self.state = State::Identified;
            self.authentication = None;
        }
    }

    /// The command. `initial` is the initial response in base64.
    pub(super) fn auth<'i>(
        &mut self,
        mechanism: &str,
        initial: Option<&str>,
        out: &mut Vec<u8>,
    ) -> Turn<'i> {
        if let Some(refusal) = self.auth_refusal() {
            return self.error(refusal, out);
        }
        let offered = self.mechanisms_offered();
        let Some(found) = self.config.auth.find(mechanism) else {
            return self.error(FixedReply::MechanismUnknown, out);
        };
        if !offered.contains(&found.name()) {
            let needs_tls = !self.config.auth.may_use(found.as_ref(), self.tls);
            let refusal = if needs_tls {
                FixedReply::MechanismNeedsTls
            } else {
                FixedReply::MechanismUnknown
            };
            return self.error(refusal, out);
        }
        let initial = match initial.map(|text| decode(text.as_bytes())) {
            Some(None) => return self.error(FixedReply::ResponseMalformed, out),
            decoded => decoded.flatten(),
        };
        let nothing = Channel::default();
        let channel = self.channel.as_deref().unwrap_or(&nothing);
        let exchange = found.begin(&ServerContext::new(channel, &offered));
        let authentication = Authentication { exchange, failure: None, initial, shown: None };
        self.authentication = Some(Box::new(authentication));
        if self.config.ask_all {
            return self.ask(Open::Auth, Event::Auth { mechanism: mechanism.to_owned() });
        }
        self.begin_exchange(out)
    }

    /// The application has nothing against AUTH.
    pub(super) fn begin_exchange<'i>(&mut self, out: &mut Vec<u8>) -> Turn<'i> {
        let Some(authentication) = &mut self.authentication else { return Turn::consumed(0) };
        let initial = authentication.initial.take();
        let step = authentication.exchange.respond(initial.as_ref().map(Secret::expose));
        self.state = State::Authenticating;
        self.exchange_step(step, out)
    }

    /// The application has nothing against who the client is.
    pub(super) fn authenticated<'i>(&mut self, out: &mut Vec<u8>) -> Turn<'i> {
        let shown = self.authentication.as_mut().and_then(|shown| shown.shown.take());
        self.cancel_authentication();
        self.principal = shown;
        self.say_fixed(FixedReply::Authenticated, out);
        Turn::output(Output::Notice(Notice::Authenticated))
    }

    fn auth_refusal(&self) -> Option<FixedReply> {
        match self.state {
            // [RFC 4954 §4-c] 503 in a transaction.
            State::Envelope | State::Chunks => Some(FixedReply::InTransaction),
            State::Identified if !self.esmtp => Some(FixedReply::SendHello),
            State::Identified if self.config.auth.mechanisms.is_empty() => {
                Some(FixedReply::AuthNotOffered)
            }
            State::Identified if self.needs_tls() => Some(FixedReply::NeedTls),
            State::Identified if self.principal.is_some() => Some(FixedReply::AlreadyAuthenticated),
            State::Identified => None,
            _ => Some(FixedReply::SendHello),
        }
    }

    /// A line inside an exchange.
    pub(super) fn response<'i>(
        &mut self,
        line: &[u8],
        behind: &[u8],
        out: &mut Vec<u8>,
    ) -> Turn<'i> {
        // Each line has its reply, which the client awaits.
        if !behind.is_empty() {
            return self.close(FixedReply::Pipelining, Close::Pipelining, out);
        }
        // [RFC 4954 §4-e] a lone asterisk cancels.
        if line == b"*" {
            self.cancel_authentication();
            return self.error(FixedReply::AuthenticationCancelled, out);
        }
        // [RFC 4954 §4-j, §4-l, §4-m] 501 to all that is no base64.
        let Some(response) = decode(line) else {
            self.cancel_authentication();
            return self.error(FixedReply::ResponseMalformed, out);
        };
        let Some(authentication) = &mut self.authentication else { return Turn::consumed(0) };
        let step = authentication.exchange.respond(Some(response.expose()));
        self.exchange_step(step, out)
    }

    /// The application has answered the exchange's question.
    pub(super) fn judged<'i>(
        &mut self,
        verdict: Verdict,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Turn<'i> {
        if !input.is_empty() {
            return self.close(FixedReply::Pipelining, Close::Pipelining, out);
        }
        let Some(authentication) = &mut self.authentication else { return Turn::consumed(0) };
        let step = authentication.exchange.decide(verdict);
        self.exchange_step(step, out)
    }

    fn exchange_step<'i>(&mut self, step: ServerStep, out: &mut Vec<u8>) -> Turn<'i> {
        match step {
            ServerStep::Challenge(challenge) => {
                // [RFC 4954 §4-d, §4-f] 334 carries base64 alone, so it can hold no line end.
                out.extend_from_slice(b"334 ");
                encode_to(&challenge, out);
                out.extend_from_slice(b"\r\n");
                Turn::consumed(0)
            }
            ServerStep::Ask(question) => {
                let verifier = matches!(question, Question::ScramVerifier { .. });
                self.ask(Open::Authenticate { verifier }, Event::Authenticate(question))
            }
            ServerStep::Granted(principal) => {
                if let Some(authentication) = &mut self.authentication {
                    authentication.shown = Some(principal.clone());
                }
                if self.config.ask_all {
                    let event = Event::EndOfAuthentication { principal };
                    return self.ask(Open::EndOfAuthentication, event);
                }
                self.authenticated(out)
            }
            ServerStep::Denied => {
                self.authentication_refused(self.fixed(FixedReply::CredentialsInvalid), true)
            }
            ServerStep::Malformed => {
                self.cancel_authentication();
                self.error(FixedReply::ResponseMalformed, out)
            }
            ServerStep::Unavailable => {
                let reply = self.fixed(FixedReply::AuthenticationUnavailable);
                self.authentication_refused(reply, false)
            }
        }
    }

    /// The exchange has failed. Only what is the client's fault counts, and is told late.
    pub(super) fn authentication_refused<'i>(&mut self, reply: Reply, at_fault: bool) -> Turn<'i> {
        let interval = if at_fault {
            self.logon_failures = self.logon_failures.saturating_add(1);
            self.config.limits.auth_tarpit_interval
        } else {
            Duration::ZERO
        };
        self.state = State::AuthenticationFailed;
        if let Some(authentication) = &mut self.authentication {
            let told_at = self.clock.in_future(interval);
            authentication.failure = Some(Failure { reply, told_at });
        }
        Turn::output(Output::Notice(Notice::AuthenticationFailed))
    }

    /// Tells of the failure when its time has come.
    pub(super) fn tell_failure<'i>(&mut self, input: &[u8], out: &mut Vec<u8>) -> Turn<'i> {
        if !input.is_empty() {
            return self.close(FixedReply::Pipelining, Close::Pipelining, out);
        }
        if self.eof {
            return Turn::output(self.closed(Close::PeerClosed));
        }
        // A server that shuts down waits for no delay.
        let failure = self.authentication.take_if(|failed| {
            let due = |failure: &Failure| self.clock.has_come(failure.told_at);
            self.draining || failed.failure.as_ref().is_none_or(due)
        });
        let Some(authentication) = failure else {
            let failure = self.authentication.as_ref().and_then(|failed| failed.failure.as_ref());
            return Turn::output(Output::Wait(failure.and_then(|failure| failure.told_at)));
        };
        self.clock.restart_command(&self.config.limits);
        if self.logon_failures >= self.config.limits.logon_failures_max {
            return self.close(FixedReply::TooManyLogonFailures, Close::LogonFailures, out);
        }
        self.state = State::Identified;
        let unavailable = || self.fixed(FixedReply::AuthenticationUnavailable);
        let reply = authentication.failure.map_or_else(unavailable, |failure| failure.reply);
        self.say(&reply, out);
        Turn::consumed(0)
    }
}
