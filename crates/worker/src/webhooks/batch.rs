//! The batch of one endpoint: records beside one another, the events of one record one after the other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deed_notify::circuit::{Circuit, Health, wait_after};
use deed_store::webhooks::{Attempt, ClaimedWebhook, Outcome, PendingDelivery};
use deed_store::{Store, random};
use futures::{StreamExt as _, stream};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::Webhooks;

/// Requests to one endpoint at once.
const AT_ONCE: usize = 8;
/// After this time no further delivery of the batch is begun: others wait for their turn.
const LONGEST: Duration = Duration::from_secs(20);
/// Pause before the outcome is written again, after the database did not take it.
const AFTER_ERROR: Duration = Duration::from_secs(1);
/// Longest text of an error, in bytes.
const LONGEST_ERROR: usize = 1024;

struct Batch<'a> {
    store: &'a Store,
    webhooks: &'a Webhooks,
    webhook: &'a ClaimedWebhook,
    health: Mutex<Health>,
    started: Instant,
    stop: CancellationToken,
}

/// Delivers what came with a claim, and settles it. May be dropped at any await: then the lease ends, and
/// another worker delivers again what this one did not write down.
pub(super) async fn deliver(
    store: Store,
    webhooks: Arc<Webhooks>,
    mut webhook: ClaimedWebhook,
    stop: CancellationToken,
) {
    let chains = by_record(std::mem::take(&mut webhook.deliveries));
    let batch = Batch {
        store: &store,
        webhooks: &webhooks,
        webhook: &webhook,
        health: Mutex::new(webhook.health),
        started: Instant::now(),
        stop,
    };
    let attempts: Vec<Vec<Attempt>> = stream::iter(chains)
        .map(|chain| batch.chain(chain))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let health = *batch.health();
    if health.circuit == Circuit::Open {
        metrics::counter!("deed_webhook_circuits_opened_total").increment(1);
        tracing::info!(webhook = %webhook.held.id, failures = health.failures, "a circuit is open");
    }
    let attempts: Vec<Attempt> = attempts.into_iter().flatten().collect();
    loop {
        match store.settle_webhook(webhook.held, health, attempts.clone()).await {
            Ok(true) => return,
            Ok(false) => {
                tracing::warn!(webhook = %webhook.held.id, "another worker has the endpoint");
                return;
            }
            // The lease is prolonged meanwhile.
            Err(error) => tracing::warn!(%error, "a batch of deliveries is not settled yet"),
        }
        sleep(AFTER_ERROR).await;
    }
}

/// The deliveries of each record in their order; records in the order of their first one.
fn by_record(deliveries: Vec<PendingDelivery>) -> Vec<Vec<PendingDelivery>> {
    let mut chains: Vec<Vec<PendingDelivery>> = Vec::new();
    let mut known = HashMap::new();
    for delivery in deliveries {
        let own = chains.len();
        let chain = delivery.record_id.map_or(own, |record| *known.entry(record).or_insert(own));
        if chain == own {
            chains.push(Vec::new());
        }
        chains[chain].push(delivery);
    }
    chains
}

impl Batch<'_> {
    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn goes_on(&self) -> bool {
        self.health().circuit != Circuit::Open
            && self.started.elapsed() < LONGEST
            && !self.stop.is_cancelled()
    }

    /// Delivers the events of one record. After one that is to be tried again, the later ones wait for it.
    async fn chain(&self, chain: Vec<PendingDelivery>) -> Vec<Attempt> {
        let mut attempts = Vec::with_capacity(chain.len());
        let mut behind: Option<Duration> = None;
        for delivery in chain {
            if let Some(wait) = behind {
                attempts.push(unattempted(&delivery, Outcome::Postponed(wait)));
                continue;
            }
            if !self.goes_on() {
                break;
            }
            let attempt = self.attempt(&delivery).await;
            if let Outcome::Retry(wait) = attempt.outcome {
                behind = Some(wait);
            }
            attempts.push(attempt);
        }
        attempts
    }

    async fn attempt(&self, delivery: &PendingDelivery) -> Attempt {
        let request =
            super::request::build(self.store, &self.webhooks.sealer, self.webhook, delivery);
        let (status, error, response, took) = match request {
            Ok(request) => {
                let answer = self.webhooks.client.post(request).await;
                (answer.status, answer.error, answer.excerpt, answer.took)
            }
            Err(error) => (None, Some(error.to_string()), None, Duration::ZERO),
        };
        let succeeded = error.is_none();
        {
            let mut health = self.health();
            *health = health.after(succeeded);
        }
        let outcome = if succeeded {
            Outcome::Delivered
        } else {
            let random = u32::from_le_bytes(random::bytes());
            wait_after(delivery.attempts + 1, random).map_or(Outcome::Dead, Outcome::Retry)
        };
        let label = match outcome {
            Outcome::Delivered => "delivered",
            Outcome::Dead => "dead",
            Outcome::Retry(_) | Outcome::Postponed(_) => "retry",
        };
        metrics::counter!("deed_webhook_attempts_total", "outcome" => label).increment(1);
        metrics::histogram!("deed_webhook_attempt_seconds").record(took.as_secs_f64());
        let error = error.map(|text| cut(&text, LONGEST_ERROR));
        Attempt { id: delivery.id, outcome, status, error, response, took }
    }
}

fn unattempted(delivery: &PendingDelivery, outcome: Outcome) -> Attempt {
    let (id, took) = (delivery.id, Duration::ZERO);
    Attempt { id, outcome, status: None, error: None, response: None, took }
}

/// The longest beginning of a text that fits, without U+0000.
fn cut(text: &str, most: usize) -> String {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text[..end].replace('\0', " ")
}
