//! Audits that were asked for over the API: what a worker writes down, and what people read.

use std::time::Duration;

use chrono::{DateTime, Utc};
use deed_notify::EventType;
use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::error::Error;
use crate::events::{NewEvent, tell};
use crate::queue::{Held, NewJob, enqueue, finish};
use crate::records::Page;
use crate::store::Store;
use crate::tx::Tx;

/// Kind of the job that audits.
pub const AUDIT: &str = "audit.run";

/// An audit.
#[derive(Debug, Clone, PartialEq)]
pub struct Audit {
    /// UUIDv7.
    pub id: Uuid,
    /// Whether the anchors are compared too.
    pub with_anchors: bool,
    /// `waiting`, `running` or `done`.
    pub state: String,
    /// `intact`, `tampered` or `cannot-tell`, once it is done.
    pub verdict: Option<String>,
    /// Every chain up to this record is audited.
    pub cursor: Option<Uuid>,
    /// Counts so far.
    pub progress: Value,
    /// What was found, at most 1,000.
    pub findings: Value,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When a worker began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it was done.
    pub finished_at: Option<DateTime<Utc>>,
}

const COLUMNS: &str =
    "id, with_anchors, state, verdict, cursor, progress, findings, created_at, started_at,
    finished_at";

impl Audit {
    fn from_row(row: &Row) -> Self {
        Self {
            id: row.get(0),
            with_anchors: row.get(1),
            state: row.get(2),
            verdict: row.get(3),
            cursor: row.get(4),
            progress: row.get(5),
            findings: row.get(6),
            created_at: row.get(7),
            started_at: row.get(8),
            finished_at: row.get(9),
        }
    }
}

/// Writes down an audit to do, and its job, in this transaction.
///
/// # Errors
/// [`Error::Conflict`] `audit-running` while another one is not done; those of a statement.
pub async fn request(
    tx: Tx<'_>,
    clock: &crate::Clock,
    id: Uuid,
    with_anchors: bool,
    requested_by: Uuid,
) -> Result<(), Error> {
    let job = NewJob {
        kind: AUDIT,
        org_id: None,
        record_id: None,
        unique_key: Some("one at a time".to_owned()),
        payload: json!({ "audit": id }),
        priority: 0,
        delay: Duration::ZERO,
    };
    if enqueue(tx, clock, &[job]).await?.is_empty() {
        return Err(Error::conflict("audit-running", "an audit is waiting or running already"));
    }
    let sql = "INSERT INTO audits (id, with_anchors, requested_by) VALUES ($1, $2, $3)";
    tx.client.execute(sql, &[&id, &with_anchors, &requested_by]).await?;
    let data = json!({ "auditId": id, "anchors": with_anchors, "requestedBy": requested_by });
    tell(tx, &NewEvent::of(EventType::AuditRequested, None, data)).await
}

impl Store {
    /// An audit.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of a read.
    pub async fn audit(&self, id: Uuid) -> Result<Audit, Error> {
        let row = self.db.read("audit", move |tx| {
            Box::pin(async move {
                let sql = format!("SELECT {COLUMNS} FROM audits WHERE id = $1");
                Ok(tx.client.query_opt(&sql, &[&id]).await?)
            })
        });
        row.await?.map(|row| Audit::from_row(&row)).ok_or(Error::NotFound("audit"))
    }

    /// Audits before one, the newest first, without what they found.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn audits(&self, before: Option<Uuid>, limit: usize) -> Result<Page<Audit>, Error> {
        let (before, most) = (before.unwrap_or(Uuid::max()), i64::try_from(limit + 1));
        let most = most.unwrap_or(i64::MAX);
        let rows = self.db.read("audits", move |tx| {
            Box::pin(async move {
                let columns = COLUMNS.replace("findings", "'[]'::jsonb");
                let sql =
                    format!("SELECT {columns} FROM audits WHERE id < $1 ORDER BY id DESC LIMIT $2");
                Ok(tx.client.query(&sql, &[&before, &most]).await?)
            })
        });
        let audits = rows.await?.iter().map(Audit::from_row).collect();
        Ok(Page::cut(audits, limit, |audit| audit.id))
    }

    /// Writes down how far an audit is, for whoever takes it over.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn advance_audit(
        &self,
        id: Uuid,
        cursor: Option<Uuid>,
        progress: &Value,
        findings: &Value,
    ) -> Result<(), Error> {
        let sql = "UPDATE audits SET state = 'running', cursor = $2, progress = $3, findings = $4,
            started_at = coalesce(started_at, now()) WHERE id = $1 AND state <> 'done'";
        let values = (progress.clone(), findings.clone());
        let run = self.db.run_tx("advance_audit", move |tx| {
            let (progress, findings) = values.clone();
            Box::pin(async move {
                tx.client.execute(sql, &[&id, &cursor, &progress, &findings]).await?;
                Ok(())
            })
        });
        run.await
    }

    /// Ends an audit together with its job.
    ///
    /// # Errors
    /// Those of a transaction, and of [`finish`].
    pub async fn finish_audit(
        &self,
        held: Held,
        id: Uuid,
        verdict: &'static str,
        progress: &Value,
        findings: &Value,
    ) -> Result<(), Error> {
        let sql = "UPDATE audits SET state = 'done', verdict = $2, progress = $3, findings = $4,
            started_at = coalesce(started_at, now()), finished_at = now()
            WHERE id = $1 AND state <> 'done'";
        let values = (progress.clone(), findings.clone());
        let run = self.db.run_tx("finish_audit", move |tx| {
            let (progress, findings) = values.clone();
            Box::pin(async move {
                tx.client.execute(sql, &[&id, &verdict, &progress, &findings]).await?;
                finish(tx, held).await
            })
        });
        run.await
    }
}
