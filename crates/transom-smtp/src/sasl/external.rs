//! EXTERNAL (RFC 4422 appendix A): who the client is, TLS has told.

use transom_types::Secret;

use super::{
    Channel, ClientContext, ClientExchange, ClientMechanism, ClientStep, Question, ServerContext,
    ServerExchange, ServerMechanism, ServerStep, Verdict, optional_name, simple,
};

/// `EXTERNAL`: offered where the channel has an
/// [`external_identity`](Channel::external_identity).
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to set")]
pub struct External;

impl ServerMechanism for External {
    fn name(&self) -> &'static str {
        "EXTERNAL"
    }

    fn reveals_secret(&self) -> bool {
        false
    }

    fn is_possible(&self, channel: &Channel) -> bool {
        channel.external_identity.is_some()
    }

    fn begin(&self, context: &ServerContext<'_>) -> Box<dyn ServerExchange> {
        Box::new(ExternalServer { identity: context.channel.external_identity.clone() })
    }
}

#[derive(Debug)]
struct ExternalServer {
    identity: Option<String>,
}

impl ServerExchange for ExternalServer {
    fn respond(&mut self, response: Option<&[u8]>) -> ServerStep {
        let Some(response) = response else { return ServerStep::Challenge(Vec::new()) };
        let Ok(acting_as) = optional_name(response) else { return ServerStep::Malformed };
        match self.identity.take() {
            Some(identity) => ServerStep::Ask(Question::External { identity, acting_as }),
            None => ServerStep::Denied,
        }
    }

    fn decide(&mut self, verdict: Verdict) -> ServerStep {
        simple(verdict)
    }
}

/// `EXTERNAL` as a client.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExternalClient;

impl ClientMechanism for ExternalClient {
    fn name(&self) -> &'static str {
        "EXTERNAL"
    }

    fn begin(&self, _context: &ClientContext<'_>) -> Box<dyn ClientExchange> {
        Box::new(Self)
    }
}

impl ClientExchange for ExternalClient {
    fn initial_response(&mut self) -> Option<Secret> {
        // [RFC 4422 §A.1] empty: as whom the certificate says.
        Some(Secret::new(*b""))
    }

    fn respond(&mut self, _challenge: &[u8]) -> ClientStep {
        ClientStep::Cancel("EXTERNAL has no challenge")
    }

    fn may_succeed(&self) -> bool {
        true
    }
}
