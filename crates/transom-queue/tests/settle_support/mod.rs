//! What the tests of settlement share.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::time::{Duration, SystemTime};

use transom_queue::{
    Accepted, Cause, ContentFacts, Ingress, IngressKind, MessageState, Op, RecipientState,
    SettleInput, SettlePolicy, Settled, Settlement,
};
use transom_types::{
    AttemptStage, Envelope, ForwardPath, InternalMessageId, MailParameters, NetworkMessageId,
    Notify, Outcome, RcptParameters, Recipient, RemoteHost, Reply, ReplyCode, ReversePath, Status,
};

pub(crate) const HOUR: Duration = Duration::from_hours(1);

pub(crate) fn received_at() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_hours(500_000)
}

pub(crate) fn policy() -> SettlePolicy {
    let host = "mx1.contoso.com".parse().unwrap();
    SettlePolicy::new(host, "postmaster@contoso.com".parse().unwrap())
}

/// A message with a recipient for each NOTIFY.
pub(crate) fn message(reverse_path: &str, notify: &[Option<Notify>]) -> Accepted {
    let recipient = |(place, notify): (usize, &Option<Notify>)| {
        let path = format!("<r{place}@example.com>");
        let mut parameters = RcptParameters::default();
        parameters.notify = *notify;
        Recipient { forward_path: path.parse::<ForwardPath>().unwrap(), parameters }
    };
    let facts = ContentFacts { octets: 900, header_octets: 100, ..ContentFacts::default() };
    Accepted {
        network_id: NetworkMessageId(7),
        parent: None,
        received_at: received_at(),
        ingress: Ingress {
            kind: IngressKind::Smtp,
            connector: "Default Frontend".into(),
            peer: None,
            helo: None,
            identity: None,
            tls: None,
            session: None,
        },
        envelope: Envelope {
            reverse_path: reverse_path.parse::<ReversePath>().unwrap(),
            parameters: MailParameters::default(),
            recipients: notify.iter().enumerate().map(recipient).collect(),
        },
        facts: ContentFacts { message_id: Some("<1@example.net>".parse().unwrap()), ..facts },
    }
}

pub(crate) fn fresh(message: &Accepted) -> MessageState {
    let recipients = vec![RecipientState::default(); message.envelope.recipients.len()];
    MessageState { recipients, ..MessageState::default() }
}

pub(crate) fn status(stage: AttemptStage, code: u16, text: &'static str) -> Status {
    let code: ReplyCode = code.to_string().parse().unwrap();
    let host = RemoteHost { name: "mx.example.com".into(), address: None };
    Status::remote(stage, Reply::bare(code, text), host)
}

pub(crate) fn input<'a>(
    message: &'a Accepted,
    state: &'a MessageState,
    policy: &'a SettlePolicy,
    cause: Cause<'a>,
) -> SettleInput<'a> {
    SettleInput {
        id: InternalMessageId(42),
        message,
        state,
        cause,
        next_hop: None,
        policy,
        now: received_at() + HOUR,
        expires_in: 47 * HOUR,
        random: 0,
    }
}

pub(crate) fn settled(settlement: &Settlement) -> &[Settled] {
    match &settlement.op {
        Op::Settle { recipients, .. } => recipients,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn delay_notified(settlement: &Settlement) -> bool {
    matches!(settlement.op, Op::Settle { delay_notified: true, .. })
}

pub(crate) fn relayed() -> Outcome {
    Outcome::Relayed(status(AttemptStage::EndOfData, 250, "OK"))
}
