//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677): the messages and their order. What
//! is computed from a password is in [`transom_types::scram`].

mod client;
mod messages;
mod server;

use transom_types::Secret;

use super::{Channel, ServerContext, ServerExchange, ServerMechanism};
use server::{Expected, ScramServer};

pub(super) use client::ScramClient;

pub(super) const NAME: &str = "SCRAM-SHA-256";
pub(super) const NAME_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// `SCRAM-SHA-256`, or with channel binding `SCRAM-SHA-256-PLUS`.
///
/// A user who does not exist is led through the same steps as one who does. `Debug` does not show
/// the key of the decoys.
#[derive(Clone, Debug)]
pub struct ScramSha256 {
    decoy_key: Secret,
    plus: bool,
}

impl ScramSha256 {
    /// Without channel binding.
    pub fn new(decoy_key: Secret) -> Self {
        Self { decoy_key, plus: false }
    }

    /// With channel binding; possible where the channel has one.
    pub fn plus(decoy_key: Secret) -> Self {
        Self { decoy_key, plus: true }
    }
}

impl ServerMechanism for ScramSha256 {
    fn name(&self) -> &'static str {
        if self.plus { NAME_PLUS } else { NAME }
    }

    fn reveals_secret(&self) -> bool {
        false
    }

    fn is_possible(&self, channel: &Channel) -> bool {
        !self.plus || channel.has_binding()
    }

    fn begin(&self, context: &ServerContext<'_>) -> Box<dyn ServerExchange> {
        let expected = if self.plus {
            Expected::Binding(context.channel.clone())
        } else if context.offered.contains(&NAME_PLUS) {
            Expected::NoneThoughOffered
        } else {
            Expected::None
        };
        Box::new(ScramServer::new(self.decoy_key.clone(), expected))
    }
}

/// The octets of a channel binding by its registered name.
fn binding<'c>(channel: &'c Channel, name: &str) -> Option<&'c [u8]> {
    match name {
        "tls-exporter" => channel.tls_exporter.as_ref().map(<[u8; 32]>::as_slice),
        "tls-server-end-point" => channel.tls_server_end_point.as_deref(),
        _ => None,
    }
}
