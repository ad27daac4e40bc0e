//! Messages that agents make, and the guard against loops of them.

use std::fmt;

use bytes::Bytes;
use transom_message::HeaderSection;
use transom_types::Envelope;

use super::field::NewField;

/// A message that an agent makes: a notice, a copy, a report.
///
/// It enters the transport as any other and meets the agents again, so each such message carries
/// the names of the agents whose doing it is ([`Lineage`]); where these are too many, it is not
/// made.
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a message is its envelope and its content")]
pub struct GeneratedMessage {
    /// Who sends it to whom. What has a null reverse-path can cause no report.
    pub envelope: Envelope,
    /// Its header section and body.
    pub content: Bytes,
}

impl fmt::Debug for GeneratedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GeneratedMessage")
            .field("recipients", &self.envelope.recipients.len())
            .field("octets", &self.content.len())
            .finish_non_exhaustive()
    }
}

/// Which agents made the message, and those that it was made about. It travels in the header, as
/// one field an agent; the header firewall lets no such field in from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage {
    makers: Vec<String>,
}

impl Lineage {
    /// The field that names a maker.
    pub const FIELD: &'static str = "X-MS-Exchange-Organization-Agent-Generated";

    /// The lineage of the message with this header section.
    pub fn of(headers: &HeaderSection<'_>) -> Self {
        let makers = headers.fields().filter(|field| field.is(Self::FIELD));
        Self { makers: makers.map(|field| field.value().into_owned()).collect() }
    }

    /// The lineage of what `agent` makes about a message of this one.
    ///
    /// # Errors
    ///
    /// [`LoopGuard`] where that would be one message too many.
    pub fn made_by(&self, agent: &str) -> Result<Self, LoopGuard> {
        let own = self.makers.iter().filter(|maker| *maker == agent).count();
        if self.makers.len() >= LoopGuard::DEPTH_MAX {
            return Err(LoopGuard { of_agent: false });
        }
        if own >= LoopGuard::DEPTH_PER_AGENT_MAX {
            return Err(LoopGuard { of_agent: true });
        }
        let mut makers = self.makers.clone();
        makers.push(agent.to_owned());
        Ok(Self { makers })
    }

    /// `content` with the fields that name the makers.
    #[must_use]
    pub fn mark(&self, content: &Bytes) -> Bytes {
        let mut marked = Vec::with_capacity(content.len().saturating_add(128));
        for maker in &self.makers {
            marked.extend_from_slice(NewField::new(Self::FIELD, maker).octets());
        }
        marked.extend_from_slice(content);
        marked.into()
    }
}

/// Agents answer to each other's messages: one more is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("loop guard: {}", if self.of_agent { "the agent made 2 of them already" } else {
    "agents made 3 of them already"
})]
#[non_exhaustive]
pub struct LoopGuard {
    /// Whether it is the limit of one agent.
    pub of_agent: bool,
}

impl LoopGuard {
    /// Most messages that agents make one about the other (Exchange's
    /// `MaxAllowedAgentGeneratedMessageDepth`).
    pub const DEPTH_MAX: usize = 3;
    /// Most of them by the same agent (Exchange's
    /// `MaxAllowedAgentGeneratedMessageDepthPerAgent`).
    pub const DEPTH_PER_AGENT_MAX: usize = 2;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `agent` makes about `content`.
    fn make(content: &Bytes, agent: &str) -> Result<Bytes, LoopGuard> {
        let lineage = Lineage::of(&HeaderSection::parse(content)).made_by(agent)?;
        Ok(lineage.mark(&Bytes::from_static(b"Subject: notice\r\n\r\n")))
    }

    #[test]
    fn an_agent_answers_itself_twice_and_no_more() {
        let first = make(&Bytes::new(), "a").unwrap();
        let second = make(&first, "a").unwrap();
        assert_eq!(make(&second, "a"), Err(LoopGuard { of_agent: true }));
        let third = make(&second, "b").unwrap();
        assert_eq!(make(&third, "c"), Err(LoopGuard { of_agent: false }));
        assert!(third.ends_with(b"Subject: notice\r\n\r\n"));
    }

    #[test]
    fn lineage_survives_odd_names() {
        let content = make(&Bytes::new(), "my agent, 2.0").unwrap();
        let content = make(&content, "my agent, 2.0").unwrap();
        assert_eq!(make(&content, "my agent, 2.0"), Err(LoopGuard { of_agent: true }));
    }
}
