//! Records: the current state of each, and what is read of their chains.

pub(crate) mod chain;
mod evaluation;
mod list;
mod signals;
mod work;

use chrono::{DateTime, Utc};
use deed_chain::hash::Hash;
use tokio_postgres::Row;
use uuid::Uuid;

pub use deed_lifecycle::State as Status;

pub use chain::{MOST_BYTES_IN_PAGE, MOST_IN_TREE, StoredEntry};
pub use evaluation::EvaluationInput;
pub use list::{Filter, Page};
pub use signals::SettlementSignal;
pub use work::{Actor, Work};

use crate::error::Error;
use crate::rows;
use crate::store::Store;

/// Deepest chain of delegation: a root has depth 0.
pub const MOST_DEPTH: i16 = 32;

/// One record's row.
#[derive(Debug, Clone)]
pub struct Record {
    /// UUIDv7.
    pub id: Uuid,
    /// Organisation that owns it.
    pub org_id: Uuid,
    /// Name of its Type.
    pub type_name: String,
    /// Version of its Type.
    pub type_version: i32,
    /// State.
    pub status: Status,
    /// Agent that answers for it.
    pub principal_agent_id: Option<Uuid>,
    /// Who asked for it, in the client's words.
    pub requested_by: Option<String>,
    /// API key that made it.
    pub created_by: Uuid,
    /// Record that delegated it.
    pub parent_id: Option<Uuid>,
    /// First record of its delegation tree; itself when it has no parent.
    pub root_id: Uuid,
    /// Steps of delegation above it.
    pub depth: i16,
    /// When it was made, to the millisecond.
    pub created_at: DateTime<Utc>,
    /// Position of its newest entry.
    pub head_position: i64,
    /// Hash of its newest entry.
    pub head_hash: Hash,
    /// Its own deadline, or the one that it inherited.
    pub deadline: Option<DateTime<Utc>>,
    /// Numbers by name that neither it nor its children may exceed, as canonical JSON.
    pub limits: Option<String>,
    /// What its gate needs; `None` for a record that was only notarized.
    pub work: Option<Work>,
}

/// The columns that [`Record::from_row`] reads, in its order.
pub(crate) const COLUMNS: &str = "id, org_id, type_name, type_version, status, \
    principal_agent_id, requested_by, created_by, parent_id, root_id, depth, created_at, \
    head_position, head_hash, deadline, limits, verdict_mode, performer_agent_id, \
    accessor_agent_id, revisions, criteria_position, completion_position, verdict_position, \
    evaluation_position, dispute_position";

impl Record {
    pub(crate) fn from_row(row: &Row) -> Result<Self, Error> {
        let status: &str = row.get(4);
        Ok(Self {
            id: row.get(0),
            org_id: row.get(1),
            type_name: row.get(2),
            type_version: row.get(3),
            status: Status::parse(status)
                .ok_or_else(|| Error::Damaged(format!("a record has status {status}")))?,
            principal_agent_id: row.get(5),
            requested_by: row.get(6),
            created_by: row.get(7),
            parent_id: row.get(8),
            root_id: row.get(9),
            depth: row.get(10),
            created_at: row.get(11),
            head_position: row.get(12),
            head_hash: rows::hash(row.get(13))?,
            deadline: row.get(14),
            limits: row.get(15),
            work: Work::from_row(row, 16)?,
        })
    }
}

impl Store {
    /// One record that `actor` may read.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of a read.
    pub async fn record_for(&self, id: Uuid, actor: &Actor) -> Result<Record, Error> {
        let record = self.record(id, None).await?;
        if record.is_visible_to(actor) { Ok(record) } else { Err(Error::NotFound("record")) }
    }

    /// One record; another organisation's is not found. `org` is `None` for the platform.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of a read.
    pub async fn record(&self, id: Uuid, org: Option<Uuid>) -> Result<Record, Error> {
        let row = self.db.read("record", move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {COLUMNS} FROM records WHERE id = $1 AND ($2::uuid IS NULL OR org_id = $2)"
                );
                let statement = tx.client.prepare_cached(&sql).await?;
                Ok(tx.client.query_opt(&statement, &[&id, &org]).await?)
            })
        });
        Record::from_row(&row.await?.ok_or(Error::NotFound("record"))?)
    }
}
