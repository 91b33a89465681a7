//! What people see of the queue: depths, ages, the jobs themselves; and the replay of dead ones.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use deed_notify::EventType;
use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use super::NewJob;
use super::enqueue::enqueue;
use crate::error::Error;
use crate::events::{NewEvent, tell};
use crate::records::Page;
use crate::store::Store;

/// Jobs that one look at the depths counts at most.
const MOST_COUNTED: i64 = 1_000_000;

/// How many jobs of one kind there are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Depth {
    /// The kind.
    pub kind: String,
    /// They could run now.
    pub waiting: u64,
    /// Workers hold them.
    pub active: u64,
    /// Their time has not come.
    pub delayed: u64,
    /// Out of attempts.
    pub dead: u64,
    /// Seconds since the oldest waiting one could have run.
    pub oldest_seconds: f64,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// To be claimed, now or at its time.
    Waiting,
    /// A worker holds it.
    Active,
    /// Out of attempts.
    Dead,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Active, Self::Dead];

    /// Its name in the database and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Active => "active",
            Self::Dead => "dead",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// A job as it lies in the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// UUIDv7.
    pub id: Uuid,
    /// What to do.
    pub kind: String,
    /// Whose job it is; `None` is the server itself.
    pub org_id: Option<Uuid>,
    /// The record that it is about.
    pub record_id: Option<Uuid>,
    /// What the handler needs to know.
    pub payload: Value,
    /// -4 to 4, smaller first.
    pub priority: i16,
    /// Where it stands.
    pub state: JobState,
    /// Not before this time; of a dead job, the time of its last failure.
    pub run_at: DateTime<Utc>,
    /// When it was added.
    pub enqueued_at: DateTime<Utc>,
    /// Claims that counted.
    pub attempt: u32,
    /// The worker that holds it.
    pub claimed_by: Option<Uuid>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

const COLUMNS: &str = "id, kind, org_id, record_id, payload, priority, state, run_at, enqueued_at,
    attempt, claimed_by, last_error";

impl Job {
    fn from_row(row: &Row) -> Result<Self, Error> {
        let (org_id, state): (Uuid, &str) = (row.get(2), row.get(6));
        Ok(Self {
            id: row.get(0),
            kind: row.get(1),
            org_id: (!org_id.is_nil()).then_some(org_id),
            record_id: row.get(3),
            payload: row.get(4),
            priority: row.get(5),
            state: JobState::parse(state)
                .ok_or_else(|| Error::Damaged(format!("job state {state}")))?,
            run_at: row.get(7),
            enqueued_at: row.get(8),
            attempt: row.get::<_, i32>(9).unsigned_abs(),
            claimed_by: row.get(10),
            last_error: row.get(11),
        })
    }
}

impl Store {
    /// Adds jobs in a transaction of their own, and wakes the worker of this process. Gives the ids
    /// of those that were added.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn enqueue_jobs(&self, jobs: Vec<NewJob>) -> Result<Vec<Uuid>, Error> {
        let shared = Arc::new((self.clock().clone(), jobs));
        let run = self.db.run_tx("enqueue_jobs", move |tx| {
            let shared = Arc::clone(&shared);
            Box::pin(async move { enqueue(tx, &shared.0, &shared.1).await })
        });
        let added = run.await?;
        self.wake_workers();
        Ok(added)
    }

    /// The depth of every kind that has a job, by name; of at most a million jobs.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn queue_depths(&self) -> Result<Vec<Depth>, Error> {
        let sql = "
            SELECT kind, count(*) FILTER (WHERE state = 'waiting' AND run_at <= now()),
                count(*) FILTER (WHERE state = 'active'),
                count(*) FILTER (WHERE state = 'waiting' AND run_at > now()),
                count(*) FILTER (WHERE state = 'dead'),
                coalesce(extract(epoch FROM now() - min(run_at)
                    FILTER (WHERE state = 'waiting' AND run_at <= now())), 0)::float8
            FROM (SELECT kind, state, run_at FROM jobs LIMIT $1) AS counted
            GROUP BY kind ORDER BY kind";
        let rows = self.db.read("queue_depths", |tx| {
            Box::pin(async move { Ok(tx.client.query(sql, &[&MOST_COUNTED]).await?) })
        });
        let count = |row: &Row, i| row.get::<_, i64>(i).unsigned_abs();
        let depth = |row: &Row| Depth {
            kind: row.get(0),
            waiting: count(row, 1),
            active: count(row, 2),
            delayed: count(row, 3),
            dead: count(row, 4),
            oldest_seconds: row.get(5),
        };
        Ok(rows.await?.iter().map(depth).collect())
    }

    /// One page of jobs of a state, newest first.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn jobs(
        &self,
        state: JobState,
        kind: Option<String>,
        before: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<Job>, Error> {
        let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
        // The state is written out, so that the partial indexes fit.
        let sql = format!(
            "SELECT {COLUMNS} FROM jobs WHERE state = '{}' AND ($1::text IS NULL OR kind = $1)
             AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
            state.as_str()
        );
        let rows = self.db.read("jobs", move |tx| {
            Box::pin(async move { Ok(tx.client.query(&sql, &[&kind, &before, &most]).await?) })
        });
        let jobs = rows.await?.iter().map(Job::from_row).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::cut(jobs, limit, |job| job.id))
    }
}

/// Gives a dead job all its attempts again, from now.
///
/// # Errors
/// [`Error::NotFound`] when there is no such job, [`Error::Conflict`] `job-not-dead` when it is not
/// dead, `job-superseded` when another job with its unique key is under way.
pub async fn replay(tx: crate::tx::Tx<'_>, id: Uuid) -> Result<Job, Error> {
    let sql = format!(
        "UPDATE jobs SET state = 'waiting', attempt = 0, run_at = now()
         WHERE id = $1 AND state = 'dead' RETURNING {COLUMNS}"
    );
    let replayed = tx.client.query_opt(&sql, &[&id]).await.map_err(Error::from);
    match replayed {
        Ok(Some(row)) => {
            let job = Job::from_row(&row)?;
            tell(tx, &replayed_event(&job)).await?;
            Ok(job)
        }
        Ok(None) => {
            let sql = "SELECT state::text FROM jobs WHERE id = $1";
            let row = tx.client.query_opt(sql, &[&id]).await?.ok_or(Error::NotFound("job"))?;
            let state: String = row.get(0);
            Err(Error::conflict("job-not-dead", format!("the job is {state}, not dead")))
        }
        Err(e) if e.is_unique_violation() => Err(Error::conflict(
            "job-superseded",
            "another job with the same unique key is waiting or active",
        )),
        Err(e) => Err(e),
    }
}

fn replayed_event(job: &Job) -> NewEvent {
    let mut data = json!({ "jobId": job.id, "kind": job.kind });
    if let Some(record) = job.record_id {
        data["recordId"] = json!(record);
    }
    NewEvent { record_id: job.record_id, ..NewEvent::of(EventType::JobReplayed, job.org_id, data) }
}
