//! A receive agent and a routing agent of a program's own.
//!
//! Usage: `custom_agent ADDR FOLDER`. Only friends write to the boss; secrets need TLS.
#![expect(clippy::print_stdout, reason = "it talks to a person")]

use std::{error::Error, time::Duration};

use transom::agent::{
    AgentEvent, AgentEvents, AgentSettings, Effect, Effects, MessageView, ReceiveAgent,
    RoutingAgent, SessionView, Verdict, async_trait,
};
use transom::types::{EnhancedStatusCode, Recipient, Reply, ReplyCode};
use transom::{AcceptedDomain, Maildir, ReceiveConnector, Transport};

struct Doorkeeper;

#[async_trait]
impl ReceiveAgent for Doorkeeper {
    fn events(&self) -> AgentEvents {
        AgentEvents::of(&[AgentEvent::Rcpt, AgentEvent::EndOfHeaders])
    }

    async fn on_rcpt(
        &self,
        _: &SessionView,
        message: &MessageView<'_>,
        to: &Recipient,
        _: &mut Effects,
    ) -> Verdict {
        let is_friend = message.reverse_path.to_string().ends_with("@friends.example>");
        if is_friend || to.forward_path.to_string() != "<boss@contoso.example>" {
            return Verdict::Continue;
        }
        let (code, status) = (ReplyCode::MAILBOX_UNAVAILABLE, EnhancedStatusCode::permanent(7, 1));
        Verdict::Reject(Reply::new(code, status, "Not to be disturbed"))
    }

    async fn on_end_of_headers(
        &self,
        session: &SessionView,
        _: &MessageView<'_>,
        effects: &mut Effects,
    ) -> Verdict {
        effects.add_header("X-Came-From", &session.remote.ip().to_string());
        Verdict::Continue
    }
}

struct SecretMail;

#[async_trait]
impl RoutingAgent for SecretMail {
    fn events(&self) -> AgentEvents {
        AgentEvents::of(&[AgentEvent::Resolved])
    }

    async fn on_resolved(&self, message: &MessageView<'_>, effects: &mut Effects) {
        if message.headers.first("Sensitivity").is_some() {
            effects.to_all(Effect::RequireTls);
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, folder] = &*words else { return Err("usage: ADDR FOLDER".into()) };
    let transport = Transport::builder("mx.contoso.example")
        .accepted_domain(AcceptedDomain::authoritative("contoso.example")?)
        .receive_connector(ReceiveConnector::internet(address.parse()?))
        .receive_agent(AgentSettings::new("doorkeeper"), Doorkeeper)
        .routing_agent(AgentSettings::new("secret mail"), SecretMail)
        .delivery_agent("maildir", ["contoso.example"], Maildir::new(folder));
    let transport = transport.start().await?;
    println!("listening at {:?}", transport.local_addresses());
    tokio::signal::ctrl_c().await?;
    transport.shutdown(Duration::from_secs(10)).await;
    Ok(())
}
