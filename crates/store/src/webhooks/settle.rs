//! Writing down how a batch went, and when its endpoint is due again.

use std::sync::Arc;
use std::time::Duration;

use deed_notify::EventType;
use deed_notify::circuit::{Circuit, Health};
use serde_json::json;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::HeldWebhook;
use super::told::told;
use crate::error::Error;
use crate::store::Store;
use crate::tx::Tx;

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint took it.
    Delivered,
    /// It is attempted again after this time.
    Retry(Duration),
    /// It is given up, until somebody replays it.
    Dead,
    /// It was not attempted, and is not before this time: an earlier one of its record has to be first.
    Postponed(Duration),
}

/// One delivery of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The delivery.
    pub id: Uuid,
    /// What becomes of it.
    pub outcome: Outcome,
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Why it failed, for people; at most 1,024 bytes.
    pub error: Option<String>,
    /// The beginning of the answer's body; at most 4,096 bytes, without U+0000.
    pub response: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// A statement of its own before the others: whoever adds deliveries and wakes the endpoint comes wholly
/// before or wholly after.
const LOCK: &str = "
SELECT circuit FROM webhook_endpoints WHERE webhook_id = $1 AND fence = $2 AND leased FOR UPDATE";

const DELIVERIES: &str = "
UPDATE webhook_deliveries d SET state = a.state, attempts = d.attempts + a.tried,
    next_at = now() + a.wait * interval '1 millisecond',
    last_at = CASE WHEN a.tried = 1 THEN now() ELSE d.last_at END,
    last_status = CASE WHEN a.tried = 1 THEN a.status ELSE d.last_status END,
    last_error = CASE WHEN a.tried = 1 THEN a.error ELSE d.last_error END,
    last_response = CASE WHEN a.tried = 1 THEN a.response ELSE d.last_response END,
    last_ms = CASE WHEN a.tried = 1 THEN a.took ELSE d.last_ms END
FROM unnest($1::uuid[], $2::text[], $3::int8[], $4::int4[], $5::int2[], $6::text[], $7::text[],
    $8::int4[]) AS a(id, state, wait, tried, status, error, response, took)
WHERE d.id = a.id";

const ENDPOINT: &str = "
UPDATE webhook_endpoints SET leased = false, claimed_by = NULL, circuit = $2, failures = $3,
    last_success_at = CASE WHEN $4 THEN now() ELSE last_success_at END,
    last_failure_at = CASE WHEN $5 THEN now() ELSE last_failure_at END,
    due_at = CASE
        WHEN paused_at IS NOT NULL THEN NULL
        WHEN $2 = 'open' THEN now() + $6 * interval '1 millisecond'
        WHEN EXISTS (SELECT FROM webhook_deliveries
            WHERE webhook_id = $1 AND state = 'pending' AND next_at IS NULL) THEN now()
        ELSE (SELECT next_at FROM webhook_deliveries
            WHERE webhook_id = $1 AND state = 'pending' AND next_at IS NOT NULL
            ORDER BY next_at LIMIT 1)
    END
WHERE webhook_id = $1";

#[derive(Default)]
struct Columns {
    id: Vec<Uuid>,
    state: Vec<&'static str>,
    wait: Vec<Option<i64>>,
    tried: Vec<i32>,
    status: Vec<Option<i16>>,
    error: Vec<Option<String>>,
    response: Vec<Option<String>>,
    took: Vec<i32>,
}

impl Columns {
    fn of(attempts: Vec<Attempt>) -> Self {
        let mut columns = Self::default();
        for attempt in attempts {
            let (state, wait, tried) = match attempt.outcome {
                Outcome::Delivered => ("delivered", None, 1),
                Outcome::Retry(wait) => ("pending", Some(wait), 1),
                Outcome::Dead => ("dead", None, 1),
                Outcome::Postponed(wait) => ("pending", Some(wait), 0),
            };
            columns.id.push(attempt.id);
            columns.state.push(state);
            let millis = |wait: Duration| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
            columns.wait.push(wait.map(millis));
            columns.tried.push(tried);
            columns.status.push(attempt.status.and_then(|status| i16::try_from(status).ok()));
            columns.error.push(attempt.error);
            columns.response.push(attempt.response);
            columns.took.push(i32::try_from(attempt.took.as_millis()).unwrap_or(i32::MAX));
        }
        columns
    }

    fn parameters(&self) -> [&(dyn ToSql + Sync); 8] {
        [
            &self.id,
            &self.state,
            &self.wait,
            &self.tried,
            &self.status,
            &self.error,
            &self.response,
            &self.took,
        ]
    }
}

impl Store {
    /// Writes down how a batch went and lets go of its endpoint, whose health is `health` now. `false`
    /// when another worker has it: then nothing is written, and what was delivered is delivered again, with
    /// the same id.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn settle_webhook(
        &self,
        held: HeldWebhook,
        health: Health,
        attempts: Vec<Attempt>,
    ) -> Result<bool, Error> {
        let succeeded = attempts.iter().any(|one| one.outcome == Outcome::Delivered);
        let failed =
            attempts.iter().any(|one| matches!(one.outcome, Outcome::Retry(_) | Outcome::Dead));
        let columns = Arc::new(Columns::of(attempts));
        let run = self.db.run_tx("settle_webhook", move |tx| {
            let columns = Arc::clone(&columns);
            Box::pin(async move { settle(tx, held, health, (succeeded, failed), &columns).await })
        });
        run.await
    }
}

async fn settle(
    tx: Tx<'_>,
    held: HeldWebhook,
    health: Health,
    (succeeded, failed): (bool, bool),
    columns: &Columns,
) -> Result<bool, Error> {
    let statement = tx.client.prepare_cached(LOCK).await?;
    let Some(row) = tx.client.query_opt(&statement, &[&held.id, &held.fence]).await? else {
        return Ok(false);
    };
    if !columns.id.is_empty() {
        let statement = tx.client.prepare_cached(DELIVERIES).await?;
        tx.client.execute(&statement, &columns.parameters()).await?;
    }
    let types = [Type::UUID, Type::TEXT, Type::INT4, Type::BOOL, Type::BOOL, Type::INT8];
    let statement = tx.client.prepare_typed_cached(ENDPOINT, &types).await?;
    let circuit = health.circuit.as_str();
    let failures = i32::try_from(health.failures).unwrap_or(i32::MAX);
    let pause = match health.circuit {
        Circuit::Open => i64::try_from(health.pause().as_millis()).unwrap_or(i64::MAX),
        Circuit::Closed | Circuit::HalfOpen => 0,
    };
    let parameters: [&(dyn ToSql + Sync); 6] =
        [&held.id, &circuit, &failures, &succeeded, &failed, &pause];
    tx.client.execute(&statement, &parameters).await?;
    // A probe that fails opens the circuit again, and that is nothing new.
    match (row.get::<_, &str>(0), health.circuit) {
        ("closed", Circuit::Open) => {
            let data = json!({ "failures": health.failures });
            told(tx, EventType::WebhookCircuitOpened, held.id, data).await?;
        }
        ("half_open", Circuit::Closed) => {
            told(tx, EventType::WebhookCircuitClosed, held.id, json!({})).await?;
        }
        _ => {}
    }
    Ok(true)
}
