//! The header firewall: headers that only we and hosts that we trust may write, neither let in
//! from others nor let out to them.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use transom_message::HeaderSection;
use transom_types::NextHop;

use crate::agents::{
    AgentEvent, AgentEvents, AgentSettings, MessageView, ReceiveAgent, RoutingAgent, SessionView,
    Verdict,
};
use crate::effects::{Effect, Effects, FieldMatch, HeaderChange};

/// Families of headers that a right lets pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct HeaderFamilies(u8);

impl HeaderFamilies {
    /// No family.
    pub const NONE: Self = Self(0);
    /// `Received` and `Resent-*`.
    pub const ROUTING: Self = Self(1);
    /// `X-MS-Exchange-Organization-*`: what this organization has found about a message.
    pub const ORGANIZATION: Self = Self(2);
    /// `X-MS-Exchange-Forest-*`.
    pub const FOREST: Self = Self(4);
    /// Every family.
    pub const ALL: Self = Self(7);

    const EACH: [(Self, &'static str); 3] = [
        (Self::ROUTING, "routing"),
        (Self::ORGANIZATION, "organization"),
        (Self::FOREST, "forest"),
    ];

    /// These and `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are among these.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Which fields a family is.
    fn fields(self) -> Vec<FieldMatch> {
        match self {
            Self::ROUTING => vec![FieldMatch::name("Received"), FieldMatch::prefix("Resent-")],
            Self::ORGANIZATION => vec![FieldMatch::prefix("X-MS-Exchange-Organization-")],
            Self::FOREST => vec![FieldMatch::prefix("X-MS-Exchange-Forest-")],
            _ => Vec::new(),
        }
    }

    /// What must go from `headers` where only these are kept.
    fn strangers(self, headers: &HeaderSection<'_>) -> Vec<HeaderChange> {
        let closed = Self::EACH.iter().filter(|(family, _)| !self.contains(*family));
        let fields = closed.flat_map(|(family, _)| family.fields());
        let is_there = |fields: &FieldMatch| headers.fields().any(|field| fields.matches(&field));
        fields.filter(is_there).map(HeaderChange::Remove).collect()
    }
}

impl fmt::Display for HeaderFamilies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> =
            Self::EACH.iter().filter(|(family, _)| self.contains(*family)).map(|it| it.1).collect();
        f.write_str(&names.join("+"))
    }
}

/// Takes headers away that a client has no right to send us, and those that a next hop has no
/// right to get. As a receive agent it works by [`SessionView::kept_headers`], as a routing agent
/// by what its maker says of each next hop.
///
/// Register it by [`HeaderFirewall::inbound_settings`] and [`HeaderFirewall::outbound_settings`]:
/// the first agent at the end of the headers, so that what others add stays, and the last of all on
/// the way out.
pub struct HeaderFirewall {
    sends: Arc<dyn Fn(&NextHop) -> HeaderFamilies + Send + Sync>,
}

impl HeaderFirewall {
    /// A firewall; `sends` says which families a next hop gets.
    pub fn new(sends: impl Fn(&NextHop) -> HeaderFamilies + Send + Sync + 'static) -> Self {
        Self { sends: Arc::new(sends) }
    }

    /// How the receive agent is run.
    pub fn inbound_settings() -> AgentSettings {
        AgentSettings::new("Header Firewall").with_priority(0)
    }

    /// How the routing agent is run.
    pub fn outbound_settings() -> AgentSettings {
        AgentSettings::new("Header Firewall").with_priority(u16::MAX)
    }
}

impl fmt::Debug for HeaderFirewall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeaderFirewall").finish_non_exhaustive()
    }
}

#[async_trait]
impl ReceiveAgent for HeaderFirewall {
    fn events(&self) -> AgentEvents {
        AgentEvents::of(&[AgentEvent::EndOfHeaders])
    }

    async fn on_end_of_headers(
        &self,
        session: &SessionView,
        message: &MessageView<'_>,
        effects: &mut Effects,
    ) -> Verdict {
        for change in session.kept_headers.strangers(&message.headers) {
            effects.to_all(Effect::Header(change));
        }
        Verdict::Continue
    }
}

#[async_trait]
impl RoutingAgent for HeaderFirewall {
    fn events(&self) -> AgentEvents {
        AgentEvents::of(&[AgentEvent::Categorized])
    }

    async fn on_categorized(&self, message: &MessageView<'_>, effects: &mut Effects) {
        let mut groups: Vec<(HeaderFamilies, Vec<u32>)> = Vec::new();
        for (place, recipient) in message.open_recipients() {
            // Where it goes nowhere yet, it does not leave us either.
            let Some(next_hop) = &recipient.next_hop else { continue };
            let kept = (self.sends)(next_hop);
            match groups.iter_mut().find(|(known, _)| *known == kept) {
                Some((_, places)) => places.push(place),
                None => groups.push((kept, vec![place])),
            }
        }
        for (kept, places) in groups {
            // What agents added for some recipients alone does not show in the view, so each
            // closed family goes, seen or not.
            let closed = HeaderFamilies::EACH.iter().filter(|(family, _)| !kept.contains(*family));
            for fields in closed.flat_map(|(family, _)| family.fields()) {
                let change = HeaderChange::Remove(fields);
                effects.to_some(places.iter().copied(), Effect::Header(change));
            }
        }
    }
}
