//! Delivery by SMTP: one connection, message after message.

use std::sync::Arc;
use std::time::Duration;

use transom_queue::{Committed, Dispatch, Durability, StoreError};
use transom_smtp::client::Transaction;
use transom_types::{
    AttemptStage, EnhancedStatusCode, Outcome, RecipientResult, Reply, ReplyCode, Status,
};

use super::connection::{Connection, ContentError, Reached};
use super::dial::dial;
use super::{Rescue, for_all, intent, load, next, set_aside, settle};
use crate::core::Core;
use crate::dispatcher::Request;
use crate::settlement::{AtHand, shorten};

/// Sends the messages of a queue, one after the other, over one connection.
pub(super) async fn run(core: Arc<Core>, first: Dispatch) {
    let mut work = Some(first);
    let mut connection: Option<Connection> = None;
    let mut idle_timeout = Duration::ZERO;
    while let Some(dispatch) = work.take() {
        let queue = dispatch.queue;
        let rescue = Rescue { core: &core, dispatch: &dispatch };
        if let Some(at_hand) = load(&core, &dispatch).await {
            let (kept, mut results) = attempt(&core, connection.take(), &dispatch, &at_hand).await;
            let full = kept.as_ref().is_some_and(|kept| is_full(&core, kept, &dispatch));
            connection = kept;
            if let Some(connector) = core.config().send_connector(&dispatch.next_hop.connector) {
                idle_timeout = connector.idle_timeout;
                for result in &mut results {
                    let outcome = std::mem::replace(&mut result.outcome, Outcome::Transferred);
                    result.outcome = connector.error_policies.apply(outcome);
                }
            }
            shorten(&mut results);
            tell_last_error(&core, &dispatch, &results).await;
            drop(rescue);
            settle(&core, dispatch, at_hand, results);
            if full {
                break;
            }
        }
        // Without a connection this task ends; the scheduler begins a new one when it is time.
        let Some(open) = &mut connection else { return };
        let idle = async {
            tokio::select! {
                () = open.until_disturbed() => {}
                () = tokio::time::sleep(idle_timeout) => {}
            }
        };
        work = next(&core, queue, idle).await;
    }
    if let Some(connection) = connection {
        connection.quit().await;
    }
}

/// Whether a connection takes no further message, by our number or by the peer's.
fn is_full(core: &Core, connection: &Connection, dispatch: &Dispatch) -> bool {
    let config = core.config();
    let connector = config.send_connector(&dispatch.next_hop.connector);
    let most = connector.map_or(1, |connector| connector.messages_per_connection);
    !connection.is_ready() || (most > 0 && connection.messages >= most)
}

/// A queue shows what last kept it from delivering.
async fn tell_last_error(core: &Core, dispatch: &Dispatch, results: &[RecipientResult]) {
    let deferred = results.iter().find_map(|result| match &result.outcome {
        Outcome::Deferred(status) => Some(status.clone()),
        _ => None,
    });
    if let Some(status) = deferred {
        drop(core.dispatcher.send(Request::LastError(dispatch.queue, status)).await);
    }
}

/// One attempt: over the connection at hand, or over a new one. What the peer takes only in
/// another session goes there at once.
async fn attempt(
    core: &Arc<Core>,
    mut kept: Option<Connection>,
    dispatch: &Dispatch,
    at_hand: &AtHand,
) -> (Option<Connection>, Vec<RecipientResult>) {
    let mut rest = dispatch.recipients.clone();
    let mut all: Vec<RecipientResult> = Vec::with_capacity(rest.len());
    loop {
        let was_kept = kept.is_some();
        let connection = match kept.take() {
            Some(kept) => kept,
            None => match dial(core, &dispatch.next_hop).await {
                Ok(connection) => connection,
                Err(outcome) => {
                    all.extend(for_all(&rest, &outcome));
                    return (None, all);
                }
            },
        };
        let (connection, results) = send(core, connection, dispatch, at_hand, &rest).await;
        let is_over = !connection.as_ref().is_some_and(Connection::is_ready);
        // Over a kept connection nothing may have begun: the peer had closed it while it was idle.
        let again = |result: &RecipientResult| {
            is_one_too_many(result) || (was_kept && is_not_begun(result))
        };
        let (later, done): (Vec<_>, Vec<_>) = results.into_iter().partition(again);
        let progress = was_kept || later.len() < rest.len();
        all.extend(done);
        if later.is_empty() || !is_over || !progress || core.stop.is_cancelled() {
            all.extend(later);
            return (connection, all);
        }
        if let Some(used_up) = connection {
            used_up.quit().await;
        }
        rest = later.into_iter().map(|result| result.recipient).collect();
    }
}

/// Whether a recipient did not get past MAIL, and did not fail for good.
fn is_not_begun(result: &RecipientResult) -> bool {
    matches!(&result.outcome, Outcome::Deferred(status) if status.stage <= AttemptStage::Mail)
}

/// Sends a message over a connection; the connection comes back when it can be used again.
/// Recipients above the peer's number for one transaction go in further ones.
async fn send(
    core: &Arc<Core>,
    mut connection: Connection,
    dispatch: &Dispatch,
    at_hand: &AtHand,
    recipients: &[u32],
) -> (Option<Connection>, Vec<RecipientResult>) {
    connection.messages = connection.messages.saturating_add(1);
    let mut rest = recipients.to_vec();
    let mut all: Vec<RecipientResult> = Vec::with_capacity(rest.len());
    loop {
        let (open, results) = transact(core, &mut connection, dispatch, at_hand, &rest).await;
        let (later, done): (Vec<_>, Vec<_>) = results.into_iter().partition(is_one_too_many);
        let progress = later.len() < rest.len();
        all.extend(done);
        if later.is_empty() || !progress || !open || !connection.is_ready() {
            all.extend(later);
            return (open.then_some(connection), all);
        }
        rest = later.into_iter().map(|result| result.recipient).collect();
    }
}

/// [RFC 5321 §4.5.3.1.10-b] a recipient refused for their number is to be sent again at once.
fn is_one_too_many(result: &RecipientResult) -> bool {
    const TOO_MANY: EnhancedStatusCode = EnhancedStatusCode::transient(5, 3);
    matches!(&result.outcome, Outcome::Deferred(status) if status.code == TOO_MANY)
}

/// One mail transaction. Tells whether the session is still open.
async fn transact(
    core: &Arc<Core>,
    connection: &mut Connection,
    dispatch: &Dispatch,
    at_hand: &AtHand,
    recipients: &[u32],
) -> (bool, Vec<RecipientResult>) {
    match connection.begin(transaction(at_hand, recipients)) {
        Err(refused) => return (true, refused.results),
        Ok(not_passed) if !not_passed.is_empty() => {
            tracing::debug!(host = %connection.host(), ?not_passed, "the peer is not told all");
        }
        Ok(_) => {}
    }
    // Written while MAIL, RCPT and DATA travel, so that the wait hides behind the 354. Both end
    // here: an intent that came behind the outcome would be a doubt about nothing.
    let intent = vec![intent(dispatch, connection.host())];
    let written = core.spool.commit(intent, Durability::Buffered);
    let (mut reached, written) = tokio::join!(connection.drive(), written);
    loop {
        match reached {
            Reached::Ready => {}
            Reached::SendContent => {
                let damage = send_content(connection, at_hand, &written).await;
                if let Some(damage) = damage {
                    set_aside(core, dispatch.message, &damage.to_string()).await;
                }
            }
            Reached::Done(results) => {
                // Whether the session goes on shows in what comes next.
                let open =
                    connection.is_ready() || matches!(connection.drive().await, Reached::Ready);
                return (open, results);
            }
            Reached::Closed(close) => {
                return (false, for_all(recipients, &close.outcome()));
            }
        }
        reached = connection.drive().await;
    }
}

fn transaction(at_hand: &AtHand, recipients: &[u32]) -> Transaction {
    let message = &at_hand.message;
    let named = recipients.iter().filter_map(|recipient| {
        let at = usize::try_from(*recipient).ok()?;
        Some((*recipient, message.envelope.recipients.get(at)?.clone()))
    });
    let mut parameters = message.envelope.parameters.clone();
    // What had to be held was held by the queue.
    parameters.hold = None;
    Transaction {
        reverse_path: message.envelope.reverse_path.clone(),
        parameters,
        recipients: named.collect(),
        size: at_hand.content.octets(),
        eight_bit: message.facts.eight_bit,
        utf8: message.envelope.parameters.smtputf8,
    }
}

/// Sends the content, when the intent is written. Gives the error where the content is damaged.
async fn send_content(
    connection: &mut Connection,
    at_hand: &AtHand,
    intent: &Result<Committed, StoreError>,
) -> Option<StoreError> {
    if let Err(error) = intent {
        connection.abort(local(format!("the spool refused: {error}")));
        return None;
    }
    let error = match connection.write_content(&at_hand.content).await {
        Ok(true) => {
            connection.end_content();
            return None;
        }
        Ok(false) => return None,
        Err(error) => error,
    };
    connection.abort(error.reply());
    match error {
        ContentError::Unread(damage @ StoreError::Damaged { .. }) => Some(damage),
        _ => None,
    }
}

fn local(text: String) -> Reply {
    let reply = Reply::new(ReplyCode::LOCAL_ERROR, EnhancedStatusCode::transient(3, 0), text);
    Status::local(AttemptStage::Content, reply).reply
}
