//! Events as they lie in the outbox, in their order.

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::error::Error;
use crate::store::Store;
use crate::tx::Tx;

/// One event of the outbox: enough to decide who gets it. [`Store::events_told`] makes of it what they get.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxRow {
    /// Place in the order of all events of the server; for the server's own use only.
    pub seq: i64,
    /// Whose event it is; `None` is the server's own.
    pub org_id: Option<Uuid>,
    /// Name of its type.
    pub kind: String,
    /// The record that it is about.
    pub record_id: Option<Uuid>,
    /// Position of the record's entry that it tells of.
    pub position: Option<i64>,
    /// When the transaction began that caused it.
    pub created_at: DateTime<Utc>,
    /// What it says, if that is not read from the record.
    pub data: Option<Value>,
}

const NEXT: &str = "
SELECT seq, org_id, kind, record_id, position, created_at, data FROM events
WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3";

impl OutboxRow {
    fn from_row(row: &Row) -> Self {
        Self {
            seq: row.get(0),
            org_id: row.get(1),
            kind: row.get(2),
            record_id: row.get(3),
            position: row.get(4),
            created_at: row.get(5),
            data: row.get(6),
        }
    }
}

/// The events after a sequence number up to a horizon, in their order, `limit` at most. Numbers that a
/// transaction did not use are missing.
///
/// # Errors
/// Those of a statement.
pub(crate) async fn next(
    tx: Tx<'_>,
    after: i64,
    horizon: i64,
    limit: usize,
) -> Result<Vec<OutboxRow>, Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let statement = tx.client.prepare_cached(NEXT).await?;
    let rows = tx.client.query(&statement, &[&after, &horizon, &limit]).await?;
    Ok(rows.iter().map(OutboxRow::from_row).collect())
}

impl Store {
    /// The events after a sequence number up to `horizon` ([`Store::event_horizon`]), in their order,
    /// `limit` at most. Fewer mean that all up to the horizon are there.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn events_after(
        &self,
        after: i64,
        horizon: i64,
        limit: usize,
    ) -> Result<Vec<OutboxRow>, Error> {
        self.db.read("events_after", move |tx| Box::pin(next(tx, after, horizon, limit))).await
    }
}
