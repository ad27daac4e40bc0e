//! The agent log: what agents did to which message, with Exchange's fields.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;

use transom_types::{
    ConnectorId, ForwardPath, InternalMessageId, InternetMessageId, NetworkMessageId, ReversePath,
    SessionId,
};

use crate::csv::{path_text, put, put_display, put_text, sender_text};
use crate::time::put_timestamp;
use crate::{AgentAction, EventId, Peer, Source, TrackedRecipient, TrackingEvent};

/// Exchange's fields, then what later versions of it add.
const FIELDS: &str = "Timestamp,SessionId,LocalEndpoint,RemoteEndpoint,EnteredOrgFromIP,MessageId,\
                      P1FromAddress,P2FromAddresses,Recipient,NumRecipients,Agent,Event,Action,\
                      SmtpResponse,Reason,ReasonData,Diagnostics,NetworkMsgID";

/// One thing that an agent did, or would have done.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AgentLogEntry {
    /// When.
    pub at: SystemTime,
    /// The agent's name.
    pub agent: Arc<str>,
    /// At which event, in Exchange's words.
    pub event: &'static str,
    /// What it did.
    pub action: AgentAction,
    /// Whether it was done. An agent that only observes, and one that failed, does nothing.
    pub enforced: bool,
    /// The session in which it happened.
    pub session: Option<SessionId>,
    /// The receive connector.
    pub connector: Option<ConnectorId>,
    /// Our end of the session.
    pub local: Option<SocketAddr>,
    /// The client's end.
    pub remote: Option<SocketAddr>,
    /// From where the message came to us first, where that is known.
    pub entered_from: Option<IpAddr>,
    /// The Message-ID field.
    pub message_id: Option<InternetMessageId>,
    /// The message in this spool.
    pub internal_id: Option<InternalMessageId>,
    /// The message in all its copies.
    pub network_id: Option<NetworkMessageId>,
    /// `RFC5321.MailFrom`.
    pub mail_from: Option<ReversePath>,
    /// `RFC5322.From`, as it stands there.
    pub header_from: Option<Arc<str>>,
    /// The recipients that it is about.
    pub recipients: Vec<ForwardPath>,
    /// What the client was told, on one line.
    pub smtp_response: Option<Arc<str>>,
    /// Why, in the agent's words.
    pub reason: Option<Arc<str>>,
    /// What exactly: a header field's name, an address, a connector.
    pub reason_data: Option<Arc<str>>,
}

impl AgentLogEntry {
    /// An entry that says nothing yet but who did what when.
    pub fn new(at: SystemTime, agent: Arc<str>, event: &'static str, action: AgentAction) -> Self {
        Self {
            at,
            agent,
            event,
            action,
            enforced: true,
            session: None,
            connector: None,
            local: None,
            remote: None,
            entered_from: None,
            message_id: None,
            internal_id: None,
            network_id: None,
            mail_from: None,
            header_from: None,
            recipients: Vec::new(),
            smtp_response: None,
            reason: None,
            reason_data: None,
        }
    }

    /// The same in the words of the message tracking log: who changed what.
    pub fn tracking_event(&self) -> TrackingEvent {
        let mut event = TrackingEvent::new(EventId::AgentInfo, Source::Agent, self.at);
        event.internal_id = self.internal_id;
        event.network_id = self.network_id;
        event.message_id.clone_from(&self.message_id);
        event.session = self.session;
        event.connector.clone_from(&self.connector);
        event.client = Peer { ip: self.remote.map(|end| end.ip()), hostname: None };
        event.server = Peer { ip: self.local.map(|end| end.ip()), hostname: None };
        event.sender.clone_from(&self.mail_from);
        let status = self.smtp_response.as_deref().unwrap_or_default();
        let recipient = |path: &ForwardPath| TrackedRecipient::new(path.clone(), status.to_owned());
        event.recipients = self.recipients.iter().map(recipient).collect();
        event.source_context = Some(Arc::clone(&self.agent));
        let mut add = |key: &'static str, value: Option<Arc<str>>| {
            event.custom_data.extend(value.map(|value| (key.into(), value)));
        };
        add("Event", Some(self.event.into()));
        add("Action", Some(self.action.as_str().into()));
        add("Reason", self.reason.clone());
        add("ReasonData", self.reason_data.clone());
        add("Mode", (!self.enforced).then(|| "NotEnforced".into()));
        event
    }
}

/// Appends the five header lines of a file that begins `now`.
pub fn write_header(now: SystemTime, out: &mut Vec<u8>) {
    put(out, "#Software: transom\r\n#Version: ");
    put(out, crate::csv::SCHEMA_VERSION);
    put(out, "\r\n#Log-type: Agent Log\r\n#Date: ");
    put_timestamp(now, out);
    put(out, "\r\n#Fields: ");
    put(out, FIELDS);
    put(out, "\r\n");
}

/// Appends `entry`: one line a recipient, or one where it is about none.
pub fn write_rows(entry: &AgentLogEntry, out: &mut Vec<u8>) {
    if entry.recipients.is_empty() {
        write_row(entry, None, out);
    }
    for recipient in &entry.recipients {
        write_row(entry, Some(recipient), out);
    }
}

fn write_row(entry: &AgentLogEntry, recipient: Option<&ForwardPath>, out: &mut Vec<u8>) {
    put_timestamp(entry.at, out);
    put(out, ",");
    put_display(out, entry.session);
    for end in [entry.local, entry.remote] {
        put(out, ",");
        put_display(out, end);
    }
    put(out, ",");
    put_display(out, entry.entered_from);
    let texts = [
        entry.message_id.as_ref().map(InternetMessageId::as_str),
        entry.mail_from.as_ref().map(sender_text),
        entry.header_from.as_deref(),
        recipient.map(path_text),
    ];
    put_texts(out, &texts);
    put(out, ",");
    put_display(out, Some(entry.recipients.len()));
    let texts = [
        Some(&*entry.agent),
        Some(entry.event),
        Some(entry.action.as_str()),
        entry.smtp_response.as_deref(),
        entry.reason.as_deref(),
        entry.reason_data.as_deref(),
        (!entry.enforced).then_some("not enforced"),
    ];
    put_texts(out, &texts);
    put(out, ",");
    put_display(out, entry.network_id);
    put(out, "\r\n");
}

fn put_texts(out: &mut Vec<u8>, texts: &[Option<&str>]) {
    for text in texts {
        put(out, ",");
        put_text(out, *text);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn entry() -> AgentLogEntry {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let action = AgentAction::RejectRecipients;
        let mut entry = AgentLogEntry::new(at, "shelf".into(), "OnRcptCommand", action);
        entry.session = Some(SessionId(0xab));
        entry.remote = "192.0.2.1:4711".parse().ok();
        entry.mail_from = Some(ReversePath::Null);
        entry.smtp_response = Some("550 5.1.1 No, sorry".into());
        entry
    }

    #[test]
    fn each_recipient_has_a_row_with_all_fields() {
        let mut entry = entry();
        entry.recipients =
            vec!["<a@contoso.com>".parse().unwrap(), "<b@contoso.com>".parse().unwrap()];
        let mut out = Vec::new();
        write_rows(&entry, &mut out);
        let row = |recipient: &str| {
            format!(
                "2023-11-14T22:13:20.123Z,00000000000000AB,,192.0.2.1:4711,,,<>,,{recipient},2,\
                 shelf,OnRcptCommand,RejectRecipients,\"550 5.1.1 No, sorry\",,,,\r\n"
            )
        };
        let rows = String::from_utf8(out).unwrap();
        assert_eq!(
            rows.to_uppercase(),
            (row("a@contoso.com") + &row("b@contoso.com")).to_uppercase()
        );
    }

    #[test]
    fn rows_have_the_fields_that_the_header_names() {
        let mut out = Vec::new();
        write_header(entry().at, &mut out);
        let header = String::from_utf8(out).unwrap();
        let fields = header.lines().last().unwrap().strip_prefix("#Fields: ").unwrap();
        let mut plain = entry();
        plain.smtp_response = None;
        let mut out = Vec::new();
        write_rows(&plain, &mut out);
        let row = String::from_utf8(out).unwrap();
        assert_eq!(row.matches(',').count(), fields.matches(',').count());
    }

    #[test]
    fn the_tracking_log_says_who_changed_what() {
        let mut entry = entry();
        entry.enforced = false;
        let event = entry.tracking_event();
        assert_eq!(event.event, EventId::AgentInfo);
        assert_eq!(event.source_context.as_deref(), Some("shelf"));
        let data: Vec<_> = event.custom_data.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(data, ["Event=OnRcptCommand", "Action=RejectRecipients", "Mode=NotEnforced"]);
    }
}
