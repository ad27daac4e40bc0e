//! How an [`Outcome`] stands in a record.

use transom_types::{
    AttemptStage, EnhancedStatusCode, Outcome, RemoteHost, Reply, ReplyCode, Status, StatusClass,
};

use super::fields::{Field, Fields, Malformed, put_list, put_number, put_text};
use crate::spool::StoreError;

const KIND: u8 = 1;
const CODE: u8 = 2;
const REPLY_CODE: u8 = 3;
const ENHANCED: u8 = 4;
const TEXT: u8 = 5;
const HOST: u8 = 6;
const ADDRESS: u8 = 7;
const STAGE: u8 = 8;

const DELIVERED: u64 = 1;
const RELAYED: u64 = 2;
const DEFERRED: u64 = 3;
const FAILED: u64 = 4;
const IN_DOUBT: u64 = 5;
const TRANSFERRED: u64 = 6;
const REMOVED: u64 = 7;
const EXPANDED: u64 = 8;
const REDIRECTED: u64 = 9;
const DUPLICATE: u64 = 10;

/// The stages in the order of their numbers, which are part of the format.
const STAGES: [AttemptStage; 14] = [
    AttemptStage::Routing,
    AttemptStage::Dns,
    AttemptStage::Connect,
    AttemptStage::Greeting,
    AttemptStage::Ehlo,
    AttemptStage::Tls,
    AttemptStage::Mail,
    AttemptStage::Rcpt,
    AttemptStage::Data,
    AttemptStage::Content,
    AttemptStage::EndOfData,
    AttemptStage::Agent,
    AttemptStage::Queue,
    AttemptStage::Auth,
];

/// Appends the fields of `outcome`.
pub(super) fn put_outcome(out: &mut Vec<u8>, outcome: &Outcome) -> Result<(), StoreError> {
    let kind = match outcome {
        Outcome::Delivered(_) => DELIVERED,
        Outcome::Relayed(_) => RELAYED,
        Outcome::Deferred(_) => DEFERRED,
        Outcome::Failed(_) => FAILED,
        Outcome::InDoubt(_) => IN_DOUBT,
        Outcome::Transferred => TRANSFERRED,
        Outcome::Removed(_) => REMOVED,
        Outcome::Expanded => EXPANDED,
        Outcome::Redirected => REDIRECTED,
        Outcome::Duplicate => DUPLICATE,
        _ => return Err(StoreError::Unreachable("an outcome that the log has no number for")),
    };
    put_number(out, KIND, kind);
    outcome.status().map_or(Ok(()), |status| put_status(out, status))
}

fn put_status(out: &mut Vec<u8>, status: &Status) -> Result<(), StoreError> {
    put_list(out, CODE, &code_numbers(status.code));
    put_number(out, REPLY_CODE, status.reply.code().get().into());
    if let Some(enhanced) = status.reply.enhanced() {
        put_list(out, ENHANCED, &code_numbers(enhanced));
    }
    put_text(out, TEXT, Some(status.reply.text()));
    if let Some(remote) = &status.remote {
        put_text(out, HOST, Some(&remote.name));
        if let Some(address) = remote.address {
            put_text(out, ADDRESS, Some(&address.to_string()));
        }
    }
    let stage = STAGES.iter().zip(0u64..).find(|(stage, _)| **stage == status.stage);
    let (_, number) =
        stage.ok_or(StoreError::Unreachable("a stage that the log has no number for"))?;
    put_number(out, STAGE, number);
    Ok(())
}

fn code_numbers(code: EnhancedStatusCode) -> [u32; 3] {
    [code.class().digit(), code.subject(), code.detail()].map(u32::from)
}

/// Whether the outcome in these fields ends its recipient.
pub(super) fn is_terminal(mut fields: Fields<'_>) -> Result<bool, Malformed> {
    while let Some(field) = fields.next()? {
        if field.tag == KIND {
            return Ok(!matches!(field.number()?, DEFERRED | IN_DOUBT));
        }
    }
    Err(Malformed("an outcome without kind"))
}

/// The outcome in these fields.
pub(super) fn read_outcome(mut fields: Fields<'_>) -> Result<Outcome, Malformed> {
    let (mut kind, mut code, mut reply_code) = (None, None, None);
    let (mut enhanced, mut text, mut stage) = (None, None, None);
    let (mut host, mut address) = (None, None);
    while let Some(field) = fields.next()? {
        match field.tag {
            KIND => kind = Some(field.number()?),
            CODE => code = Some(read_code(&field)?),
            REPLY_CODE => reply_code = Some(read_reply_code(&field)?),
            ENHANCED => enhanced = Some(read_code(&field)?),
            TEXT => text = Some(field.string()?),
            HOST => host = Some(field.string()?),
            ADDRESS => address = Some(read_address(&field)?),
            STAGE => stage = Some(read_stage(&field)?),
            _ => {}
        }
    }
    match kind {
        Some(TRANSFERRED) => return Ok(Outcome::Transferred),
        Some(EXPANDED) => return Ok(Outcome::Expanded),
        Some(REDIRECTED) => return Ok(Outcome::Redirected),
        Some(DUPLICATE) => return Ok(Outcome::Duplicate),
        _ => {}
    }
    let (Some(kind), Some(code), Some(reply_code), Some(stage)) = (kind, code, reply_code, stage)
    else {
        return Err(Malformed("an outcome without its kind, codes or stage"));
    };
    let text = text.unwrap_or_default();
    let reply = match enhanced {
        Some(enhanced) => Reply::new(reply_code, enhanced, text),
        None => Reply::bare(reply_code, text),
    };
    let mut status = Status::local(stage, reply);
    status.code = code;
    status.remote = host.map(|name| RemoteHost { name, address });
    Ok(match kind {
        DELIVERED => Outcome::Delivered(status),
        RELAYED => Outcome::Relayed(status),
        DEFERRED => Outcome::Deferred(status),
        FAILED => Outcome::Failed(status),
        IN_DOUBT => Outcome::InDoubt(status),
        REMOVED => Outcome::Removed(status),
        _ => return Err(Malformed("an outcome of unknown kind")),
    })
}

fn read_code(field: &Field<'_>) -> Result<EnhancedStatusCode, Malformed> {
    let wrong = Malformed("no enhanced status code");
    let list = field.list()?;
    let [class, subject, detail] = list.as_slice() else {
        return Err(wrong);
    };
    let class = match class {
        2 => StatusClass::Success,
        4 => StatusClass::PersistentTransient,
        5 => StatusClass::Permanent,
        _ => return Err(wrong),
    };
    let number = |number: u32| u16::try_from(number).map_err(|_| wrong);
    Ok(EnhancedStatusCode::new(class, number(*subject)?, number(*detail)?))
}

fn read_reply_code(field: &Field<'_>) -> Result<ReplyCode, Malformed> {
    let code = u16::try_from(field.number()?).ok().and_then(|code| ReplyCode::try_from(code).ok());
    code.ok_or(Malformed("no reply code"))
}

pub(super) fn read_address(field: &Field<'_>) -> Result<std::net::SocketAddr, Malformed> {
    field.text()?.parse().map_err(|_| Malformed("no socket address"))
}

fn read_stage(field: &Field<'_>) -> Result<AttemptStage, Malformed> {
    let stage = usize::try_from(field.number()?).ok().and_then(|number| STAGES.get(number));
    stage.copied().ok_or(Malformed("an unknown stage"))
}
