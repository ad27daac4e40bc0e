//! What is kept of verbs beside messages, as notes: suspended queues, redirected ones, removals
//! that wait for the end of an attempt. And what is told of verbs.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use transom_queue::view::{QueueInfo, Verb};
use transom_queue::{Durability, Note, Op, Scheduler, StoreError};
use transom_tracking::{EventId, Source, TrackingEvent};
use transom_types::{
    ConnectorId, DeliveryType, InternalMessageId, NextHop, NextHopDomain, TlsClass,
};

use super::remove::{Removal, Removing};
use crate::core::Core;

const SUSPENDED: &str = "queue-suspended/";
const REDIRECTED: &str = "queue-redirected/";
const REMOVING: &str = "removing/";

/// Keeps, or forgets, that a queue is suspended.
pub(super) async fn keep_suspended(
    core: &Core,
    next_hop: &NextHop,
    actor: Option<&str>,
) -> Result<(), StoreError> {
    let key = format!("{SUSPENDED}{}", to_text(next_hop));
    keep(core, key, actor.map(str::to_owned), None).await
}

/// Keeps, or forgets, that mail for one next hop goes to another.
pub(super) async fn keep_redirected(
    core: &Core,
    from: &NextHop,
    to: Option<(&NextHop, &str)>,
) -> Result<(), StoreError> {
    let key = format!("{REDIRECTED}{}", to_text(from));
    keep(core, key, to.map(|(to, actor)| format!("{}\n{actor}", to_text(to))), None).await
}

/// Keeps that a message is removed when its attempt ends without having delivered. The message has
/// ended by `until`; ids are never used again, so that a note too many does no harm.
pub(super) async fn keep_removing(
    core: &Core,
    id: InternalMessageId,
    removing: &Removing,
    until: Option<SystemTime>,
) -> Result<(), StoreError> {
    let word = if removing.removal == Removal::WithDsn { "dsn" } else { "silent" };
    keep(core, format!("{REMOVING}{id}"), Some(format!("{word}\n{}", removing.actor)), until).await
}

async fn keep(
    core: &Core,
    key: String,
    value: Option<String>,
    until: Option<SystemTime>,
) -> Result<(), StoreError> {
    let note = Note { key, value: value.map(Bytes::from), until };
    core.spool.commit(vec![Op::Note(note)], Durability::Sync).await?;
    Ok(())
}

/// Suspends the queues that were suspended before the restart.
pub(crate) fn restore_suspended_queues(core: &Core, scheduler: &mut Scheduler) {
    let now = core.clock.now();
    for (key, _) in kept(core, SUSPENDED) {
        if let Some(next_hop) = from_text(&key) {
            if next_hop.kind == DeliveryType::Undefined {
                core.submission.set_suspended(true);
            }
            let queue = scheduler.open_queue(now, next_hop);
            scheduler.suspend_queue(now, queue);
        }
    }
}

/// The redirections from before the restart.
pub(crate) fn restore_redirects(core: &Core) -> HashMap<NextHop, NextHop> {
    let notes = kept(core, REDIRECTED).into_iter();
    let pair = |(from, value): (String, String)| {
        let (to, _) = value.rsplit_once('\n')?;
        Some((from_text(&from)?, from_text(to)?))
    };
    notes.filter_map(pair).collect()
}

/// The removals from before the restart.
pub(crate) fn restore_removals(core: &Core) -> HashMap<InternalMessageId, Removing> {
    let notes = kept(core, REMOVING).into_iter();
    let pair = |(id, value): (String, String)| {
        let (word, actor) = value.split_once('\n')?;
        let removal = if word == "dsn" { Removal::WithDsn } else { Removal::WithoutDsn };
        let removing = Removing { actor: Arc::from(actor), removal };
        Some((InternalMessageId(id.parse().ok()?), removing))
    };
    notes.filter_map(pair).collect()
}

/// Notes of a kind: name and text.
fn kept(core: &Core, kind: &str) -> Vec<(String, String)> {
    let notes = core.spool.notes(kind, core.clock.wall()).into_iter();
    let texts = |note: Note| {
        let value = String::from_utf8(note.value?.to_vec()).ok()?;
        Some((note.key.strip_prefix(kind)?.to_owned(), value))
    };
    notes.filter_map(texts).collect()
}

const KINDS: [DeliveryType; 7] = [
    DeliveryType::DnsConnectorDelivery,
    DeliveryType::SmartHostConnectorDelivery,
    DeliveryType::DeliveryAgent,
    DeliveryType::NonSmtpGatewayDelivery,
    DeliveryType::SmtpRelayToConnectorSourceServers,
    DeliveryType::Undefined,
    DeliveryType::Unreachable,
];

const TLS_CLASSES: [(TlsClass, &str); 3] = [
    (TlsClass::Normal, "Normal"),
    (TlsClass::RequireTls, "RequireTls"),
    (TlsClass::TlsRequiredNo, "TlsRequiredNo"),
];

/// A next hop in four lines: no name has a line end in it.
fn to_text(next_hop: &NextHop) -> String {
    let tls = TLS_CLASSES.iter().find(|(tls, _)| *tls == next_hop.tls);
    let tls = tls.map_or("", |(_, name)| *name);
    format!("{}\n{tls}\n{}\n{}", next_hop.kind, next_hop.connector, next_hop.domain)
}

fn from_text(text: &str) -> Option<NextHop> {
    let mut lines = text.splitn(4, '\n');
    let (kind, tls) = (lines.next()?, lines.next()?);
    let (connector, domain) = (lines.next()?, lines.next()?);
    Some(NextHop {
        kind: KINDS.into_iter().find(|known| known.to_string() == kind)?,
        tls: TLS_CLASSES.iter().find(|(_, name)| *name == tls)?.0,
        connector: ConnectorId::new(connector),
        domain: NextHopDomain::new(domain),
    })
}

/// Tells what was done to a message.
pub(super) fn tell_message(core: &Core, id: InternalMessageId, verb: Verb, actor: &str) {
    let mut event = told(core, verb, actor);
    event.internal_id = Some(id);
    core.emit(&event);
}

/// Tells what was done to a queue.
pub(super) fn tell_queue(core: &Core, queue: &QueueInfo, verb: Verb, actor: &str) {
    let mut event = match &queue.next_hop {
        Some(_) => told(core, verb, actor),
        None => told(core, format_args!("{verb} {}", queue.kind), actor),
    };
    event.connector = queue.next_hop.as_ref().map(|next_hop| next_hop.connector.clone());
    event.next_hop.clone_from(&queue.next_hop);
    core.emit(&event);
}

/// Tells that mail goes where it is routed again.
pub(super) fn tell_end_of_redirection(core: &Core, next_hop: &NextHop, actor: &str) {
    let mut event = told(core, "end of redirection", actor);
    event.next_hop = Some(next_hop.clone());
    core.emit(&event);
}

fn told(core: &Core, verb: impl fmt::Display, actor: &str) -> TrackingEvent {
    let mut event = TrackingEvent::new(EventId::Admin, Source::Admin, core.clock.wall());
    event.source_context = Some(format!("{verb} by {actor}").into());
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_hop_is_the_same_after_it_was_kept() {
        for kind in KINDS {
            for (tls, _) in TLS_CLASSES {
                let next_hop = NextHop {
                    kind,
                    domain: NextHopDomain::new("[192.0.2.1]:25,b.example/\\ c"),
                    connector: ConnectorId::new("to the / world"),
                    tls,
                };
                assert_eq!(from_text(&to_text(&next_hop)), Some(next_hop));
            }
        }
        assert_eq!(from_text("DeliveryAgent\nNormal\nmailbox"), None);
        assert_eq!(from_text("Pigeon\nNormal\nmailbox\nmailbox"), None);
    }
}
