//! Taking endpoints in hand: those that are due, each by one worker, with the front of its backlog.

use std::time::Duration;

use deed_notify::circuit::{Circuit, Health};
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{Format, SigningAlg, health};
use crate::error::Error;
use crate::store::Store;

/// What a worker must present to do anything with an endpoint that it claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HeldWebhook {
    /// The webhook.
    pub id: Uuid,
    /// Fencing token of the claim.
    pub fence: i64,
}

/// An endpoint that this worker alone delivers to until its lease ends.
#[derive(Clone, PartialEq)]
pub struct ClaimedWebhook {
    /// The webhook and the token of this claim.
    pub held: HeldWebhook,
    /// Where to deliver.
    pub url: String,
    /// The form of bodies.
    pub format: Format,
    /// How to sign.
    pub signing_alg: SigningAlg,
    /// Sealed secrets that sign now, the newest first.
    pub secrets: Vec<Vec<u8>>,
    /// How the endpoint was before this batch.
    pub health: Health,
    /// What to deliver, in its order; few when the endpoint is not well.
    pub deliveries: Vec<PendingDelivery>,
}

impl std::fmt::Debug for ClaimedWebhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClaimedWebhook")
            .field("held", &self.held)
            .field("health", &self.health)
            .field("deliveries", &self.deliveries.len())
            .finish_non_exhaustive()
    }
}

/// A delivery to attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingDelivery {
    /// The delivery.
    pub id: Uuid,
    /// `webhook-id`.
    pub event_id: Uuid,
    /// The record that it is about.
    pub record_id: Option<Uuid>,
    /// What to post.
    pub body: Vec<u8>,
    /// Attempts before this one.
    pub attempts: u32,
}

/// Whoever waits longest is first; one that has just been served is due later than all who wait. An open
/// circuit whose pause has passed is half open from here.
const CLAIM: &str = "
WITH due AS MATERIALIZED (
    SELECT webhook_id FROM webhook_endpoints WHERE due_at <= now()
    ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE webhook_endpoints e SET leased = true, claimed_by = $2, fence = fence + 1,
    due_at = now() + $3 * interval '1 millisecond',
    circuit = CASE WHEN circuit = 'open' THEN 'half_open' ELSE circuit END
FROM due, webhooks w WHERE e.webhook_id = due.webhook_id AND w.id = due.webhook_id
RETURNING w.id, e.fence, w.url, w.format, w.signing_alg, w.secret,
    CASE WHEN w.previous_until > now() THEN w.previous_secret END, e.circuit, e.failures,
    e.paused_at IS NOT NULL";

/// What was tried before and is due comes first, then the rest in the order of the events.
const BATCH: &str = "
SELECT c.n, d.id, d.event_id, d.record_id, d.body, d.attempts
FROM unnest($1::int8[], $2::uuid[], $3::int8[]) AS c(n, webhook_id, size) CROSS JOIN LATERAL (
    (SELECT id, event_id, record_id, body, attempts FROM webhook_deliveries
     WHERE webhook_id = c.webhook_id AND state = 'pending' AND next_at IS NOT NULL
        AND next_at <= now() ORDER BY next_at, seq LIMIT c.size)
    UNION ALL
    (SELECT id, event_id, record_id, body, attempts FROM webhook_deliveries
     WHERE webhook_id = c.webhook_id AND state = 'pending' AND next_at IS NULL
     ORDER BY seq NULLS FIRST LIMIT c.size)
    LIMIT c.size) d";

const EXTEND: &str = "
UPDATE webhook_endpoints e SET due_at = now() + $3 * interval '1 millisecond'
FROM unnest($1::uuid[], $2::int8[]) AS h(webhook_id, fence)
WHERE e.webhook_id = h.webhook_id AND e.fence = h.fence AND e.leased
RETURNING e.webhook_id, e.fence";

const RELEASE: &str = "
UPDATE webhook_endpoints e SET leased = false, claimed_by = NULL, due_at = now()
FROM unnest($1::uuid[], $2::int8[]) AS h(webhook_id, fence)
WHERE e.webhook_id = h.webhook_id AND e.fence = h.fence AND e.leased";

impl Store {
    /// Claims at most `limit` endpoints for the worker `replica`, with at most `batch` deliveries each; one
    /// that is being probed comes with a single delivery. They are its own until `lease` has passed on
    /// the database's clock; [`Store::extend_webhooks`] prolongs that.
    ///
    /// # Errors
    /// Those of a transaction. When its outcome is unknown, what it claimed comes back when the lease ends.
    pub async fn claim_webhooks(
        &self,
        replica: Uuid,
        limit: usize,
        batch: usize,
        lease: Duration,
    ) -> Result<Vec<ClaimedWebhook>, Error> {
        let (limit, lease) = (count(limit), millis(lease));
        let run = self.db.run_tx("claim_webhooks", move |tx| {
            Box::pin(async move {
                let types = [Type::INT8, Type::UUID, Type::INT8];
                let statement = tx.client.prepare_typed_cached(CLAIM, &types).await?;
                let rows = tx.client.query(&statement, &[&limit, &replica, &lease]).await?;
                let mut claimed = Vec::with_capacity(rows.len());
                let (mut index, mut ids, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
                for (n, row) in rows.iter().enumerate() {
                    let webhook = from_row(row)?;
                    index.push(count(n));
                    ids.push(webhook.held.id);
                    let paused: bool = row.get(9);
                    let probed = webhook.health.circuit == Circuit::HalfOpen;
                    sizes.push(if paused {
                        0
                    } else if probed {
                        1
                    } else {
                        count(batch)
                    });
                    claimed.push(webhook);
                }
                if claimed.is_empty() {
                    return Ok(claimed);
                }
                let statement = tx.client.prepare_cached(BATCH).await?;
                for row in tx.client.query(&statement, &[&index, &ids, &sizes]).await? {
                    let n = usize::try_from(row.get::<_, i64>(0)).unwrap_or(usize::MAX);
                    if let Some(webhook) = claimed.get_mut(n) {
                        webhook.deliveries.push(delivery(&row));
                    }
                }
                Ok(claimed)
            })
        });
        run.await
    }

    /// Prolongs leases, and gives those that are still this worker's.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn extend_webhooks(
        &self,
        held: &[HeldWebhook],
        lease: Duration,
    ) -> Result<Vec<HeldWebhook>, Error> {
        let ((ids, fences), lease) = (columns(held), millis(lease));
        let run = self.db.run_tx("extend_webhooks", move |tx| {
            let (ids, fences) = (ids.clone(), fences.clone());
            Box::pin(async move {
                let types = [Type::UUID_ARRAY, Type::INT8_ARRAY, Type::INT8];
                let statement = tx.client.prepare_typed_cached(EXTEND, &types).await?;
                let rows = tx.client.query(&statement, &[&ids, &fences, &lease]).await?;
                let held = |row: &Row| HeldWebhook { id: row.get(0), fence: row.get(1) };
                Ok(rows.iter().map(held).collect())
            })
        });
        run.await
    }

    /// Gives endpoints back whose batch did not end; another worker may go on at once.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn release_webhooks(&self, held: &[HeldWebhook]) -> Result<(), Error> {
        let (ids, fences) = columns(held);
        let run = self.db.run_tx("release_webhooks", move |tx| {
            let (ids, fences) = (ids.clone(), fences.clone());
            Box::pin(async move {
                tx.client.execute(RELEASE, &[&ids, &fences]).await?;
                Ok(())
            })
        });
        run.await
    }
}

fn from_row(row: &Row) -> Result<ClaimedWebhook, Error> {
    let (format, alg): (&str, &str) = (row.get(3), row.get(4));
    let unknown = |name: &str| Error::Damaged(format!("a webhook has {name}"));
    let secrets = [row.get::<_, Option<Vec<u8>>>(5), row.get(6)];
    Ok(ClaimedWebhook {
        held: HeldWebhook { id: row.get(0), fence: row.get(1) },
        url: row.get(2),
        format: Format::parse(format).ok_or_else(|| unknown(format))?,
        signing_alg: SigningAlg::parse(alg).ok_or_else(|| unknown(alg))?,
        secrets: secrets.into_iter().flatten().collect(),
        health: health(row.get(7), row.get(8))?,
        deliveries: Vec::new(),
    })
}

fn delivery(row: &Row) -> PendingDelivery {
    PendingDelivery {
        id: row.get(1),
        event_id: row.get(2),
        record_id: row.get(3),
        body: row.get(4),
        attempts: row.get::<_, i32>(5).unsigned_abs(),
    }
}

fn columns(held: &[HeldWebhook]) -> (Vec<Uuid>, Vec<i64>) {
    held.iter().map(|one| (one.id, one.fence)).unzip()
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
