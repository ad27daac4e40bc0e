//! Directories from which messages are fetched as files, as values.

use std::path::PathBuf;

/// Where programs put new messages as files (`PickupDirectoryPath`). Whoever may write there may
/// send as anybody: no receive connector asks who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PickupDirectory {
    /// The directory. It must exist.
    pub path: PathBuf,
    /// Messages in a minute (100, 1 to 20,000; `PickupDirectoryMaxMessagesPerMinute`).
    pub messages_per_minute: u32,
    /// Octets of the header section (64 KiB, at least 32 KiB; `PickupDirectoryMaxHeaderSize`).
    pub header_octets_max: u32,
    /// Recipients of one message (100, 1 to 10,000; `PickupDirectoryMaxRecipientsPerMessage`).
    pub recipients_max: u32,
}

impl PickupDirectory {
    /// This directory, with the limits of Exchange.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            messages_per_minute: 100,
            header_octets_max: 64 << 10,
            recipients_max: 100,
        }
    }

    /// The same with another number of messages in a minute.
    #[must_use]
    pub fn with_messages_per_minute(self, messages_per_minute: u32) -> Self {
        Self { messages_per_minute, ..self }
    }

    /// The same with another limit of the header section.
    #[must_use]
    pub fn with_header_octets_max(self, header_octets_max: u32) -> Self {
        Self { header_octets_max, ..self }
    }

    /// The same with another number of recipients.
    #[must_use]
    pub fn with_recipients_max(self, recipients_max: u32) -> Self {
        Self { recipients_max, ..self }
    }

    /// What is out of its range.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if !is_rate(self.messages_per_minute) {
            Some(RATE)
        } else if self.header_octets_max < 32 << 10 {
            Some("header octets are at least 32768")
        } else if !(1..=10_000).contains(&self.recipients_max) {
            Some("recipients are 1 to 10000")
        } else {
            None
        }
    }
}

/// Where messages lie that were taken out of a queue, to be sent again (`ReplayDirectoryPath`).
/// Such a file names its own envelope, so that whoever may write there may do anything.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplayDirectory {
    /// The directory. It must exist.
    pub path: PathBuf,
    /// Messages in a minute (100, 1 to 20,000; `PickupDirectoryMaxMessagesPerMinute`, which
    /// Exchange uses for both directories).
    pub messages_per_minute: u32,
}

impl ReplayDirectory {
    /// This directory, with the limit of Exchange.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), messages_per_minute: 100 }
    }

    /// The same with another number of messages in a minute.
    #[must_use]
    pub fn with_messages_per_minute(self, messages_per_minute: u32) -> Self {
        Self { messages_per_minute, ..self }
    }

    /// What is out of its range.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        (!is_rate(self.messages_per_minute)).then_some(RATE)
    }
}

const RATE: &str = "messages a minute are 1 to 20000";

fn is_rate(messages_per_minute: u32) -> bool {
    (1..=20_000).contains(&messages_per_minute)
}
