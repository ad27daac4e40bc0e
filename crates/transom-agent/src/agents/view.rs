//! A message as agents see it: with what agents before them have done.

use std::fmt;
use std::sync::Arc;

use transom_message::HeaderSection;
use transom_types::{
    ForwardPath, InternalMessageId, MailParameters, NetworkMessageId, NextHop, RcptParameters,
    Recipient, Reply, ReversePath,
};

use crate::ContentSource;

/// A message, read only. Changes are [`Effects`](crate::Effects).
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct MessageView<'a> {
    /// The message in this spool; none before it has a place there.
    pub internal_id: Option<InternalMessageId>,
    /// The message in all its copies; none before its content comes.
    pub network_id: Option<NetworkMessageId>,
    /// `RFC5321.MailFrom`.
    pub reverse_path: &'a ReversePath,
    /// What stood behind MAIL FROM.
    pub parameters: &'a MailParameters,
    /// The recipients. One is named by its place here; places never change.
    pub recipients: &'a [MessageRecipient],
    /// The header section with the changes that concern all recipients. Empty before the end of
    /// the headers. In a session it is what the client sent, without our own trace field.
    pub headers: HeaderSection<'a>,
    /// The content as it was taken in, without changes of agents; none before the end of data.
    pub content: Option<&'a Arc<dyn ContentSource>>,
}

impl MessageView<'_> {
    /// The recipients that are not ended, each with its place.
    pub fn open_recipients(&self) -> impl Iterator<Item = (u32, &MessageRecipient)> {
        (0u32..).zip(self.recipients).filter(|(_, recipient)| recipient.end.is_none())
    }

    /// The place of the recipient that a RCPT is about to add.
    pub fn next_place(&self) -> u32 {
        u32::try_from(self.recipients.len()).unwrap_or(u32::MAX)
    }
}

impl fmt::Debug for MessageView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageView")
            .field("internal_id", &self.internal_id)
            .field("reverse_path", &self.reverse_path)
            .field("recipients", &self.recipients.len())
            .finish_non_exhaustive()
    }
}

/// A recipient of a message that agents work on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageRecipient {
    /// `RFC5321.RcptTo`, as agents have made it.
    pub forward_path: ForwardPath,
    /// What stood behind RCPT TO.
    pub parameters: RcptParameters,
    /// Its place in the envelope that the agents were given; none where an agent added it.
    pub origin: Option<u32>,
    /// Whether an agent has given it another address.
    pub redirected: bool,
    /// Where it goes next; none before it is routed.
    pub next_hop: Option<NextHop>,
    /// How an agent ended it.
    pub end: Option<RecipientEnd>,
    /// Which of the plan's treatments it gets.
    pub(crate) treatment: usize,
}

impl MessageRecipient {
    pub(crate) fn new(recipient: Recipient, origin: Option<u32>) -> Self {
        let Recipient { forward_path, parameters } = recipient;
        Self {
            forward_path,
            parameters,
            origin,
            redirected: false,
            next_hop: None,
            end: None,
            treatment: 0,
        }
    }
}

/// How an agent ended a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "who did what")]
pub struct RecipientEnd {
    /// The name of the agent.
    pub agent: Arc<str>,
    /// What is said of it: where that is none, no report is made.
    pub reply: Option<Reply>,
}
