//! This process in the table of replicas.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deed_store::Store;
use deed_store::replicas::Tier;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Time between two heartbeats: a replica counts as gone after six.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Longest wait for the row to be taken away at the end.
const FAREWELL: Duration = Duration::from_secs(2);

/// Keeps the row of the replica `id` alive until `stop`, and takes it away then. The row shows when
/// `draining` becomes true.
pub async fn attend(
    store: Store,
    id: Uuid,
    tier: Tier,
    version: &'static str,
    draining: Arc<AtomicBool>,
    stop: CancellationToken,
) {
    let mut beats = interval(HEARTBEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = beats.tick() => {}
        }
        let beat = store.beat(id, tier, version, draining.load(Ordering::Acquire));
        if let Err(error) = beat.await {
            tracing::warn!(%error, "no heartbeat in the table of replicas");
        }
    }
    // A row that stays behind only shows as gone.
    let _ = timeout(FAREWELL, store.leave(id)).await;
}
