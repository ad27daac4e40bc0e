//! Drives settlement: what `transom_queue::settle` decides becomes durable, then known.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use transom_queue::{
    Accept, Accepted, Cause, Completed, Content, DiskLevel, Dispatch, Durability, MessageState, Op,
    Overdue, ReportDraft, ReportMessage, SettleInput, Settlement, StoreError, StoredMessage,
    settle,
};
use transom_tracking::TrackingEvent;
use transom_types::{InternalMessageId, Mailbox, Outcome, RecipientResult, Reply, Status};

use crate::body_cache::Fresh;
use crate::categorize::Submitted;
use crate::core::Core;
use crate::dispatcher::Request;
use crate::outbound::Rescue;

/// A message at hand: what an attempt and its settlement work on.
#[derive(Clone, Debug)]
pub(crate) struct AtHand {
    pub(crate) id: InternalMessageId,
    pub(crate) message: Arc<Accepted>,
    pub(crate) state: Arc<MessageState>,
    pub(crate) content: Content,
    /// Whether it comes from the cache, so that no attempt was ever begun. What the spool holds
    /// may have been tried: an intent of the last second can be missing.
    pub(crate) fresh: bool,
}

impl AtHand {
    /// Takes a message from the cache of fresh ones, or reads it from the spool.
    pub(crate) async fn load(core: &Core, id: InternalMessageId) -> Result<Self, StoreError> {
        if let Some(Fresh { message, content }) = core.cache.take(id) {
            let state = Arc::new(MessageState::default());
            let content = Content::from_bytes(content);
            return Ok(Self { id, message, state, content, fresh: true });
        }
        let stored = core.spool.open(id).await?;
        let state = Arc::new(stored.state);
        Ok(Self { id, message: stored.message, state, content: stored.content, fresh: false })
    }
}

/// Wait before an outcome that the spool refused is written down again.
pub(crate) const REFUSED_RETRY: Duration = Duration::from_secs(10);

/// Wait before what the spool refuses for good is tried again, in case somebody has mended it.
pub(crate) const FINAL_RETRY: Duration = Duration::from_mins(10);

/// Octets of a peer's words that are kept for each recipient: enough for people to read, and the
/// outcomes of the largest transaction fit into one commit, with their report.
const REPLY_OCTETS_MAX: usize = 2048;

/// Octets of the original's header section that a report carries on a full disk.
const SHORT_OCTETS_MAX: u64 = 4096;

/// Cuts off what peers and agents say beyond [`REPLY_OCTETS_MAX`].
pub(crate) fn shorten(results: &mut [RecipientResult]) {
    for status in results.iter_mut().filter_map(|result| status_of(&mut result.outcome)) {
        let (text, mut end) = (status.reply.text(), REPLY_OCTETS_MAX);
        if text.len() <= end {
            continue;
        }
        while !text.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        let text = text.get(..end).unwrap_or_default().to_owned();
        status.reply = match status.reply.enhanced() {
            Some(enhanced) => Reply::new(status.reply.code(), enhanced, text),
            None => Reply::bare(status.reply.code(), text),
        };
    }
}

fn status_of(outcome: &mut Outcome) -> Option<&mut Status> {
    match outcome {
        Outcome::Delivered(status)
        | Outcome::Relayed(status)
        | Outcome::Deferred(status)
        | Outcome::Failed(status)
        | Outcome::InDoubt(status)
        | Outcome::Removed(status) => Some(status),
        _ => None,
    }
}

/// Settles an attempt, makes it durable and tells the scheduler. Runs beside the connection, which
/// goes on with its next message meanwhile.
///
/// While the spool refuses, the attempt stays under way: what may have been delivered is not tried
/// again. When the transport stops in this state, the next start finds the intent of the attempt
/// and names the doubt.
pub(crate) async fn settle_attempt(
    core: Arc<Core>,
    dispatch: Dispatch,
    at_hand: AtHand,
    results: Vec<RecipientResult>,
) {
    let _rescue = Rescue { core: &core, dispatch: &dispatch };
    let (completed, reports) = loop {
        let now = core.clock.now();
        let settlement = settle(&SettleInput {
            id: at_hand.id,
            message: &at_hand.message,
            state: &at_hand.state,
            cause: Cause::Attempt(&results),
            next_hop: Some(&dispatch.next_hop),
            policy: &core.settle_policy,
            now: core.clock.wall(),
            expires_in: dispatch.expires_at.saturating_duration_since(now),
            random: fastrand::u64(..),
        });
        let completed = settlement.completed(now);
        match write_down(&core, &at_hand, settlement).await {
            Ok(reports) => break (completed, reports),
            Err(error) if may_pass(&error) && core.pause(REFUSED_RETRY).await => {}
            Err(error) => {
                let retries = unsettled(&error, &results, now);
                break (Completed { retries, ..completed }, Vec::new());
            }
        }
    };
    drop(core.dispatcher.send(Request::Complete(dispatch.token, completed)).await);
    submit(&core, reports).await;
}

/// Who is tried again when an outcome cannot be written down: all but those who have the message.
/// For them the next start finds the intent of the attempt and names the doubt.
fn unsettled(
    error: &StoreError,
    results: &[RecipientResult],
    now: Instant,
) -> Vec<(Vec<u32>, Instant)> {
    // The message has ended, or the transport stops.
    if matches!(error, StoreError::NotFound(_)) || may_pass(error) {
        return Vec::new();
    }
    let without = |result: &&RecipientResult| {
        !matches!(result.outcome, Outcome::Delivered(_) | Outcome::Relayed(_))
    };
    let recipients = results.iter().filter(without).map(|result| result.recipient).collect();
    vec![(recipients, now.checked_add(FINAL_RETRY).unwrap_or(now))]
}

/// Settles recipients that no next hop takes. Gives the reports, which are to be categorized.
pub(crate) async fn fail_unrouted(
    core: &Core,
    submitted: &Submitted,
    failed: &[RecipientResult],
) -> Result<Vec<Submitted>, StoreError> {
    let Submitted { id, message, state, deadlines, .. } = submitted;
    let expires_in = deadlines.expires_at.saturating_duration_since(core.clock.now());
    // Without its content the report carries no header section; better than none.
    let content = match core.spool.open(*id).await {
        Ok(stored) => stored.content,
        Err(_) => Content::from_bytes(Bytes::new()),
    };
    let (message, state) = (Arc::clone(message), Arc::new(state.clone()));
    let at_hand = AtHand { id: *id, message, state, content, fresh: false };
    settle_outside(core, &at_hand, Cause::Attempt(failed), expires_in).await
}

/// Settles a message whose time is over.
pub(crate) async fn expire(core: Arc<Core>, overdue: Overdue) {
    settle_overdue(&core, &overdue, Cause::Expired(&overdue.waiting)).await;
}

/// Tells the sender that the message still waits.
pub(crate) async fn notify_delay(core: Arc<Core>, overdue: Overdue) {
    settle_overdue(&core, &overdue, Cause::DelayNotice(&overdue.waiting)).await;
}

/// The scheduler has let go of these recipients, so this does not end before they are settled, or
/// the transport stops: then the next start finds them.
async fn settle_overdue(core: &Core, overdue: &Overdue, cause: Cause<'_>) {
    loop {
        match try_overdue(core, overdue, cause).await {
            Ok(reports) => return submit(core, reports).await,
            // Ended in this moment.
            Err(StoreError::NotFound(_)) => return,
            Err(error) => {
                tracing::error!(message = %overdue.message, %error, "a message is not settled");
                let Some(wait) = retry_after(&error) else { return };
                if !core.pause(wait).await {
                    return;
                }
            }
        }
    }
}

async fn try_overdue(
    core: &Core,
    overdue: &Overdue,
    cause: Cause<'_>,
) -> Result<Vec<Submitted>, StoreError> {
    let stored = core.spool.open(overdue.message).await?;
    let StoredMessage { id, message, state, content } = stored;
    let state = Arc::new(state);
    let at_hand = AtHand { id, message, state, content, fresh: false };
    let expires_in = overdue.expires_at.saturating_duration_since(core.clock.now());
    settle_outside(core, &at_hand, cause, expires_in).await
}

/// Settles what is no attempt of a connection.
pub(crate) async fn settle_outside(
    core: &Core,
    at_hand: &AtHand,
    cause: Cause<'_>,
    expires_in: Duration,
) -> Result<Vec<Submitted>, StoreError> {
    let settlement = settle(&SettleInput {
        id: at_hand.id,
        message: &at_hand.message,
        state: &at_hand.state,
        cause,
        next_hop: None,
        policy: &core.settle_policy,
        now: core.clock.wall(),
        expires_in,
        random: fastrand::u64(..),
    });
    write_down(core, at_hand, settlement).await
}

/// Whether the spool may do later what it refused now.
pub(crate) fn may_pass(error: &StoreError) -> bool {
    matches!(error, StoreError::Failed { .. } | StoreError::Full { .. } | StoreError::Io { .. })
}

/// How long to wait before what the spool refused is tried again; none where the message has ended.
/// What is not tried again would have no timer until the next start.
pub(crate) fn retry_after(error: &StoreError) -> Option<Duration> {
    match error {
        StoreError::NotFound(_) => None,
        _ if may_pass(error) => Some(REFUSED_RETRY),
        _ => Some(FINAL_RETRY),
    }
}

/// Makes a settlement and its reports durable in one batch, then emits its events. Gives the
/// reports, which are to be categorized.
async fn write_down(
    core: &Core,
    at_hand: &AtHand,
    settlement: Settlement,
) -> Result<Vec<Submitted>, StoreError> {
    let Settlement { op, reports, events, .. } = settlement;
    let mut ops = vec![op];
    let mut made = Vec::new();
    for draft in reports {
        let (accept, report) = make_report(core, at_hand, draft).await?;
        ops.push(accept);
        made.push(report);
    }
    if let Err(error) = core.spool.commit(ops, Durability::Sync).await {
        tracing::error!(message = %at_hand.id, %error, "an outcome cannot be written down");
        return Err(error);
    }
    for event in &events {
        core.emit(event);
    }
    let mut submitted = Vec::with_capacity(made.len());
    for Made { id, fresh, event } in made {
        core.emit(&event);
        submitted.push(Submitted::fresh(core, id, Arc::clone(&fresh.message)));
        core.cache.insert(id, fresh);
    }
    Ok(submitted)
}

/// Hands reports to the categorizer. A worker of the categorizer must not wait for its own
/// channel, so it does not call this.
pub(crate) async fn submit(core: &Core, reports: Vec<Submitted>) {
    for report in reports {
        drop(core.submission.send(report).await);
    }
}

/// Whether a report for this sender may hold what servers said and which headers there were.
fn shows_diagnostics(core: &Core, to: &Mailbox) -> bool {
    let configuration = core.config();
    let Some(domain) = to.domain() else { return true };
    let is_ours = configuration.accepted_domain(&domain).is_some();
    let remote = configuration.remote_domain(&domain);
    is_ours || remote.is_none_or(|remote| remote.ndr_diagnostics)
}

/// A report with its Accept: what is committed, what is cached, what is emitted.
pub(crate) struct Made {
    pub(crate) id: InternalMessageId,
    pub(crate) fresh: Fresh,
    pub(crate) event: TrackingEvent,
}

pub(crate) async fn make_report(
    core: &Core,
    at_hand: &AtHand,
    mut draft: ReportDraft,
) -> Result<(Op, Made), StoreError> {
    if !shows_diagnostics(core, &draft.to) {
        draft = draft.without_diagnostics();
    }
    // What room there is on a full disk is for outcomes.
    if core.spool.pressure().disk >= DiskLevel::Critical {
        draft = draft.with_headers_only(SHORT_OCTETS_MAX);
    }
    let mut original = vec![0; usize::try_from(draft.original_octets()).unwrap_or_default()];
    // What cannot be read is not quoted; the report is made all the same.
    let read = at_hand.content.read_at(0, &mut original).unwrap_or(0);
    original.truncate(read);
    let mut ingest = core.spool.begin(None)?;
    let id = ingest.id();
    let ReportMessage { accepted, octets, event } = draft.into_message(id, &original);
    ingest.write(&octets).await?;
    let body = ingest.finish().await?;
    let fresh = Fresh { message: Arc::new(accepted.clone()), content: Bytes::from(octets) };
    let accept = Op::Accept(Box::new(Accept { body, message: accepted }));
    Ok((accept, Made { id, fresh, event }))
}

#[cfg(test)]
mod tests {
    use transom_types::{AttemptStage, EnhancedStatusCode, ReplyCode};

    use super::*;
    use crate::clock::{Clock, SystemClock};

    fn failed(recipient: u32, text: String) -> RecipientResult {
        let code = EnhancedStatusCode::permanent(1, 1);
        let reply = Reply::new(ReplyCode::TRANSACTION_FAILED, code, text);
        RecipientResult {
            recipient,
            outcome: Outcome::Failed(Status::local(AttemptStage::Rcpt, reply)),
        }
    }

    #[test]
    fn long_words_of_a_peer_are_cut_between_characters_and_keep_their_codes() {
        let line = "\u{e9}".repeat(101);
        let long = vec![line; 40].join("\n");
        let mut results = vec![failed(0, long), failed(1, "short".to_owned())];
        let codes = |results: &[RecipientResult]| {
            let status = |result: &RecipientResult| result.outcome.status().unwrap().clone();
            let all = results.iter().map(status);
            all.map(|status| (status.code, status.reply.code())).collect::<Vec<_>>()
        };
        let before = codes(&results);
        shorten(&mut results);
        assert_eq!(codes(&results), before);
        let text = |at: usize| results[at].outcome.status().unwrap().reply.text().to_owned();
        assert!((REPLY_OCTETS_MAX - 1..=REPLY_OCTETS_MAX).contains(&text(0).len()));
        assert_eq!(text(1), "short");
    }

    #[test]
    fn outcome_that_is_never_written_down_brings_back_who_has_no_message() {
        let now = SystemClock.now();
        let reply = Reply::new(ReplyCode::OK, EnhancedStatusCode::success(1, 5), "ok");
        let outcome = Outcome::Relayed(Status::local(AttemptStage::EndOfData, reply));
        let results = [failed(0, "no".to_owned()), RecipientResult { recipient: 1, outcome }];
        let error = StoreError::TooLarge { octets: 2, limit: 1 };
        assert_eq!(unsettled(&error, &results, now), [(vec![0], now + FINAL_RETRY)]);
        let gone = StoreError::NotFound(InternalMessageId(1));
        assert_eq!(unsettled(&gone, &results, now), []);
        assert_eq!(retry_after(&error), Some(FINAL_RETRY));
        assert_eq!(retry_after(&gone), None);
    }
}
