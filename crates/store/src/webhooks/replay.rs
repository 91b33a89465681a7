//! Delivering again, and deliveries that are only a test.

use chrono::{DateTime, Utc};
use deed_notify::{Event, EventType};
use serde_json::json;
use uuid::Uuid;

use super::fanout::body;
use super::manage::wake;
use super::told::told;
use super::{DeliveryState, Format};
use crate::error::Error;
use crate::events::time;
use crate::random;
use crate::tx::Tx;

/// Most deliveries that one replay of a range puts back.
pub const MOST_REPLAYED: i64 = 1000;

/// Puts one delivery back that was settled: it is delivered as soon as it is its turn, with all its attempts,
/// the same id and the same bytes.
///
/// # Errors
/// [`Error::NotFound`] when the webhook has no such delivery, [`Error::Conflict`] `delivery-pending` when it
/// is to be delivered anyway.
pub async fn replay(tx: Tx<'_>, webhook: Uuid, delivery: Uuid) -> Result<(), Error> {
    let sql = "UPDATE webhook_deliveries SET state = 'pending', attempts = 0, next_at = NULL
        WHERE id = $1 AND webhook_id = $2 AND state <> 'pending'";
    if tx.client.execute(sql, &[&delivery, &webhook]).await? == 0 {
        let sql = "SELECT FROM webhook_deliveries WHERE id = $1 AND webhook_id = $2";
        let found = tx.client.query_opt(sql, &[&delivery, &webhook]).await?;
        found.ok_or(Error::NotFound("delivery"))?;
        return Err(Error::conflict("delivery-pending", "the delivery is pending already"));
    }
    wake(tx, webhook).await?;
    let data = json!({ "replayed": 1, "deliveryId": delivery });
    told(tx, EventType::WebhookReplayed, webhook, data).await
}

/// Which deliveries to put back: those that were added at `from` or later and before `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayable {
    /// Where they stand: delivered or dead.
    pub state: DeliveryState,
    /// The beginning.
    pub from: DateTime<Utc>,
    /// The end, not included.
    pub to: DateTime<Utc>,
}

/// Puts deliveries of a range of time back, the oldest first, and says how many: at
/// [`MOST_REPLAYED`] there may be more.
///
/// # Errors
/// Those of a statement.
pub async fn replay_range(tx: Tx<'_>, webhook: Uuid, range: &Replayable) -> Result<u64, Error> {
    let sql = "UPDATE webhook_deliveries SET state = 'pending', attempts = 0, next_at = NULL
        WHERE id IN (SELECT id FROM webhook_deliveries
            WHERE webhook_id = $1 AND state = $2::text
                AND id >= uuid_floor($3) AND id < uuid_floor($4) ORDER BY id LIMIT $5)
            AND state <> 'pending'";
    let state = range.state.as_str();
    let replayed =
        tx.client.execute(sql, &[&webhook, &state, &range.from, &range.to, &MOST_REPLAYED]).await?;
    wake(tx, webhook).await?;
    let data = json!({
        "replayed": replayed, "status": state, "from": time(range.from), "to": time(range.to),
    });
    told(tx, EventType::WebhookReplayed, webhook, data).await?;
    Ok(replayed)
}

/// A delivery that tells of nothing but itself.
#[derive(Debug, Clone)]
pub struct Test {
    /// The delivery.
    pub id: Uuid,
    /// Its event.
    pub event: Event,
}

impl Test {
    /// A test of a webhook of an organisation, at this time.
    #[must_use]
    pub fn new(webhook: Uuid, org: Uuid, now: DateTime<Utc>) -> Self {
        let event = Event {
            id: random::uuid_v7(now),
            kind: EventType::WebhookTest.as_str().to_owned(),
            timestamp: now,
            org_id: Some(org),
            record_id: None,
            position: None,
            data: json!({ "webhookId": webhook, "message": "A test; nothing has happened." }),
        };
        Self { id: random::uuid_v7(now), event }
    }
}

/// Adds a test, which goes before everything else, also when the circuit is open. `source` is the server's
/// issuer URL.
///
/// # Errors
/// Those of a statement.
pub async fn test(
    tx: Tx<'_>,
    webhook: Uuid,
    format: Format,
    source: &str,
    new: &Test,
) -> Result<(), Error> {
    let sql = "INSERT INTO webhook_deliveries (id, webhook_id, event_id, event_type, body)
        VALUES ($1, $2, $3, $4, $5)";
    let body = body(&new.event, format, source);
    tx.client.execute(sql, &[&new.id, &webhook, &new.event.id, &new.event.kind, &body]).await?;
    let sql = "UPDATE webhook_endpoints SET due_at = least(due_at, now())
        WHERE webhook_id = $1 AND NOT leased AND paused_at IS NULL";
    tx.client.execute(sql, &[&webhook]).await?;
    told(tx, EventType::WebhookTestRequested, webhook, json!({ "deliveryId": new.id })).await
}
