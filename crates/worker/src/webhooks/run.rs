//! Claims endpoints that are due, as many as there are places, and their orderly end.

use std::sync::Arc;
use std::time::Duration;

use deed_store::{Error, Store};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::hands::Hands;
use super::{Webhooks, fanout};
use crate::runner::WorkerConfig;

/// Deliveries that one claim takes of an endpoint.
const BATCH: usize = 32;
/// Endpoints that one claim takes at most.
const MOST_CLAIMED: usize = 32;
/// Pause after a claim that found nothing; it doubles each time that nothing is found again.
const SHORTEST: Duration = Duration::from_millis(10);
/// The longest such pause.
const LONGEST: Duration = Duration::from_millis(100);
/// Pause after an error.
const AFTER_ERROR: Duration = Duration::from_secs(1);
/// Longest wait for what was dropped to be gone, and for the endpoints to be given back.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Delivers as the replica `id` until `stop`. Then nothing more is begun, what is under way has
/// [`WorkerConfig::drain_timeout`] to end, and the rest is given back.
pub(crate) async fn run(
    store: Store,
    id: Uuid,
    webhooks: Webhooks,
    config: WorkerConfig,
    stop: CancellationToken,
) {
    let (webhooks, hands, added) = (Arc::new(webhooks), Arc::new(Hands::default()), Notify::new());
    let upkeep = CancellationToken::new();
    let working = async {
        tokio::join!(
            fanout::run(&store, &added, &stop),
            claim(&store, id, &webhooks, &hands, config.lease, &added, &stop),
        );
        hands.tasks.close();
        if timeout(config.drain_timeout, hands.tasks.wait()).await.is_err() {
            give_back(&store, &hands).await;
        }
        upkeep.cancel();
    };
    tokio::join!(working, hands.keep(&store, config.lease, upkeep.clone()));
}

async fn claim(
    store: &Store,
    id: Uuid,
    webhooks: &Arc<Webhooks>,
    hands: &Arc<Hands>,
    lease: Duration,
    added: &Notify,
    stop: &CancellationToken,
) {
    let mut pause = SHORTEST;
    while !stop.is_cancelled() {
        let nap = match take(store, id, webhooks, hands, lease, stop).await {
            Ok(0) => {
                pause = (pause * 2).min(LONGEST);
                pause
            }
            Ok(_) => {
                pause = SHORTEST;
                pause
            }
            Err(error) => {
                tracing::warn!(%error, "no endpoints could be claimed");
                AFTER_ERROR
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = added.notified() => {}
            () = hands.ended.notified() => {}
            () = sleep(nap) => {}
        }
    }
}

async fn take(
    store: &Store,
    id: Uuid,
    webhooks: &Arc<Webhooks>,
    hands: &Arc<Hands>,
    lease: Duration,
    stop: &CancellationToken,
) -> Result<usize, Error> {
    let free = webhooks.concurrency.saturating_sub(hands.len()).min(MOST_CLAIMED);
    if free == 0 {
        return Ok(0);
    }
    let end = Instant::now() + lease;
    let claimed = store.claim_webhooks(id, free, BATCH, lease).await?;
    let taken = claimed.len();
    for webhook in claimed {
        hands.take(store, webhooks, webhook, end, stop.clone());
    }
    Ok(taken)
}

/// Drops the batches that are still under way, and puts their endpoints back for others.
async fn give_back(store: &Store, hands: &Hands) {
    let held = hands.drop_all();
    let _ = timeout(LAST_WORDS, hands.tasks.wait()).await;
    match timeout(LAST_WORDS, store.release_webhooks(&held)).await {
        Ok(Ok(())) => tracing::info!(endpoints = held.len(), "unfinished batches were given back"),
        Ok(Err(error)) => tracing::warn!(%error, "endpoints come back when their leases end"),
        Err(_) => tracing::warn!("endpoints come back when their leases end"),
    }
}
