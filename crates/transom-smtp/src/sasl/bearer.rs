//! OAUTHBEARER (RFC 7628) and its forerunner XOAUTH2: a token that somebody else gave out.

use transom_types::{Principal, Secret};

use super::{
    ClientContext, ClientExchange, ClientMechanism, ClientStep, Question, ServerContext,
    ServerExchange, ServerMechanism, ServerStep, Verdict, name, simple,
};

/// Between the parts of a message: Control-A.
const SEPARATOR: u8 = 1;

/// `OAUTHBEARER` (RFC 7628).
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to set")]
pub struct OauthBearer;

/// `XOAUTH2`, as Google and Microsoft describe it.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to set")]
pub struct XOauth2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    OauthBearer,
    XOauth2,
}

impl Dialect {
    fn name(self) -> &'static str {
        match self {
            Self::OauthBearer => "OAUTHBEARER",
            Self::XOauth2 => "XOAUTH2",
        }
    }
}

impl ServerMechanism for OauthBearer {
    fn name(&self) -> &'static str {
        Dialect::OauthBearer.name()
    }

    fn reveals_secret(&self) -> bool {
        true
    }

    fn begin(&self, _context: &ServerContext<'_>) -> Box<dyn ServerExchange> {
        Box::new(BearerServer { dialect: Dialect::OauthBearer, denied: false })
    }
}

impl ServerMechanism for XOauth2 {
    fn name(&self) -> &'static str {
        Dialect::XOauth2.name()
    }

    fn reveals_secret(&self) -> bool {
        true
    }

    fn begin(&self, _context: &ServerContext<'_>) -> Box<dyn ServerExchange> {
        Box::new(BearerServer { dialect: Dialect::XOauth2, denied: false })
    }
}

#[derive(Debug)]
struct BearerServer {
    dialect: Dialect,
    /// The error was told; what the client says to it does not matter.
    denied: bool,
}

impl ServerExchange for BearerServer {
    fn respond(&mut self, response: Option<&[u8]>) -> ServerStep {
        let Some(message) = response else { return ServerStep::Challenge(Vec::new()) };
        if self.denied {
            return ServerStep::Denied;
        }
        let question = match self.dialect {
            Dialect::OauthBearer => oauthbearer(message),
            Dialect::XOauth2 => xoauth2(message),
        };
        question.map_or(ServerStep::Malformed, ServerStep::Ask)
    }

    fn decide(&mut self, verdict: Verdict) -> ServerStep {
        let step = simple(verdict);
        if step != ServerStep::Denied {
            return step;
        }
        // [RFC 7628 §3.2.2-a] the error is a challenge, which the client answers before it is told
        // that it failed.
        self.denied = true;
        let error: &[u8] = match self.dialect {
            Dialect::OauthBearer => br#"{"status":"invalid_token","schemes":"bearer"}"#,
            Dialect::XOauth2 => br#"{"status":"401","schemes":"bearer"}"#,
        };
        ServerStep::Challenge(error.into())
    }
}

/// `client-resp = gs2-header kvsep *kvpair kvsep` (RFC 7628 §3.1).
fn oauthbearer(message: &[u8]) -> Option<Question> {
    let (header, pairs) = split(message, SEPARATOR)?;
    let header = header.strip_suffix(b",")?;
    let (flag, authorization) = split(header, b',')?;
    // [RFC 7628 §3.1-b, §3.1-c] channel binding is not used here, so nobody may ask for it.
    if !matches!(flag, b"n" | b"y") {
        return None;
    }
    let user = match authorization {
        b"" => None,
        given => Some(name(&unescape(given.strip_prefix(b"a=")?)?)?),
    };
    Some(Question::Token { user, token: token(pairs)? })
}

/// `user=` name, `auth=Bearer` token, each with a Control-A behind it, and one more.
fn xoauth2(message: &[u8]) -> Option<Question> {
    let (user, pairs) = split(message, SEPARATOR)?;
    let user = Some(name(user.strip_prefix(b"user=")?)?);
    Some(Question::Token { user, token: token(pairs)? })
}

/// The one token among the pairs `key "=" value kvsep`, with an empty one at the end.
fn token(pairs: &[u8]) -> Option<Secret> {
    let pairs = pairs.strip_suffix(&[SEPARATOR])?;
    let mut found = None;
    for pair in pairs.split_inclusive(|&octet| octet == SEPARATOR) {
        let (key, value) = split(pair.strip_suffix(&[SEPARATOR])?, b'=')?;
        if key != b"auth" {
            continue;
        }
        let (scheme, token) = split(value, b' ')?;
        let right = scheme.eq_ignore_ascii_case(b"bearer")
            && !token.is_empty()
            && token.iter().all(u8::is_ascii_graphic);
        // Two tokens, and another part might have looked at the other one.
        if !right || found.replace(Secret::new(token)).is_some() {
            return None;
        }
    }
    found
}

fn split(octets: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let mut parts = octets.splitn(2, |&octet| octet == at);
    Some((parts.next()?, parts.next()?))
}

/// `saslname`: `=2C` is a comma and `=3D` an equals sign (RFC 5802 §5.1).
pub(super) fn unescape(name: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name;
    loop {
        rest = match rest {
            [] => return Some(plain),
            [b'=', b'2', b'C', rest @ ..] => {
                plain.push(b',');
                rest
            }
            [b'=', b'3', b'D', rest @ ..] => {
                plain.push(b'=');
                rest
            }
            [b'=' | b',', ..] => return None,
            [octet, rest @ ..] => {
                plain.push(*octet);
                rest
            }
        };
    }
}

pub(super) fn escape(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

/// A token as a client.
#[derive(Clone, Debug)]
pub(super) struct BearerClient {
    pub(super) dialect: Dialect,
    pub(super) user: Principal,
    pub(super) token: Secret,
}

impl ClientMechanism for BearerClient {
    fn name(&self) -> &'static str {
        self.dialect.name()
    }

    fn is_possible(&self, _context: &ClientContext<'_>) -> bool {
        !self.token.expose().is_empty() && self.token.expose().iter().all(u8::is_ascii_graphic)
    }

    fn begin(&self, _context: &ClientContext<'_>) -> Box<dyn ClientExchange> {
        Box::new(self.clone())
    }
}

impl ClientExchange for BearerClient {
    fn initial_response(&mut self) -> Option<Secret> {
        let user = self.user.as_str();
        // [RFC 7628 §3.1-a] the GS2 header first.
        let head = match self.dialect {
            Dialect::OauthBearer => format!("n,a={},", escape(user)),
            Dialect::XOauth2 => format!("user={user}"),
        };
        let parts = [head.as_bytes(), b"\x01auth=Bearer ", self.token.expose(), b"\x01\x01"];
        Some(Secret::new(parts.concat()))
    }

    /// The only challenge is the server's error, which wants an answer before the failure is said.
    fn respond(&mut self, _challenge: &[u8]) -> ClientStep {
        ClientStep::Respond(match self.dialect {
            // [RFC 7628 §3.2.2-b] one octet.
            Dialect::OauthBearer => Secret::new([SEPARATOR]),
            Dialect::XOauth2 => Secret::new(*b""),
        })
    }

    fn may_succeed(&self) -> bool {
        true
    }
}
