//! Adding jobs to the transaction that causes them.

use std::time::Duration;

use serde_json::Value;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::clock::Clock;
use crate::error::Error;
use crate::random;
use crate::tx::Tx;

/// A job to enqueue.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// What to do: a kind that the worker has a handler for, at most 64 bytes.
    pub kind: &'static str,
    /// Whose turn it takes; `None` is the server itself.
    pub org_id: Option<Uuid>,
    /// The record that it is about.
    pub record_id: Option<Uuid>,
    /// While an unfinished job of this kind has the key, another one is not added. At most 255 bytes.
    pub unique_key: Option<String>,
    /// What the handler needs to know, at most 64 KiB.
    pub payload: Value,
    /// -4 to 4, smaller first, among the jobs of one organisation.
    pub priority: i16,
    /// Not before this has passed on the database's clock.
    pub delay: Duration,
}

/// Jobs turned on their side, an array a column: for a caller that pipelines [`Columns::SQL`] with
/// statements of its own.
#[derive(Debug, Default)]
pub struct Columns<'a> {
    id: Vec<Uuid>,
    kind: Vec<&'static str>,
    org_id: Vec<Uuid>,
    record_id: Vec<Option<Uuid>>,
    unique_key: Vec<Option<&'a str>>,
    payload: Vec<&'a Value>,
    priority: Vec<i16>,
    delay_ms: Vec<i64>,
}

impl<'a> Columns<'a> {
    /// Adds the rows; one whose unique key is taken is left out. `RETURNING id`.
    pub const SQL: &'static str = "
INSERT INTO jobs (id, kind, org_id, record_id, unique_key, payload, priority, run_at)
SELECT id, kind, org_id, record_id, unique_key, payload, priority,
    now() + delay_ms * interval '1 millisecond'
FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::jsonb[], $7::int2[],
    $8::int8[]) AS j(id, kind, org_id, record_id, unique_key, payload, priority, delay_ms)
ON CONFLICT (kind, unique_key) WHERE unique_key IS NOT NULL AND state <> 'dead' DO NOTHING
RETURNING id";

    /// Types of the parameters of [`Columns::SQL`].
    pub const TYPES: [Type; 8] = [
        Type::UUID_ARRAY,
        Type::TEXT_ARRAY,
        Type::UUID_ARRAY,
        Type::UUID_ARRAY,
        Type::TEXT_ARRAY,
        Type::JSONB_ARRAY,
        Type::INT2_ARRAY,
        Type::INT8_ARRAY,
    ];

    /// Gives each job an id, a UUIDv7 of the time of `clock`.
    pub fn of(jobs: impl IntoIterator<Item = &'a NewJob>, clock: &Clock) -> Self {
        let now = clock.now();
        let mut columns = Self::default();
        for job in jobs {
            columns.id.push(random::uuid_v7(now));
            columns.kind.push(job.kind);
            columns.org_id.push(job.org_id.unwrap_or(Uuid::nil()));
            columns.record_id.push(job.record_id);
            columns.unique_key.push(job.unique_key.as_deref());
            columns.payload.push(&job.payload);
            columns.priority.push(job.priority);
            columns.delay_ms.push(i64::try_from(job.delay.as_millis()).unwrap_or(i64::MAX));
        }
        columns
    }

    /// Whether there is nothing to add.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.id.is_empty()
    }

    /// Parameters of [`Columns::SQL`].
    #[must_use]
    pub fn parameters(&self) -> [&(dyn ToSql + Sync); 8] {
        [
            &self.id,
            &self.kind,
            &self.org_id,
            &self.record_id,
            &self.unique_key,
            &self.payload,
            &self.priority,
            &self.delay_ms,
        ]
    }
}

/// Adds jobs in this transaction and gives the ids of those that were added: one whose unique key
/// is taken by an unfinished job is left out. The caller wakes the workers after its COMMIT
/// ([`crate::Store::wake_workers`]).
///
/// # Errors
/// Those of a statement.
pub async fn enqueue(tx: Tx<'_>, clock: &Clock, jobs: &[NewJob]) -> Result<Vec<Uuid>, Error> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let columns = Columns::of(jobs, clock);
    let statement = tx.client.prepare_typed_cached(Columns::SQL, &Columns::TYPES).await?;
    let rows = tx.client.query(&statement, &columns.parameters()).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
