//! Events that are about no entry of a chain.

use chrono::{DateTime, SecondsFormat, Utc};
use deed_notify::EventType;
use serde_json::Value;
use uuid::Uuid;

use crate::error::Error;
use crate::tx::Tx;

/// An event that carries its own data.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its type.
    pub event: EventType,
    /// Whose event it is; `None` is the server's own.
    pub org_id: Option<Uuid>,
    /// The record that it is about, if any.
    pub record_id: Option<Uuid>,
    /// By the schema of its type; at most 64 KiB.
    pub data: Value,
}

impl NewEvent {
    /// An event that is about no record.
    #[must_use]
    pub fn of(event: EventType, org_id: Option<Uuid>, data: Value) -> Self {
        Self { event, org_id, record_id: None, data }
    }
}

/// The condition gives the transaction its id before a sequence number is drawn; see `crate::horizon`.
const TELL: &str = "
INSERT INTO events (org_id, kind, record_id, data)
SELECT $1::uuid, $2::text, $3::uuid, $4::jsonb WHERE pg_current_xact_id() IS NOT NULL";

/// Puts an event into the outbox, in the transaction that causes it.
///
/// # Errors
/// Those of a statement.
pub async fn tell(tx: Tx<'_>, new: &NewEvent) -> Result<(), Error> {
    let statement = tx.client.prepare_cached(TELL).await?;
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
        [&new.org_id, &new.event.as_str(), &new.record_id, &new.data];
    tx.client.execute(&statement, &parameters).await?;
    Ok(())
}

/// A time as events tell it.
pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
