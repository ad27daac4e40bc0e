//! Address rewriting: inside one set of addresses, outside another (Exchange's Edge agents).

mod header;
mod table;

use std::sync::Arc;

use async_trait::async_trait;
use transom_message::HeaderSection;
use transom_types::{DeliveryType, Mailbox, Recipient, ReversePath};

pub use self::header::rewrite_mailboxes;
pub use self::table::{RewriteEntry, RewriteSide, RewriteTable, RewriteTableError};
use crate::agents::{
    AgentEvent, AgentEvents, MessageView, ReceiveAgent, RoutingAgent, SessionView, Verdict,
};
use crate::effects::{Effect, Effects, HeaderChange, NewField, Scope};

/// Fields in which our addresses stand in mail that leaves.
const OUTBOUND: [&str; 7] = [
    "From",
    "Sender",
    "Reply-To",
    "Return-Receipt-To",
    "Disposition-Notification-To",
    "Resent-From",
    "Resent-Sender",
];
/// Fields in which our addresses stand in mail that comes in.
const INBOUND: [&str; 2] = ["To", "Cc"];

/// Rewrites addresses by a [`RewriteTable`]. As a receive agent it puts the internal address into
/// RCPT, `To` and `Cc`; as a routing agent the external one into MAIL and the fields that name
/// senders, of copies that leave by SMTP. Only the envelope and the top header section are
/// changed: what is signed or embedded stays whole.
#[derive(Clone, Debug)]
pub struct AddressRewriting {
    table: Arc<RewriteTable>,
}

impl AddressRewriting {
    /// An agent that rewrites by `table`.
    pub fn new(table: impl Into<Arc<RewriteTable>>) -> Self {
        Self { table: table.into() }
    }
}

#[async_trait]
impl ReceiveAgent for AddressRewriting {
    fn events(&self) -> AgentEvents {
        AgentEvents::of(&[AgentEvent::Rcpt, AgentEvent::EndOfHeaders])
    }

    async fn on_rcpt(
        &self,
        _session: &SessionView,
        message: &MessageView<'_>,
        to: &Recipient,
        effects: &mut Effects,
    ) -> Verdict {
        if let Some(internal) = to.forward_path.mailbox().and_then(|to| self.table.inbound(to)) {
            effects.to_some([message.next_place()], Effect::Redirect(internal));
        }
        Verdict::Continue
    }

    async fn on_end_of_headers(
        &self,
        _session: &SessionView,
        message: &MessageView<'_>,
        effects: &mut Effects,
    ) -> Verdict {
        let rewrite = |mailbox: &Mailbox| self.table.inbound(mailbox);
        for change in rewritten(&message.headers, &INBOUND, &rewrite) {
            effects.to_all(Effect::Header(change));
        }
        Verdict::Continue
    }
}

#[async_trait]
impl RoutingAgent for AddressRewriting {
    fn events(&self) -> AgentEvents {
        AgentEvents::of(&[AgentEvent::Routed])
    }

    async fn on_routed(&self, message: &MessageView<'_>, effects: &mut Effects) {
        let leaves = |kind| {
            matches!(
                kind,
                DeliveryType::DnsConnectorDelivery | DeliveryType::SmartHostConnectorDelivery
            )
        };
        let (mut leaving, mut staying) = (Vec::new(), false);
        for (place, recipient) in message.open_recipients() {
            match &recipient.next_hop {
                Some(next_hop) if leaves(next_hop.kind) => leaving.push(place),
                _ => staying = true,
            }
        }
        if leaving.is_empty() {
            return;
        }
        let scope = if staying { Scope::Recipients(leaving) } else { Scope::All };
        let rewrite = |mailbox: &Mailbox| self.table.outbound(mailbox);
        if let Some(external) = message.reverse_path.mailbox().and_then(&rewrite) {
            effects.push(scope.clone(), Effect::SetReversePath(ReversePath::from(external)));
        }
        for change in rewritten(&message.headers, &OUTBOUND, &rewrite) {
            effects.push(scope.clone(), Effect::Header(change));
        }
    }
}

/// The changes that put other addresses into the fields of these names.
fn rewritten(
    headers: &HeaderSection<'_>,
    names: &[&str],
    rewrite: &impl Fn(&Mailbox) -> Option<Mailbox>,
) -> Vec<HeaderChange> {
    let mut changes = Vec::new();
    for name in names {
        for (occurrence, field) in (0u32..).zip(headers.fields().filter(|field| field.is(name))) {
            if let Some(value) = rewrite_mailboxes(field.raw_value(), rewrite) {
                let field = NewField::with_raw_value(field.name(), &value);
                changes.push(HeaderChange::Replace { occurrence, field });
            }
        }
    }
    changes
}
