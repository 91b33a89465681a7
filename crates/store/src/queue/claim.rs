//! Taking jobs: each organisation in turn, at a cost that does not grow with the backlog.

use std::time::Duration;

use deadpool_postgres::Client;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::SETTINGS;
use crate::error::Error;
use crate::store::Store;

/// What a worker must present to do anything with a job that it claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Held {
    /// The job.
    pub id: Uuid,
    /// Fencing token of the claim.
    pub fence: i64,
}

/// A job that this worker may work on until its lease ends.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedJob {
    /// The job and the token of this claim.
    pub held: Held,
    /// What to do.
    pub kind: String,
    /// Whose job it is; `None` is the server itself.
    pub org_id: Option<Uuid>,
    /// The record that it is about.
    pub record_id: Option<Uuid>,
    /// What the handler needs to know.
    pub payload: Value,
    /// 1 at the first attempt.
    pub attempt: u32,
    /// How long the job waited since it could have run, by the database's clock.
    pub waited: Duration,
}

/// What to claim of one kind.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The kind.
    pub kind: String,
    /// Most jobs.
    pub limit: usize,
    /// Where the last claim stopped, if it did not see every organisation.
    pub after: Option<Turn>,
}

/// A place in the round of the organisations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    org_id: Uuid,
    priority: i16,
}

/// What a claim of one kind gave.
#[derive(Debug, Clone, Default)]
pub struct Claimed {
    /// In the order in which they should run.
    pub jobs: Vec<ClaimedJob>,
    /// Where the next claim goes on, if there are organisations that this one did not see.
    pub next: Option<Turn>,
}

/// Organisations, times the priorities they use, that one claim looks at.
const MOST_GROUPS: i32 = 256;

/// `groups` hops through the index `jobs_waiting` from one (organisation, priority) to the next: one
/// probe each, however many jobs it has, and its first job's time tells whether it has one that is
/// due. Every organisation with due jobs gets an equal share of the claim. Within an organisation
/// the priority decides, then the time; among organisations, the number of the turn, and within a turn
/// chance: by time, whoever had flooded the queue first would win every claim of a single job.
///
/// The token is the time in microseconds, or the last one and 1 if that is more: a claim that the database
/// forgets (see [`super::SETTINGS`]) is not given out again under the same token.
const CLAIM: &str = "
WITH RECURSIVE groups(org_id, priority, run_at, nth) AS (
    (SELECT org_id, priority, run_at, 1 FROM jobs
     WHERE state = 'waiting' AND kind = $1 AND (org_id, priority) > ($5, $6)
     ORDER BY org_id, priority, run_at LIMIT 1)
UNION ALL
    SELECT n.org_id, n.priority, n.run_at, g.nth + 1 FROM groups g CROSS JOIN LATERAL (
        SELECT org_id, priority, run_at FROM jobs
        WHERE state = 'waiting' AND kind = $1 AND (org_id, priority) > (g.org_id, g.priority)
        ORDER BY org_id, priority, run_at LIMIT 1) n
    WHERE g.nth < $7
), due AS MATERIALIZED (
    SELECT org_id, priority FROM groups WHERE run_at <= now()
), share AS MATERIALIZED (
    SELECT greatest(1, ceil($2::float8 / greatest(1, count(DISTINCT org_id))))::int8 AS size FROM due
), locked AS MATERIALIZED (
    SELECT j.* FROM due CROSS JOIN LATERAL (
        SELECT id, org_id, priority, run_at FROM jobs
        WHERE state = 'waiting' AND kind = $1 AND jobs.org_id = due.org_id
            AND jobs.priority = due.priority AND jobs.run_at <= now()
        ORDER BY run_at, id LIMIT (SELECT size FROM share) FOR UPDATE SKIP LOCKED) j
), dice AS MATERIALIZED (
    SELECT org_id, random() AS dice FROM due GROUP BY org_id
), picked AS MATERIALIZED (
    SELECT id, row_number() OVER (PARTITION BY org_id ORDER BY priority, run_at, id) AS turn, dice
    FROM locked JOIN dice USING (org_id) ORDER BY turn, dice, id LIMIT $2::int8
), claimed AS (
    UPDATE jobs SET state = 'active', attempt = attempt + 1,
        fence = greatest(fence + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::int8),
        lease_until = now() + $3 * interval '1 millisecond', claimed_by = $4
    FROM picked WHERE jobs.id = picked.id
    RETURNING jobs.id, fence, org_id, record_id, payload, attempt,
        extract(epoch FROM now() - run_at)::float8 AS waited, turn, priority, run_at
)
SELECT last.org_id, last.priority, last.nth, claimed.id, fence, claimed.org_id, record_id, payload,
    attempt, waited
FROM (SELECT org_id, priority, nth FROM groups ORDER BY nth DESC LIMIT 1) last
LEFT JOIN claimed ON true
ORDER BY turn, claimed.priority, run_at, claimed.id";

const TYPES: [Type; 7] =
    [Type::TEXT, Type::INT8, Type::INT8, Type::UUID, Type::UUID, Type::INT2, Type::INT4];

/// Which of these kinds have jobs at all: a claim of each costs much more than this look.
const WAITING: &str = "
SELECT nth FROM unnest($1::text[]) WITH ORDINALITY AS k(kind, nth)
WHERE EXISTS (SELECT FROM jobs WHERE jobs.kind = k.kind AND jobs.state = 'waiting')";

impl Store {
    /// Claims jobs of several kinds for the worker `replica`, in one transaction; one result a wish.
    /// They are its own until `lease` has passed on the database's clock; [`Store::extend_jobs`] prolongs
    /// that.
    ///
    /// # Errors
    /// Those of a transaction. When its outcome is unknown, what it claimed comes back as any job
    /// of a worker that went away: when the lease ends.
    pub async fn claim_jobs(
        &self,
        replica: Uuid,
        wanted: Vec<Wanted>,
        lease: Duration,
    ) -> Result<Vec<Claimed>, Error> {
        let lease = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        let mut all = vec![Claimed::default(); wanted.len()];
        let waiting = self.waiting(&wanted).await?;
        if waiting.is_empty() {
            return Ok(all);
        }
        let wishes: Vec<Wanted> = waiting.iter().map(|nth| wanted[*nth].clone()).collect();
        let run = self.db.run_tx("claim_jobs", move |tx| {
            let wishes = wishes.clone();
            Box::pin(async move {
                let each = wishes.iter().map(|one| claim(tx.client, replica, one, lease));
                let (_, claimed) = futures::try_join!(
                    async { Ok(tx.client.batch_execute(SETTINGS).await?) },
                    futures::future::try_join_all(each),
                )?;
                Ok(claimed)
            })
        });
        for (nth, claimed) in waiting.into_iter().zip(run.await?) {
            all[nth] = claimed;
        }
        Ok(all)
    }

    /// The numbers of the wishes whose kind has jobs that wait.
    async fn waiting(&self, wanted: &[Wanted]) -> Result<Vec<usize>, Error> {
        let kinds: Vec<String> = wanted.iter().map(|one| one.kind.clone()).collect();
        let rows = self.db.read("jobs_waiting", move |tx| {
            Box::pin(async move {
                let statement =
                    tx.client.prepare_typed_cached(WAITING, &[Type::TEXT_ARRAY]).await?;
                Ok(tx.client.query(&statement, &[&kinds]).await?)
            })
        });
        let nth = |row: &Row| usize::try_from(row.get::<_, i64>(0) - 1).ok();
        Ok(rows.await?.iter().filter_map(nth).collect())
    }
}

async fn claim(
    client: &Client,
    replica: Uuid,
    wanted: &Wanted,
    lease: i64,
) -> Result<Claimed, Error> {
    let limit = i64::try_from(wanted.limit).unwrap_or(i64::MAX);
    let Turn { org_id, priority } =
        wanted.after.unwrap_or(Turn { org_id: Uuid::nil(), priority: i16::MIN });
    let statement = client.prepare_typed_cached(CLAIM, &TYPES).await?;
    let rows = client
        .query(
            &statement,
            &[&wanted.kind, &limit, &lease, &replica, &org_id, &priority, &MOST_GROUPS],
        )
        .await?;
    let next = rows.first().filter(|row| row.get::<_, i32>(2) >= MOST_GROUPS);
    let next = next.map(|row| Turn { org_id: row.get(0), priority: row.get(1) });
    let jobs = rows.iter().filter(|row| row.get::<_, Option<Uuid>>(3).is_some());
    Ok(Claimed { jobs: jobs.map(|row| job(row, &wanted.kind)).collect(), next })
}

fn job(row: &Row, kind: &str) -> ClaimedJob {
    let org_id: Uuid = row.get(5);
    ClaimedJob {
        held: Held { id: row.get(3), fence: row.get(4) },
        kind: kind.to_owned(),
        org_id: (!org_id.is_nil()).then_some(org_id),
        record_id: row.get(6),
        payload: row.get(7),
        attempt: row.get::<_, i32>(8).unsigned_abs(),
        waited: Duration::from_secs_f64(row.get::<_, f64>(9).max(0.0)),
    }
}
