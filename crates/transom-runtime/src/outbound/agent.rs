//! Delivery to an agent of the host program.

use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use transom_agent::{ContentSource, DeliveryAgent, DeliveryItem, IdempotencyKey};
use transom_queue::{Content, Dispatch, Durability, WorkStage};
use transom_types::{
    AttemptStage, EnhancedStatusCode, Outcome, RecipientResult, RemoteHost, Reply, ReplyCode,
    Status,
};

use super::{Rescue, for_all, intent, load, next, settle};
use crate::core::Core;
use crate::settlement::{AtHand, shorten};

/// How long a worker waits for more work: making a new one costs little.
const IDLE: Duration = Duration::from_secs(1);

/// Gives the messages of a queue to its agent, one after the other.
pub(super) async fn run(core: Arc<Core>, first: Dispatch) {
    let mut work = Some(first);
    while let Some(dispatch) = work.take() {
        let queue = dispatch.queue;
        let rescue = Rescue { core: &core, dispatch: &dispatch };
        if let Some(at_hand) = load(&core, &dispatch).await {
            let mut results = attempt(&core, &dispatch, &at_hand).await;
            shorten(&mut results);
            drop(rescue);
            settle(&core, dispatch, at_hand, results);
        }
        work = next(&core, queue, tokio::time::sleep(IDLE)).await;
    }
}

async fn attempt(core: &Core, dispatch: &Dispatch, at_hand: &AtHand) -> Vec<RecipientResult> {
    let name = dispatch.next_hop.domain.as_str();
    let Some(agent) = core.agents.get(name) else {
        return for_all(
            &dispatch.recipients,
            &deferred(format!("no delivery agent \"{name}\" is here")),
        );
    };
    let host = RemoteHost { name: name.to_owned(), address: None };
    let written = core.spool.commit(vec![intent(dispatch, &host)], Durability::Buffered).await;
    if let Err(error) = written {
        return for_all(&dispatch.recipients, &deferred(format!("the spool refused: {error}")));
    }
    let work = core.spool.working(dispatch.message, WorkStage::Agent);
    let given = deliver(agent.as_ref(), dispatch, at_hand).await;
    drop(work);
    complete(dispatch, &given)
}

async fn deliver(
    agent: &dyn DeliveryAgent,
    dispatch: &Dispatch,
    at_hand: &AtHand,
) -> Vec<RecipientResult> {
    let message = &at_hand.message;
    let key = IdempotencyKey::new(message.network_id, at_hand.id);
    let content: Arc<dyn ContentSource> = Arc::new(Readable(at_hand.content.clone()));
    let item = DeliveryItem::new(
        key,
        &message.envelope,
        &dispatch.recipients,
        content,
        message.received_at,
    );
    let first = at_hand.fresh && dispatch.attempt == 1;
    let delivery = async { agent.deliver(item.with_first_attempt(first)).await };
    match AssertUnwindSafe(delivery).catch_unwind().await {
        Ok(results) => results,
        Err(_) => {
            for_all(&dispatch.recipients, &deferred("the delivery agent panicked".to_owned()))
        }
    }
}

/// One result for each recipient: the agent's first, or a deferral where it gave none.
fn complete(dispatch: &Dispatch, given: &[RecipientResult]) -> Vec<RecipientResult> {
    let missing = deferred("the delivery agent gave no result".to_owned());
    let result = |recipient: &u32| {
        let found = given.iter().find(|result| result.recipient == *recipient);
        found
            .cloned()
            .unwrap_or_else(|| RecipientResult { recipient: *recipient, outcome: missing.clone() })
    };
    dispatch.recipients.iter().map(result).collect()
}

fn deferred(text: String) -> Outcome {
    let code = EnhancedStatusCode::transient(3, 0);
    let reply = Reply::new(ReplyCode::LOCAL_ERROR, code, text);
    Outcome::Deferred(Status::local(AttemptStage::Agent, reply))
}

/// The spool's content as agents read it.
struct Readable(Content);

impl ContentSource for Readable {
    fn len(&self) -> u64 {
        self.0.octets()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buf).map_err(io::Error::other)
    }
}
