//! The operational audit log: who did what on this server.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::error::Error;
use crate::horizon::AUDIT_LOG;
use crate::store::Store;

/// When an entry was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Before the request was worked on.
    Attempt,
    /// When it was answered, or the client had gone away.
    Outcome,
}

impl Phase {
    /// Its name in the database and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Attempt => "attempt",
            Self::Outcome => "outcome",
        }
    }
}

/// One request, without its body, its query and any secret.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    /// UUIDv7.
    pub id: Uuid,
    /// When the request came.
    pub occurred_at: DateTime<Utc>,
    /// When the entry was made.
    pub phase: Phase,
    /// HTTP method.
    pub method: String,
    /// Pattern of the route.
    pub route: String,
    /// Path, at most 512 bytes of it.
    pub path: String,
    /// HTTP status of the answer; `None` when there was none.
    pub status: Option<u16>,
    /// Kind of the problem that was answered.
    pub problem: Option<String>,
    /// API key, if it is known.
    pub key_id: Option<Uuid>,
    /// Its role.
    pub role: Option<String>,
    /// Its organisation.
    pub org_id: Option<Uuid>,
    /// Its agent.
    pub agent_id: Option<Uuid>,
    /// Address of the other end of the connection: a proxy's, if one stands before the server.
    pub address: Option<String>,
    /// `X-Request-Id` of the answer.
    pub request_id: String,
    /// Time until the answer, in milliseconds.
    pub duration_ms: Option<i32>,
    /// Refusals before this one that were too many to be written.
    pub suppressed: i32,
}

/// The condition gives the transaction its id before numbers are drawn; see `horizon.rs`.
const INSERT: &str = "
INSERT INTO system_audit_log (id, occurred_at, phase, method, route, path, status, problem, key_id,
    role, org_id, agent_id, address, request_id, duration_ms, suppressed)
SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],
    $7::int2[], $8::text[], $9::uuid[], $10::text[], $11::uuid[], $12::uuid[], $13::text[],
    $14::text[], $15::int4[], $16::int4[])
WHERE pg_current_xact_id() IS NOT NULL";

const AFTER: &str = "
SELECT n, id, occurred_at, phase, method, route, path, status, problem, key_id, role, org_id,
    agent_id, address, request_id, duration_ms, suppressed
FROM system_audit_log
WHERE n > $1 AND n <= $2 AND ($4::timestamptz IS NULL OR occurred_at >= $4) ORDER BY n LIMIT $3";

/// No number up to the horizon is still to be committed; one beyond it may be, so that none of those is
/// where the reading begins.
const SINCE: &str = "
SELECT least(n - 1, $2) FROM system_audit_log WHERE created_at >= $1
ORDER BY created_at, n LIMIT 1";

/// `created_at` is the beginning of the transaction that wrote an entry, on the database's clock: numbers are
/// drawn in another order, and the clocks of the processes, by which entries occur, are not the same.
const DISORDER: TimeDelta = TimeDelta::minutes(2);

impl AuditEntry {
    fn from_row(row: &Row) -> Self {
        let phase: &str = row.get(3);
        Self {
            id: row.get(1),
            occurred_at: row.get(2),
            phase: if phase == "attempt" { Phase::Attempt } else { Phase::Outcome },
            method: row.get(4),
            route: row.get(5),
            path: row.get(6),
            status: row.get::<_, Option<i16>>(7).and_then(|status| u16::try_from(status).ok()),
            problem: row.get(8),
            key_id: row.get(9),
            role: row.get(10),
            org_id: row.get(11),
            agent_id: row.get(12),
            address: row.get(13),
            request_id: row.get(14),
            duration_ms: row.get(15),
            suppressed: row.get(16),
        }
    }
}

impl Store {
    /// Writes entries, all or none.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn append_audit(&self, entries: Arc<Vec<AuditEntry>>) -> Result<(), Error> {
        let run = self.db.run_tx("append_audit", move |tx| {
            let entries = Arc::clone(&entries);
            Box::pin(async move {
                let of =
                    |f: fn(&AuditEntry) -> Option<Uuid>| entries.iter().map(f).collect::<Vec<_>>();
                let text =
                    |f: fn(&AuditEntry) -> Option<&str>| entries.iter().map(f).collect::<Vec<_>>();
                let (ids, keys) = (of(|e| Some(e.id)), of(|e| e.key_id));
                let (orgs, agents) = (of(|e| e.org_id), of(|e| e.agent_id));
                let times: Vec<_> = entries.iter().map(|e| e.occurred_at).collect();
                let phases = text(|e| Some(e.phase.as_str()));
                let (methods, routes) = (text(|e| Some(&e.method)), text(|e| Some(&e.route)));
                let (paths, problems) = (text(|e| Some(&e.path)), text(|e| e.problem.as_deref()));
                let (roles, addresses) =
                    (text(|e| e.role.as_deref()), text(|e| e.address.as_deref()));
                let requests = text(|e| Some(&e.request_id));
                let statuses: Vec<Option<i16>> =
                    entries.iter().map(|e| e.status.and_then(|s| i16::try_from(s).ok())).collect();
                let durations: Vec<_> = entries.iter().map(|e| e.duration_ms).collect();
                let suppressed: Vec<_> = entries.iter().map(|e| e.suppressed).collect();
                let statement = tx.client.prepare_cached(INSERT).await?;
                let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 16] = [
                    &ids,
                    &times,
                    &phases,
                    &methods,
                    &routes,
                    &paths,
                    &statuses,
                    &problems,
                    &keys,
                    &roles,
                    &orgs,
                    &agents,
                    &addresses,
                    &requests,
                    &durations,
                    &suppressed,
                ];
                tx.client.execute(&statement, &parameters).await?;
                Ok(())
            })
        });
        run.await
    }

    /// Entries after a number that occurred at `since` or later, in the order in which they were written,
    /// `limit` at most; and the number to go on with. None that is still being written is passed over.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn audit_after(
        &self,
        after: i64,
        since: Option<DateTime<Utc>>,
        limit: usize,
    ) -> Result<(Vec<AuditEntry>, i64), Error> {
        let horizon = self.horizon(&AUDIT_LOG).await?;
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.db.read("audit_after", move |tx| {
            Box::pin(async move {
                let statement = tx.client.prepare_cached(AFTER).await?;
                Ok(tx.client.query(&statement, &[&after, &horizon, &most, &since]).await?)
            })
        });
        let rows = rows.await?;
        let full = rows.len() == limit;
        let next = rows.last().filter(|_| full).map_or(horizon.max(after), |row| row.get(0));
        Ok((rows.iter().map(AuditEntry::from_row).collect(), next))
    }

    /// A number after which every entry comes that occurred at `at` or later; older ones may be among them.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn audit_since(&self, at: DateTime<Utc>) -> Result<i64, Error> {
        let horizon = self.horizon(&AUDIT_LOG).await?;
        let from = at.checked_sub_signed(DISORDER).unwrap_or(at);
        let row = self.db.read("audit_since", move |tx| {
            Box::pin(async move { Ok(tx.client.query_opt(SINCE, &[&from, &horizon]).await?) })
        });
        Ok(row.await?.map_or(horizon, |row| row.get(0)))
    }

    /// Drops the oldest month of the log if all of it is older than `days` (at least 90), and says how many
    /// months were dropped.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn sweep_audit(&self, days: i32) -> Result<usize, Error> {
        let run = self.db.run_tx("sweep_audit", move |tx| {
            Box::pin(async move {
                let row = tx.client.query_one("SELECT drop_audit_month($1)", &[&days]).await?;
                Ok(usize::try_from(row.get::<_, i32>(0)).unwrap_or(0))
            })
        });
        run.await
    }
}
