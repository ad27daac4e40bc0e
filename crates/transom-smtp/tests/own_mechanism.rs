//! A SASL mechanism of a host program, on both sides: what comes first, what follows, and who
//! gives up.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that panics has failed")]

use std::sync::Arc;
use std::time::Instant;

use transom_smtp::client::{ClientConfig, ClientEvent, ClientOutput, ClientSession, CloseReason};
use transom_smtp::codec::HelloName;
use transom_smtp::sasl::{
    AuthOffer, ClientContext, ClientExchange, ClientMechanism, ClientStep, Credentials, Question,
    ServerContext, ServerExchange, ServerMechanism, ServerStep, Verdict,
};
use transom_smtp::server::{Event, Notice, Output, ServerConfig, ServerSession};
use transom_types::{Principal, RemoteHost, Secret};

/// The client names itself, then says what comes behind each number that the server says.
#[derive(Clone, Copy, Debug)]
struct Counting {
    /// Whether the client waits to be asked for its name.
    waits: bool,
    /// Whether the server says what is no number.
    lies: bool,
    /// Whether the client miscounts.
    errs: bool,
}

const NAME: &str = "X-COUNTING";
const HONEST: Counting = Counting { waits: false, lies: false, errs: false };

impl ServerMechanism for Counting {
    fn name(&self) -> &'static str {
        NAME
    }

    fn reveals_secret(&self) -> bool {
        false
    }

    fn begin(&self, context: &ServerContext<'_>) -> Box<dyn ServerExchange> {
        assert!(context.offered.contains(&NAME));
        Box::new(CountingServer { lies: self.lies, user: None, said: 40 })
    }
}

#[derive(Debug)]
struct CountingServer {
    lies: bool,
    user: Option<String>,
    said: u32,
}

impl ServerExchange for CountingServer {
    fn respond(&mut self, response: Option<&[u8]>) -> ServerStep {
        let Some(response) = response else { return ServerStep::Challenge(Vec::new()) };
        let Ok(text) = String::from_utf8(response.to_vec()) else { return ServerStep::Malformed };
        match &self.user {
            None => self.user = Some(text),
            Some(_) if text != (self.said + 1).to_string() => return ServerStep::Denied,
            Some(user) if self.said == 42 => {
                let token = Secret::new(response);
                return ServerStep::Ask(Question::Token { user: Some(user.clone()), token });
            }
            Some(_) => {}
        }
        self.said += 1;
        let said = if self.lies { "many".to_owned() } else { self.said.to_string() };
        ServerStep::Challenge(said.into_bytes())
    }

    fn decide(&mut self, verdict: Verdict) -> ServerStep {
        match verdict {
            Verdict::Granted(principal) => ServerStep::Granted(principal),
            Verdict::Denied => ServerStep::Denied,
            _ => ServerStep::Unavailable,
        }
    }
}

impl ClientMechanism for Counting {
    fn name(&self) -> &'static str {
        NAME
    }

    fn begin(&self, _context: &ClientContext<'_>) -> Box<dyn ClientExchange> {
        Box::new(*self)
    }
}

impl ClientExchange for Counting {
    fn initial_response(&mut self) -> Option<Secret> {
        (!self.waits).then(|| Secret::new(*b"carol"))
    }

    fn respond(&mut self, challenge: &[u8]) -> ClientStep {
        if challenge.is_empty() {
            return ClientStep::Respond(Secret::new(*b"carol"));
        }
        let number: Option<u32> = str::from_utf8(challenge).ok().and_then(|text| text.parse().ok());
        match number {
            Some(number) => {
                let next = number + if self.errs { 2 } else { 1 };
                ClientStep::Respond(Secret::new(next.to_string().into_bytes()))
            }
            None => ClientStep::Cancel("the server cannot count"),
        }
    }

    fn may_succeed(&self) -> bool {
        true
    }
}

/// How a session between the two ended.
#[derive(Debug, PartialEq, Eq)]
struct End {
    principal: Option<Principal>,
    /// Why the client left, other than by its own QUIT.
    reason: CloseReason,
    /// The lines that the client said behind EHLO.
    said: Vec<String>,
}

fn talk(mechanism: Counting, lets_in: bool) -> End {
    #[expect(clippy::disallowed_methods, reason = "an origin for instants; no test waits")]
    let mut now = Instant::now();
    let offer = AuthOffer::default().with_before_tls(true).with_mechanism(Arc::new(mechanism));
    let config = ServerConfig::new("mx.example".parse().unwrap()).with_auth(offer);
    let mut server = ServerSession::new(Arc::new(config), false, now);
    let credentials = Credentials::mechanism(Arc::new(mechanism)).danger_use_without_tls(true);
    let remote = RemoteHost { name: "mx.example".into(), address: None };
    let name = HelloName::new("client.example").unwrap().into_owned();
    let config = ClientConfig::new(name, remote).with_credentials(credentials);
    let mut client = ClientSession::new(config, now);
    let mut end = End { principal: None, reason: CloseReason::Quit, said: Vec::new() };
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    loop {
        let step = client.poll(now, &to_client, &mut to_server);
        to_client.drain(..step.consumed);
        match step.output {
            ClientOutput::Event(ClientEvent::Ready) => {
                end.principal = server.principal().cloned();
                client.quit(now, &mut to_server);
            }
            ClientOutput::Wait(_) => {
                let text = String::from_utf8(std::mem::take(&mut to_server)).unwrap();
                end.said.extend(
                    text.lines().skip_while(|line| line.starts_with("EHLO")).map(Into::into),
                );
                serve(&mut server, &mut now, text.as_bytes(), &mut to_client, lets_in);
            }
            ClientOutput::Close(close) => {
                end.reason = close.reason;
                return end;
            }
            other => panic!("{other:?}"),
        }
    }
}

fn serve(
    server: &mut ServerSession,
    now: &mut Instant,
    said: &[u8],
    out: &mut Vec<u8>,
    lets_in: bool,
) {
    let mut unread = said;
    loop {
        let step = server.poll(*now, unread, out);
        unread = unread.get(step.consumed..).unwrap();
        match step.output {
            Output::Event(Event::Authenticate(Question::Token { user, token })) => {
                assert_eq!((user.as_deref(), token), (Some("carol"), Secret::new(*b"43")));
                let carol = Principal::new("carol").unwrap();
                let verdict = if lets_in { Verdict::Granted(carol) } else { Verdict::Denied };
                server.authenticate(verdict).unwrap();
            }
            Output::Event(_) => server.accept().unwrap(),
            Output::Pause(until) => *now = until,
            // A failure is told after a while.
            Output::Wait(Some(deadline)) if out.is_empty() => *now = deadline,
            Output::Wait(_) | Output::Close(_) => return,
            Output::Notice(Notice::Authenticated | Notice::AuthenticationFailed) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn own_mechanism_logs_in_with_and_without_an_initial_response() {
    let end = talk(HONEST, true);
    assert_eq!(end.principal, Some(Principal::new("carol").unwrap()));
    assert_eq!(end.said, ["AUTH X-COUNTING Y2Fyb2w=", "NDI=", "NDM=", "QUIT"]);
    let end = talk(Counting { waits: true, ..HONEST }, true);
    assert_eq!(end.principal, Some(Principal::new("carol").unwrap()));
    assert_eq!(end.said, ["AUTH X-COUNTING", "Y2Fyb2w=", "NDI=", "NDM=", "QUIT"]);
}

#[test]
fn own_mechanism_may_fail_on_either_side() {
    let denied = talk(HONEST, false);
    assert_eq!((denied.principal, denied.reason), (None, CloseReason::CredentialsRefused));
    let miscounted = talk(Counting { errs: true, ..HONEST }, true);
    assert_eq!((miscounted.principal, miscounted.reason), (None, CloseReason::CredentialsRefused));
}

#[test]
fn own_client_mechanism_cancels_what_it_does_not_trust() {
    let end = talk(Counting { lies: true, ..HONEST }, true);
    assert_eq!((end.principal, end.reason), (None, CloseReason::PeerNotTrusted));
    assert_eq!(end.said[..2], ["AUTH X-COUNTING Y2Fyb2w=", "*"]);
}
