//! The records that change a message: Intent, Outcome, Admin, Categorized.

use transom_types::{ConnectorId, Outcome};

use super::edits::read_edits;
use super::fields::{
    Fields, Malformed, put_field, put_flag, put_list, put_number, put_text, put_time,
};
use super::frame::RecordType;
use super::outcome::{is_terminal, put_outcome, read_outcome};
use crate::message::{Decided, Intent, MessageState};
use crate::spool::{AdminVerb, Settled, StoreError};

const INTENT_RECIPIENTS: u8 = 1;
const INTENT_HOST: u8 = 2;
const INTENT_ATTEMPT: u8 = 3;

const SETTLED: u8 = 1;
const SETTLED_DELAY_NOTIFIED: u8 = 2;

/// Within one settled recipient.
mod settled {
    pub(super) const RECIPIENT: u8 = 1;
    pub(super) const OUTCOME: u8 = 2;
    pub(super) const ATTEMPTED: u8 = 3;
    pub(super) const RETRY_AT: u8 = 4;
}

const ADMIN_VERB: u8 = 1;
const ADMIN_ACTOR: u8 = 2;

const FORK: u8 = 1;
const DECIDED: u8 = 2;
const ENDED: u8 = 3;

const DECIDED_ROUTE: u8 = 1;
const DECIDED_REQUIRE_TLS: u8 = 2;

const FORK_ID: u8 = 1;
const FORK_RECIPIENTS: u8 = 2;

pub(super) fn put_intent(out: &mut Vec<u8>, intent: &Intent) {
    put_list(out, INTENT_RECIPIENTS, &intent.recipients);
    put_text(out, INTENT_HOST, Some(&intent.host));
    put_number(out, INTENT_ATTEMPT, intent.attempt.into());
}

pub(super) fn read_intent(mut fields: Fields<'_>) -> Result<Intent, Malformed> {
    let mut intent = Intent { recipients: Vec::new(), host: String::new(), attempt: 0 };
    while let Some(field) = fields.next()? {
        match field.tag {
            INTENT_RECIPIENTS => intent.recipients = field.list()?,
            INTENT_HOST => intent.host = field.string()?,
            INTENT_ATTEMPT => intent.attempt = field.number_u32()?,
            _ => {}
        }
    }
    Ok(intent)
}

pub(super) fn put_settle(
    out: &mut Vec<u8>,
    recipients: &[Settled],
    delay_notified: bool,
) -> Result<(), StoreError> {
    let mut result = Ok(());
    for entry in recipients {
        put_field(out, SETTLED, |out| {
            put_number(out, settled::RECIPIENT, entry.recipient.into());
            put_flag(out, settled::ATTEMPTED, entry.attempted);
            if let Some(retry_at) = entry.retry_at {
                put_time(out, settled::RETRY_AT, retry_at);
            }
            put_field(out, settled::OUTCOME, |out| result = put_outcome(out, &entry.outcome));
        });
        result.clone()?;
    }
    put_flag(out, SETTLED_DELAY_NOTIFIED, delay_notified);
    Ok(())
}

fn read_settle(mut fields: Fields<'_>) -> Result<(Vec<Settled>, bool), Malformed> {
    let (mut recipients, mut delay_notified) = (Vec::new(), false);
    while let Some(field) = fields.next()? {
        match field.tag {
            SETTLED => recipients.push(read_settled(field.fields())?),
            SETTLED_DELAY_NOTIFIED => delay_notified = true,
            _ => {}
        }
    }
    Ok((recipients, delay_notified))
}

fn read_settled(mut fields: Fields<'_>) -> Result<Settled, Malformed> {
    let (mut recipient, mut outcome) = (None, None);
    let (mut attempted, mut retry_at) = (false, None);
    while let Some(field) = fields.next()? {
        match field.tag {
            settled::RECIPIENT => recipient = Some(field.number_u32()?),
            settled::OUTCOME => outcome = Some(read_outcome(field.fields())?),
            settled::ATTEMPTED => attempted = true,
            settled::RETRY_AT => retry_at = Some(field.time()?),
            _ => {}
        }
    }
    let (Some(recipient), Some(outcome)) = (recipient, outcome) else {
        return Err(Malformed("an outcome without recipient"));
    };
    Ok(Settled { recipient, outcome, attempted, retry_at })
}

/// The recipients that this Outcome record names, each with whether it ends.
pub(super) fn read_settle_summary(record: &[u8]) -> Result<Vec<(u32, bool)>, Malformed> {
    let mut summary = Vec::new();
    let mut fields = Fields::new(record);
    while let Some(field) = fields.next()? {
        if field.tag != SETTLED {
            continue;
        }
        let (mut recipient, mut terminal) = (None, None);
        let mut inner = field.fields();
        while let Some(field) = inner.next()? {
            match field.tag {
                settled::RECIPIENT => recipient = Some(field.number_u32()?),
                settled::OUTCOME => terminal = Some(is_terminal(field.fields())?),
                _ => {}
            }
        }
        let pair = recipient.zip(terminal).ok_or(Malformed("an outcome without recipient"))?;
        summary.push(pair);
    }
    Ok(summary)
}

pub(super) fn put_admin(out: &mut Vec<u8>, verb: AdminVerb, actor: &str) {
    let verb = match verb {
        AdminVerb::Suspend => 1,
        AdminVerb::Resume => 2,
        AdminVerb::Remove => 3,
    };
    put_number(out, ADMIN_VERB, verb);
    put_text(out, ADMIN_ACTOR, Some(actor));
}

pub(super) fn read_admin(record: &[u8]) -> Result<(AdminVerb, String), Malformed> {
    let (mut verb, mut actor) = (None, String::new());
    let mut fields = Fields::new(record);
    while let Some(field) = fields.next()? {
        match field.tag {
            ADMIN_VERB => {
                verb = Some(match field.number()? {
                    1 => AdminVerb::Suspend,
                    2 => AdminVerb::Resume,
                    3 => AdminVerb::Remove,
                    _ => return Err(Malformed("an unknown admin verb")),
                });
            }
            ADMIN_ACTOR => actor = field.string()?,
            _ => {}
        }
    }
    Ok((verb.ok_or(Malformed("an admin record without verb"))?, actor))
}

/// Each fork with the places, in the parent's envelope, that it takes over.
pub(super) fn put_categorized<'f>(
    out: &mut Vec<u8>,
    forks: impl IntoIterator<Item = (u64, &'f [u32])>,
) {
    for (id, recipients) in forks {
        put_field(out, FORK, |out| {
            put_number(out, FORK_ID, id);
            put_list(out, FORK_RECIPIENTS, recipients);
        });
    }
}

/// What the categorizer decided, and who ended with it. The copies follow as they are.
pub(super) fn put_decision(
    out: &mut Vec<u8>,
    decided: &Decided,
    ended: &[Settled],
) -> Result<(), StoreError> {
    put_field(out, DECIDED, |out| put_decided(out, decided));
    let mut result = Ok(());
    put_field(out, ENDED, |out| result = put_settle(out, ended, false));
    result
}

pub(super) fn put_decided(out: &mut Vec<u8>, decided: &Decided) {
    put_text(out, DECIDED_ROUTE, decided.route.as_ref().map(ConnectorId::as_str));
    put_flag(out, DECIDED_REQUIRE_TLS, decided.require_tls);
}

pub(super) fn read_decided(mut fields: Fields<'_>) -> Result<Decided, Malformed> {
    let mut decided = Decided::default();
    while let Some(field) = fields.next()? {
        match field.tag {
            DECIDED_ROUTE => decided.route = Some(ConnectorId::new(field.text()?)),
            DECIDED_REQUIRE_TLS => decided.require_tls = true,
            _ => {}
        }
    }
    Ok(decided)
}

/// All places that are not open any more: those that the forks took over, and those that ended.
pub(super) fn read_categorized(record: &[u8]) -> Result<Vec<u32>, Malformed> {
    let mut taken = Vec::new();
    let mut fields = Fields::new(record);
    while let Some(field) = fields.next()? {
        if field.tag == ENDED {
            let ended = read_settle_summary(field.value)?.into_iter().filter(|(_, ends)| *ends);
            taken.extend(ended.map(|(place, _)| place));
        }
        let mut inner = field.fields();
        while let Some(inner) = inner.next()?.filter(|_| field.tag == FORK) {
            if inner.tag == FORK_RECIPIENTS {
                taken.extend(inner.list()?);
            }
        }
    }
    Ok(taken)
}

/// Does to `state` what the record says.
pub(super) fn replay(
    state: &mut MessageState,
    kind: RecordType,
    record: &[u8],
) -> Result<(), Malformed> {
    const NO_RECIPIENT: Malformed = Malformed("a record names a recipient that is not there");
    match kind {
        RecordType::Intent => state.begin_attempt(read_intent(Fields::new(record))?),
        RecordType::Outcome => {
            let (recipients, delay_notified) = read_settle(Fields::new(record))?;
            state.settle(&recipients, delay_notified).map_err(|_| NO_RECIPIENT)?;
        }
        RecordType::Admin => {
            let (verb, actor) = read_admin(record)?;
            state.administer(verb, &actor);
        }
        RecordType::Edit => state.edit(read_edits(Fields::new(record))?),
        RecordType::Categorized => {
            let mut fields = Fields::new(record);
            while let Some(field) = fields.next()? {
                match field.tag {
                    DECIDED => state.decided = Some(read_decided(field.fields())?),
                    ENDED => {
                        let (ended, _) = read_settle(field.fields())?;
                        state.settle(&ended, false).map_err(|_| NO_RECIPIENT)?;
                    }
                    _ => {}
                }
            }
            // Those that have ended stay as they are.
            transfer(state, &read_categorized(record)?).ok_or(NO_RECIPIENT)?;
        }
        _ => {}
    }
    Ok(())
}

/// Recipients at these places have left for a copy.
pub(super) fn transfer(state: &mut MessageState, places: &[u32]) -> Option<()> {
    for &place in places {
        let recipient = state.recipients.get_mut(usize::try_from(place).ok()?)?;
        if recipient.is_open() {
            recipient.outcome = Some(Outcome::Transferred);
            recipient.retry_at = None;
        }
    }
    Some(())
}
