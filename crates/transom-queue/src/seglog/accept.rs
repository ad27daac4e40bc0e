//! The Accept record: a message as it was accepted and, once it was carried forward, what has
//! become of it.

use transom_types::{
    BodyType, Envelope, ForwardPath, InternalMessageId, InternetMessageId, MailParameters,
    NetworkMessageId, RcptParameters, Recipient, Ret, ReversePath, SessionId,
};

use super::body::{Body, BodyId, Place};
use super::edits::{put_edits, read_edits};
use super::fields::{
    Field, Fields, Malformed, put_field, put_flag, put_list, put_number, put_octets, put_text,
    put_time,
};
use super::outcome::{is_terminal, put_outcome, read_address, read_outcome};
use super::parameters::{
    parse, put_later_parameters, put_printed, read_extension, read_later_parameters,
};
use super::state::{put_decided, put_intent, read_decided, read_intent};
use crate::message::{Accepted, ContentFacts, Ingress, IngressKind, MessageState, RecipientState};
use crate::spool::StoreError;

const NETWORK_ID: u8 = 1;
const PARENT: u8 = 2;
const RECEIVED_AT: u8 = 3;
const INGRESS_KIND: u8 = 4;
const CONNECTOR: u8 = 5;
const PEER: u8 = 6;
const HELO: u8 = 7;
const IDENTITY: u8 = 8;
const TLS: u8 = 9;
const SESSION: u8 = 10;
const REVERSE_PATH: u8 = 11;
const EIGHT_BIT_MIME: u8 = 12;
const ENVELOPE_ID: u8 = 13;
const RET: u8 = 14;
const SIZE: u8 = 15;
const SMTPUTF8: u8 = 16;
const RECIPIENT: u8 = 17;
const FACTS: u8 = 18;
const BODY: u8 = 19;
const TAKEN: u8 = 20;
const INTENT: u8 = 21;
const SUSPENDED: u8 = 22;
const DELAY_NOTIFIED: u8 = 23;
const LATER_PARAMETERS: u8 = 24;
const EDITS: u8 = 25;
const DECIDED: u8 = 26;

/// Within a recipient.
mod recipient {
    pub(super) const PATH: u8 = 1;
    pub(super) const NOTIFY: u8 = 2;
    pub(super) const ORIGINAL: u8 = 3;
    pub(super) const ATTEMPTS: u8 = 4;
    pub(super) const OUTCOME: u8 = 5;
    pub(super) const RETRY_AT: u8 = 6;
    pub(super) const VALID_SINCE: u8 = 7;
    pub(super) const EXTENSION: u8 = 8;
}

/// Within the facts of the content.
mod facts {
    pub(super) const OCTETS: u8 = 1;
    pub(super) const HEADER_OCTETS: u8 = 2;
    pub(super) const EIGHT_BIT: u8 = 3;
    pub(super) const LINE_OCTETS_MAX: u8 = 4;
    pub(super) const RECEIVED_COUNT: u8 = 5;
    pub(super) const OWN_RECEIVED_COUNT: u8 = 6;
    pub(super) const MESSAGE_ID: u8 = 7;
    pub(super) const SUBJECT: u8 = 8;
}

/// An Accept record in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AcceptRecord {
    pub(super) accepted: Accepted,
    pub(super) state: MessageState,
    pub(super) body: Body,
    /// The places, in the parent's envelope, that this fork took over.
    pub(super) taken: Vec<u32>,
    /// Fields that this version does not know, carried along as they are.
    pub(super) unknown: Vec<u8>,
}

/// What the index needs of an Accept record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AcceptSummary {
    /// For each recipient, whether it is open.
    pub(super) open: Vec<bool>,
    pub(super) body: Body,
    pub(super) parent: Option<u64>,
    pub(super) taken: Vec<u32>,
}

impl AcceptRecord {
    /// Appends the record.
    pub(super) fn put(&self, out: &mut Vec<u8>) -> Result<(), StoreError> {
        put_accept(out, &self.accepted, Some(&self.state), &self.body, &self.taken)?;
        out.extend_from_slice(&self.unknown);
        Ok(())
    }

    pub(super) fn summary(&self) -> AcceptSummary {
        AcceptSummary {
            open: self.state.recipients.iter().map(RecipientState::is_open).collect(),
            body: self.body.clone(),
            parent: self.accepted.parent.map(|parent| parent.0),
            taken: self.taken.clone(),
        }
    }
}

/// Appends an Accept record; `state` is none for a new message.
pub(super) fn put_accept(
    out: &mut Vec<u8>,
    accepted: &Accepted,
    state: Option<&MessageState>,
    body: &Body,
    taken: &[u32],
) -> Result<(), StoreError> {
    put_octets(out, NETWORK_ID, &accepted.network_id.0.to_le_bytes());
    if let Some(parent) = accepted.parent {
        put_number(out, PARENT, parent.0);
    }
    put_time(out, RECEIVED_AT, accepted.received_at);
    put_ingress(out, &accepted.ingress);
    put_envelope(out, &accepted.envelope, state)?;
    put_field(out, FACTS, |out| put_facts(out, &accepted.facts));
    put_field(out, BODY, |out| body.put(out));
    if !taken.is_empty() {
        put_list(out, TAKEN, taken);
    }
    if let Some(state) = state {
        if let Some(intent) = &state.intent {
            put_field(out, INTENT, |out| put_intent(out, intent));
        }
        put_text(out, SUSPENDED, state.suspended.as_deref());
        put_flag(out, DELAY_NOTIFIED, state.delay_notified);
        if !state.edits.is_empty() {
            put_field(out, EDITS, |out| put_edits(out, &state.edits));
        }
        if let Some(decided) = &state.decided {
            put_field(out, DECIDED, |out| put_decided(out, decided));
        }
    }
    Ok(())
}

fn put_ingress(out: &mut Vec<u8>, ingress: &Ingress) {
    let kind = match ingress.kind {
        IngressKind::Smtp => 1,
        IngressKind::Dsn => 2,
        IngressKind::Program => 3,
    };
    put_number(out, INGRESS_KIND, kind);
    put_text(out, CONNECTOR, Some(&ingress.connector));
    if let Some(peer) = ingress.peer {
        put_text(out, PEER, Some(&peer.to_string()));
    }
    put_text(out, HELO, ingress.helo.as_deref());
    put_text(out, IDENTITY, ingress.identity.as_deref());
    put_text(out, TLS, ingress.tls.as_deref());
    if let Some(session) = ingress.session {
        put_number(out, SESSION, session.0);
    }
}

fn put_envelope(
    out: &mut Vec<u8>,
    envelope: &Envelope,
    state: Option<&MessageState>,
) -> Result<(), StoreError> {
    // The null path is empty here; no mailbox is.
    let reverse_path = envelope.reverse_path.mailbox().map_or("", |mailbox| mailbox.as_str());
    put_text(out, REVERSE_PATH, Some(reverse_path));
    let parameters = &envelope.parameters;
    put_flag(out, EIGHT_BIT_MIME, parameters.body == BodyType::EightBitMime);
    if let Some(id) = &parameters.envelope_id {
        put_text(out, ENVELOPE_ID, Some(&id.to_string()));
    }
    if let Some(ret) = parameters.ret {
        put_text(out, RET, Some(if ret == Ret::Full { "FULL" } else { "HDRS" }));
    }
    if let Some(size) = parameters.size {
        put_number(out, SIZE, size);
    }
    put_flag(out, SMTPUTF8, parameters.smtputf8);
    let mut later = Vec::new();
    put_later_parameters(&mut later, parameters);
    if !later.is_empty() {
        put_octets(out, LATER_PARAMETERS, &later);
    }
    for (place, recipient) in envelope.recipients.iter().enumerate() {
        let state = state.and_then(|state| state.recipients.get(place));
        let mut result = Ok(());
        put_field(out, RECIPIENT, |out| result = put_recipient(out, recipient, state));
        result?;
    }
    Ok(())
}

fn put_recipient(
    out: &mut Vec<u8>,
    recipient: &Recipient,
    state: Option<&RecipientState>,
) -> Result<(), StoreError> {
    // `<Postmaster>` is empty here.
    let path = recipient.forward_path.mailbox().map_or("", |mailbox| mailbox.as_str());
    put_text(out, recipient::PATH, Some(path));
    if let Some(notify) = recipient.parameters.notify {
        put_text(out, recipient::NOTIFY, Some(&notify.to_string()));
    }
    if let Some(original) = &recipient.parameters.original_recipient {
        put_text(out, recipient::ORIGINAL, Some(&original.to_string()));
    }
    put_printed(out, recipient::VALID_SINCE, recipient.parameters.valid_since.as_ref());
    for extension in &recipient.parameters.extensions {
        put_printed(out, recipient::EXTENSION, Some(extension));
    }
    let Some(state) = state else {
        return Ok(());
    };
    put_number(out, recipient::ATTEMPTS, state.attempts.into());
    if let Some(retry_at) = state.retry_at {
        put_time(out, recipient::RETRY_AT, retry_at);
    }
    let mut result = Ok(());
    if let Some(outcome) = &state.outcome {
        put_field(out, recipient::OUTCOME, |out| result = put_outcome(out, outcome));
    }
    result
}

fn put_facts(out: &mut Vec<u8>, content: &ContentFacts) {
    put_number(out, facts::OCTETS, content.octets);
    put_number(out, facts::HEADER_OCTETS, content.header_octets);
    put_flag(out, facts::EIGHT_BIT, content.eight_bit);
    put_number(out, facts::LINE_OCTETS_MAX, content.line_octets_max);
    put_number(out, facts::RECEIVED_COUNT, content.received_count.into());
    put_number(out, facts::OWN_RECEIVED_COUNT, content.own_received_count.into());
    put_text(out, facts::MESSAGE_ID, content.message_id.as_ref().map(InternetMessageId::as_str));
    put_text(out, facts::SUBJECT, content.subject.as_deref());
}

/// What the index needs, read without making values of the rest.
pub(super) fn read_summary(record: &[u8]) -> Result<AcceptSummary, Malformed> {
    let (mut open, mut body, mut parent, mut taken) = (Vec::new(), None, None, Vec::new());
    let mut fields = Fields::new(record);
    while let Some(field) = fields.next()? {
        match field.tag {
            PARENT => parent = Some(field.number()?),
            RECIPIENT => open.push(is_recipient_open(field.fields())?),
            BODY => body = Some(Body::read(field.fields())?),
            TAKEN => taken = field.list()?,
            _ => {}
        }
    }
    let body = body.ok_or(Malformed("a message without body"))?;
    Ok(AcceptSummary { open, body, parent, taken })
}

fn is_recipient_open(mut fields: Fields<'_>) -> Result<bool, Malformed> {
    let mut open = true;
    while let Some(field) = fields.next()? {
        if field.tag == recipient::OUTCOME {
            open = !is_terminal(field.fields())?;
        }
    }
    Ok(open)
}

/// Everything.
pub(super) fn read_accept(record: &[u8]) -> Result<AcceptRecord, Malformed> {
    let mut read = AcceptRecord {
        accepted: empty_accepted(),
        state: MessageState::default(),
        body: Body { id: BodyId::default(), octets: 0, crcs: Vec::new(), place: Place::Inline },
        taken: Vec::new(),
        unknown: Vec::new(),
    };
    let mut body = None;
    let mut fields = Fields::new(record);
    while let Some(field) = fields.next()? {
        match field.tag {
            NETWORK_ID => read.accepted.network_id = read_network_id(&field)?,
            PARENT => read.accepted.parent = Some(InternalMessageId(field.number()?)),
            RECEIVED_AT => read.accepted.received_at = field.time()?,
            INGRESS_KIND..=SESSION => read_ingress(&mut read.accepted.ingress, &field)?,
            REVERSE_PATH..=SMTPUTF8 => read_envelope(&mut read.accepted.envelope, &field)?,
            RECIPIENT => {
                let (recipient, state) = read_recipient(field.fields())?;
                read.accepted.envelope.recipients.push(recipient);
                read.state.recipients.push(state);
            }
            FACTS => read.accepted.facts = read_facts(field.fields())?,
            BODY => body = Some(Body::read(field.fields())?),
            TAKEN => read.taken = field.list()?,
            INTENT => read.state.intent = Some(read_intent(field.fields())?),
            SUSPENDED => read.state.suspended = Some(field.string()?),
            DELAY_NOTIFIED => read.state.delay_notified = true,
            EDITS => read.state.edits = read_edits(field.fields())?,
            DECIDED => read.state.decided = Some(read_decided(field.fields())?),
            LATER_PARAMETERS => {
                let parameters = &mut read.accepted.envelope.parameters;
                read_later_parameters(parameters, field.fields())?;
            }
            _ => read.unknown.extend_from_slice(field.whole),
        }
    }
    read.body = body.ok_or(Malformed("a message without body"))?;
    Ok(read)
}

fn empty_accepted() -> Accepted {
    Accepted {
        network_id: NetworkMessageId(0),
        parent: None,
        received_at: std::time::SystemTime::UNIX_EPOCH,
        ingress: Ingress {
            kind: IngressKind::Program,
            connector: String::new(),
            peer: None,
            helo: None,
            identity: None,
            tls: None,
            session: None,
        },
        envelope: Envelope {
            reverse_path: ReversePath::Null,
            parameters: MailParameters::default(),
            recipients: Vec::new(),
        },
        facts: ContentFacts::default(),
    }
}

fn read_network_id(field: &Field<'_>) -> Result<NetworkMessageId, Malformed> {
    let octets = field.value.try_into().map_err(|_| Malformed("no network message id"))?;
    Ok(NetworkMessageId(u128::from_le_bytes(octets)))
}

fn read_ingress(ingress: &mut Ingress, field: &Field<'_>) -> Result<(), Malformed> {
    match field.tag {
        INGRESS_KIND => {
            ingress.kind = match field.number()? {
                1 => IngressKind::Smtp,
                2 => IngressKind::Dsn,
                3 => IngressKind::Program,
                _ => return Err(Malformed("an unknown kind of ingress")),
            };
        }
        CONNECTOR => ingress.connector = field.string()?,
        PEER => ingress.peer = Some(read_address(field)?),
        HELO => ingress.helo = Some(field.string()?),
        IDENTITY => ingress.identity = Some(field.string()?),
        TLS => ingress.tls = Some(field.string()?),
        _ => ingress.session = Some(SessionId(field.number()?)),
    }
    Ok(())
}

fn read_envelope(envelope: &mut Envelope, field: &Field<'_>) -> Result<(), Malformed> {
    let parameters = &mut envelope.parameters;
    match field.tag {
        REVERSE_PATH => {
            envelope.reverse_path = match field.text()? {
                "" => ReversePath::Null,
                mailbox => ReversePath::Mailbox(parse(mailbox, "no mailbox in the reverse-path")?),
            };
        }
        EIGHT_BIT_MIME => parameters.body = BodyType::EightBitMime,
        ENVELOPE_ID => parameters.envelope_id = Some(parse(field.text()?, "no envelope id")?),
        RET => parameters.ret = Some(parse(field.text()?, "no value of RET")?),
        SIZE => parameters.size = Some(field.number()?),
        _ => parameters.smtputf8 = true,
    }
    Ok(())
}

fn read_recipient(mut fields: Fields<'_>) -> Result<(Recipient, RecipientState), Malformed> {
    let (mut path, mut parameters) = (None, RcptParameters::default());
    let mut state = RecipientState::default();
    while let Some(field) = fields.next()? {
        match field.tag {
            recipient::PATH => {
                path = Some(match field.text()? {
                    "" => ForwardPath::Postmaster,
                    mailbox => ForwardPath::Mailbox(parse(mailbox, "no mailbox in a recipient")?),
                });
            }
            recipient::NOTIFY => parameters.notify = Some(parse(field.text()?, "no NOTIFY")?),
            recipient::ORIGINAL => {
                parameters.original_recipient = Some(parse(field.text()?, "no ORCPT")?);
            }
            recipient::VALID_SINCE => {
                parameters.valid_since = Some(parse(field.text()?, "no value of RRVS")?);
            }
            recipient::EXTENSION => parameters.extensions.push(read_extension(field.text()?)?),
            recipient::ATTEMPTS => state.attempts = field.number_u32()?,
            recipient::OUTCOME => state.outcome = Some(read_outcome(field.fields())?),
            recipient::RETRY_AT => state.retry_at = Some(field.time()?),
            _ => {}
        }
    }
    let forward_path = path.ok_or(Malformed("a recipient without path"))?;
    Ok((Recipient { forward_path, parameters }, state))
}

fn read_facts(mut fields: Fields<'_>) -> Result<ContentFacts, Malformed> {
    let mut content = ContentFacts::default();
    while let Some(field) = fields.next()? {
        match field.tag {
            facts::OCTETS => content.octets = field.number()?,
            facts::HEADER_OCTETS => content.header_octets = field.number()?,
            facts::EIGHT_BIT => content.eight_bit = true,
            facts::LINE_OCTETS_MAX => content.line_octets_max = field.number()?,
            facts::RECEIVED_COUNT => content.received_count = field.number_u32()?,
            facts::OWN_RECEIVED_COUNT => content.own_received_count = field.number_u32()?,
            facts::MESSAGE_ID => {
                content.message_id = Some(parse(field.text()?, "no message id")?);
            }
            facts::SUBJECT => content.subject = Some(field.string()?),
            _ => {}
        }
    }
    Ok(content)
}
