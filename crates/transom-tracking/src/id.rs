//! What kinds of events there are and which component saw them.

use std::fmt;
use std::str::FromStr;

/// The text names no event or source that we know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such event or source: {found}")]
#[non_exhaustive]
pub struct ParseWordError {
    /// What was found instead.
    pub found: String,
}

macro_rules! words {
    (
        $(#[$doc:meta])* $name:ident {
            $($(#[$variant_doc:meta])* $variant:ident = $number:literal $word:literal,)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every one, by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The number, which never changes its meaning. Below 64.
            pub const fn number(self) -> u16 {
                match self {
                    $(Self::$variant => $number,)+
                }
            }

            /// The word in logs.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = ParseWordError;
            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(ParseWordError { found: word.into() }),
                }
            }
        }
    };
}

words! {
    /// What happened. The words are Exchange's where it has one for the thing.
    EventId {
        /// Custody was taken of a message.
        Receive = 1 "RECEIVE",
        /// A message went from the submission queue to its delivery queues.
        Submit = 2 "SUBMIT",
        /// The next hop took custody by SMTP.
        Send = 3 "SEND",
        /// A delivery agent made its copy durable.
        Deliver = 4 "DELIVER",
        /// An attempt ended with a failure that may pass.
        Defer = 5 "DEFER",
        /// A recipient failed for good.
        Fail = 6 "FAIL",
        /// A delivery status notification was made.
        Dsn = 7 "DSN",
        /// Recipients went into a fork of the message.
        Transfer = 8 "TRANSFER",
        /// The content was sent and no reply came.
        InDoubt = 9 "INDOUBT",
        /// The message was in the queue for longer than it may.
        Expire = 10 "EXPIRE",
        /// A message or recipient ended without report, by a named rule.
        Drop = 11 "DROP",
        /// A report was due by the outcome and not made, by a named rule.
        Suppressed = 12 "SUPPRESSED",
        /// A message was found in the spool at start.
        Load = 13 "LOAD",
        /// Damaged octets of the spool were set aside.
        Quarantine = 14 "QUARANTINE",
        /// A person or program changed the queue.
        Admin = 15 "ADMIN",
        /// A message went into the poison queue or out of it.
        PoisonMessage = 16 "POISONMESSAGE",
        /// A recipient got another address.
        Redirect = 17 "REDIRECT",
        /// A group became its members.
        Expand = 18 "EXPAND",
        /// A recipient was resolved by the directory.
        Resolve = 19 "RESOLVE",
        /// A message went back to the categorizer.
        Resubmit = 20 "RESUBMIT",
        /// What an agent has to say.
        AgentInfo = 21 "AGENTINFO",
    }
}

words! {
    /// Which component saw it. The words are Exchange's.
    Source {
        /// A person or program that manages the transport.
        Admin = 1 "ADMIN",
        /// A transport agent.
        Agent = 2 "AGENT",
        /// The start of the transport.
        Bootloader = 3 "BOOTLOADER",
        /// The DNS.
        Dns = 4 "DNS",
        /// The maker of reports.
        Dsn = 5 "DSN",
        /// The queue.
        Queue = 6 "QUEUE",
        /// The categorizer's choice of next hops.
        Routing = 7 "ROUTING",
        /// An SMTP session, either way.
        Smtp = 8 "SMTP",
        /// A delivery agent.
        StoreDriver = 9 "STOREDRIVER",
    }
}

words! {
    /// What an agent did. The words are Exchange's where it has one for the thing.
    AgentAction {
        /// It took the message, whatever others say.
        AcceptMessage = 1 "AcceptMessage",
        /// The message ended without report.
        DeleteMessage = 2 "DeleteMessage",
        /// Recipients ended without report.
        DeleteRecipients = 3 "DeleteRecipients",
        /// The session was ended.
        Disconnect = 4 "Disconnect",
        /// An attempt to authenticate was refused.
        RejectAuthentication = 5 "RejectAuthentication",
        /// A command was refused.
        RejectCommand = 6 "RejectCommand",
        /// The connection was refused.
        RejectConnection = 7 "RejectConnection",
        /// The message was refused.
        RejectMessage = 8 "RejectMessage",
        /// Recipients were refused.
        RejectRecipients = 9 "RejectRecipients",
        /// A header field was added.
        AddHeader = 10 "AddHeader",
        /// Header fields were removed.
        RemoveHeader = 11 "RemoveHeader",
        /// A header field was replaced.
        ReplaceHeader = 12 "ReplaceHeader",
        /// A recipient was added.
        AddRecipient = 13 "AddRecipient",
        /// Recipients got another address.
        RedirectRecipients = 14 "RedirectRecipients",
        /// The reverse-path was replaced.
        SetReversePath = 15 "SetReversePath",
        /// A send connector was chosen.
        SetRoute = 16 "SetRoute",
        /// TLS was demanded.
        RequireTls = 17 "RequireTls",
        /// The priority was set.
        SetPriority = 18 "SetPriority",
        /// The message was held for an administrator.
        HoldMessage = 19 "HoldMessage",
        /// The message was put off.
        DeferMessage = 20 "DeferMessage",
        /// A message of the agent's own was made.
        SubmitMessage = 21 "SubmitMessage",
        /// The agent failed; what it asked for was not done.
        Failed = 22 "Failed",
    }
}

/// A set of [`EventId`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EventSet(u64);

impl EventSet {
    /// No event.
    pub const NONE: Self = Self(0);
    /// Every event, those of later versions included.
    pub const ALL: Self = Self(u64::MAX);

    /// This set and `event`.
    #[must_use]
    pub const fn with(self, event: EventId) -> Self {
        Self(self.0 | bit(event))
    }

    /// This set without `event`.
    #[must_use]
    pub const fn without(self, event: EventId) -> Self {
        Self(self.0 & !bit(event))
    }

    /// Whether `event` is in the set.
    pub const fn contains(self, event: EventId) -> bool {
        self.0 & bit(event) != 0
    }
}

const fn bit(event: EventId) -> u64 {
    1 << event.number()
}

impl FromIterator<EventId> for EventSet {
    fn from_iter<I: IntoIterator<Item = EventId>>(events: I) -> Self {
        events.into_iter().fold(Self::NONE, Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back() {
        for event in EventId::ALL {
            assert_eq!(event.as_str().parse(), Ok(*event));
        }
        for source in Source::ALL {
            assert_eq!(source.as_str().parse(), Ok(*source));
        }
        for action in AgentAction::ALL {
            assert_eq!(action.as_str().parse(), Ok(*action));
        }
        assert!("NOSUCH".parse::<EventId>().is_err());
    }

    #[test]
    fn numbers_are_below_64_and_each_is_used_once() {
        let mut seen = EventSet::NONE;
        for event in EventId::ALL {
            assert!(event.number() < 64, "{event}");
            assert!(!seen.contains(*event), "{event}");
            seen = seen.with(*event);
        }
    }

    #[test]
    fn set_holds_what_was_put_in() {
        let set: EventSet = [EventId::Send, EventId::Fail].into_iter().collect();
        assert!(set.contains(EventId::Send) && set.contains(EventId::Fail));
        assert!(!set.contains(EventId::Defer));
        assert!(!set.without(EventId::Send).contains(EventId::Send));
        assert!(EventId::ALL.iter().all(|event| EventSet::ALL.contains(*event)));
    }
}
