//! What the spool finds damaged is told, and the messages that it costs are suspended.

use std::sync::Arc;
use std::time::Duration;

use transom_queue::Damage;

use crate::core::Core;
use crate::outbound::set_aside;

/// How often the spool is asked: to ask costs nothing.
const INTERVAL: Duration = Duration::from_secs(1);

/// Tells what the start found, then what the spool finds, until the stop.
pub(crate) async fn watch(core: Arc<Core>, found: Vec<Damage>) {
    tell(&core, found).await;
    while core.stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        tell(&core, core.spool.damages()).await;
    }
}

async fn tell(core: &Core, damages: Vec<Damage>) {
    for damage in damages {
        tracing::error!(%damage, "the spool is damaged");
        if let Some(id) = damage.message {
            set_aside(core, id, &damage.to_string()).await;
        }
    }
}
