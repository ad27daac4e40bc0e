//! The message tracking log: rows of comma-separated values with Exchange's fields.
//!
//! [`write_header`] begins a file, [`write_row`] appends an event, [`rows`] and [`Row`] read them
//! back. A row is always one line.

mod read;
mod write;

#[cfg(test)]
mod tests;

pub use read::{ParseRowError, Row, rows};
pub(crate) use write::{path_text, put, put_display, put_text, sender_text};
pub use write::{write_header, write_row};

/// Version of the rows, in the header and in the last column.
pub const SCHEMA_VERSION: &str = "1.0";

macro_rules! columns {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// A column of the message tracking log.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(clippy::exhaustive_enums, reason = "the log has these columns")]
        pub enum Column {
            $($(#[$doc])* $variant,)+
        }

        impl Column {
            /// Every column, in the order of a row.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in the header line.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

columns! {
    /// When, in UTC.
    DateTime = "date-time",
    /// Address of who connected.
    ClientIp = "client-ip",
    /// Name of who connected.
    ClientHostname = "client-hostname",
    /// Address of who was connected to.
    ServerIp = "server-ip",
    /// Name of who was connected to.
    ServerHostname = "server-hostname",
    /// `session;time;0` where there is a session, then what the source adds.
    SourceContext = "source-context",
    /// The connector.
    ConnectorId = "connector-id",
    /// Which component saw it.
    Source = "source",
    /// What happened.
    EventId = "event-id",
    /// The message in this spool.
    InternalMessageId = "internal-message-id",
    /// The Message-ID field.
    MessageId = "message-id",
    /// The message in all its copies.
    NetworkMessageId = "network-message-id",
    /// The recipients, parted by `;`.
    RecipientAddress = "recipient-address",
    /// Their statuses in the same order, parted by `;`.
    RecipientStatus = "recipient-status",
    /// Size of the content in octets.
    TotalBytes = "total-bytes",
    /// How many recipients.
    RecipientCount = "recipient-count",
    /// Empty: no event has one yet.
    RelatedRecipientAddress = "related-recipient-address",
    /// Another message that belongs to the event.
    Reference = "reference",
    /// The Subject field.
    MessageSubject = "message-subject",
    /// `RFC5321.MailFrom`; Exchange has `RFC5322.From` here, which is not kept.
    SenderAddress = "sender-address",
    /// `RFC5321.MailFrom`, `<>` where it is null.
    ReturnPath = "return-path",
    /// Empty.
    MessageInfo = "message-info",
    /// Empty: nothing here depends on it.
    Directionality = "directionality",
    /// Empty: there is one tenant.
    TenantId = "tenant-id",
    /// Empty: no front end stands before this host.
    OriginalClientIp = "original-client-ip",
    /// Empty.
    OriginalServerIp = "original-server-ip",
    /// `S:Key=value`, parted by `;`: next hop, attempt and what the event adds.
    CustomData = "custom-data",
    /// `Email`.
    TransportTrafficType = "transport-traffic-type",
    /// Empty.
    LogId = "log-id",
    /// [`SCHEMA_VERSION`].
    SchemaVersion = "schema-version",
}
