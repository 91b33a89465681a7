//! Schedules: a tick is claimed and its job enqueued in one transaction, on the database's time.

mod ticks;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::error::Error;
use crate::random;
use crate::store::Store;

/// What becomes of ticks that passed while no worker ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// They are left out.
    Skip,
    /// The newest one is made up for.
    Latest,
    /// All are made up for, up to a bound.
    All,
}

impl CatchUp {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Skip, Self::Latest, Self::All];

    /// Its name in the database and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Latest => "latest",
            Self::All => "all",
        }
    }

    fn parse(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|policy| policy.as_str() == name);
        found.ok_or_else(|| Error::Damaged(format!("catch-up policy {name}")))
    }
}

/// A schedule that the program brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewSchedule {
    /// Its name.
    pub name: &'static str,
    /// Cron expression in UTC, five fields or six with the seconds first.
    pub cron: &'static str,
    /// Kind of the job of each tick.
    pub kind: &'static str,
    /// What becomes of missed ticks.
    pub catch_up: CatchUp,
}

/// A schedule as the database has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// Cron expression in UTC, five fields or six with the seconds first.
    pub cron: String,
    /// Kind of the job of each tick.
    pub kind: String,
    /// What becomes of missed ticks.
    pub catch_up: CatchUp,
    /// Every tick up to here is decided: enqueued, or left out by the policy.
    pub decided: DateTime<Utc>,
    /// Whether a program brought it along, this one or one of another version.
    pub from_program: bool,
    /// The newest tick that was enqueued.
    pub last: Option<Tick>,
}

/// A tick that was enqueued.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// Its time.
    pub at: DateTime<Utc>,
    /// Its job.
    pub job_id: Uuid,
    /// The worker that claimed it, and when.
    pub claimed_by: Uuid,
    /// When it was claimed, on the database's clock.
    pub claimed_at: DateTime<Utc>,
}

/// The ticks of one schedule that a worker believes to be due.
#[derive(Debug, Clone)]
pub struct DueTicks {
    /// The schedule.
    pub schedule: String,
    /// Ticks to enqueue.
    pub ticks: Vec<DateTime<Utc>>,
    /// Every tick up to here is decided with them.
    pub decided: DateTime<Utc>,
}

const REGISTER: &str = "
INSERT INTO schedules (name, cron, kind, catch_up, from_program)
SELECT *, true FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
ON CONFLICT (name) DO UPDATE SET cron = excluded.cron, kind = excluded.kind,
    catch_up = excluded.catch_up, from_program = true, last_tick = now()
WHERE (schedules.cron, schedules.kind, schedules.catch_up, schedules.from_program)
    IS DISTINCT FROM (excluded.cron, excluded.kind, excluded.catch_up, true)";

const SCHEDULES: &str = "
SELECT name, cron, kind, catch_up, last_tick, tick, job_id, claimed_by, claimed_at, now(), from_program
FROM schedules LEFT JOIN LATERAL (
    SELECT * FROM schedule_ticks WHERE schedule = name ORDER BY tick DESC LIMIT 1) last ON true
ORDER BY name LIMIT 1000";

/// The unique key decides who claims a tick. That it must lie after what is decided keeps out a
/// worker that slept until the rows of its ticks were swept away.
const CLAIM: &str = "
WITH mine AS (
    INSERT INTO schedule_ticks (schedule, tick, job_id, claimed_by)
    SELECT name, tick, job_id, $4 FROM schedules, unnest($2::timestamptz[], $3::uuid[]) AS t(tick, job_id)
    WHERE name = $1 AND tick > last_tick
    ON CONFLICT (schedule, tick) DO NOTHING
    RETURNING schedule, tick, job_id
), decided AS (
    UPDATE schedules SET last_tick = $5 WHERE name = $1 AND last_tick < $5
)
INSERT INTO jobs (id, kind, org_id, payload, priority, run_at)
SELECT job_id, kind, $6, jsonb_build_object('schedule', name, 'tick',
    to_char(tick AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')), 0, now()
FROM mine JOIN schedules ON name = schedule";

impl Store {
    /// Brings the schedules of the program into the database. One that is new or has changed begins
    /// now.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn register_schedules(&self, schedules: &'static [NewSchedule]) -> Result<(), Error> {
        let run = self.db.run_tx("register_schedules", move |tx| {
            Box::pin(async move {
                let names: Vec<&str> = schedules.iter().map(|one| one.name).collect();
                let crons: Vec<&str> = schedules.iter().map(|one| one.cron).collect();
                let kinds: Vec<&str> = schedules.iter().map(|one| one.kind).collect();
                let policies: Vec<&str> =
                    schedules.iter().map(|one| one.catch_up.as_str()).collect();
                tx.client.execute(REGISTER, &[&names, &crons, &kinds, &policies]).await?;
                Ok(())
            })
        });
        run.await
    }

    /// The database's time, and at most 1,000 schedules by name.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn schedules(&self) -> Result<(DateTime<Utc>, Vec<Schedule>), Error> {
        let rows = self.db.read("schedules", |tx| {
            Box::pin(async move {
                let statement = tx.client.prepare_cached(SCHEDULES).await?;
                let rows = tx.client.query(&statement, &[]).await?;
                let now = match rows.first() {
                    Some(row) => row.get(9),
                    None => tx.client.query_one("SELECT now()", &[]).await?.get(0),
                };
                Ok((now, rows))
            })
        });
        let (now, rows) = rows.await?;
        Ok((now, rows.iter().map(schedule).collect::<Result<_, _>>()?))
    }

    /// Claims ticks for the worker `replica` and enqueues a job for each that nobody had claimed, in
    /// one transaction. Says how many it were.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn claim_ticks(&self, replica: Uuid, due: DueTicks) -> Result<usize, Error> {
        let now = self.clock().now();
        let ids: Vec<Uuid> = due.ticks.iter().map(|_| random::uuid_v7(now)).collect();
        let due = Arc::new((due, ids));
        let run = self.db.run_tx("claim_ticks", move |tx| {
            let due = Arc::clone(&due);
            Box::pin(async move {
                let (due, ids) = &*due;
                let statement = tx.client.prepare_cached(CLAIM).await?;
                // A worker that is stopped here holds the tick until the server ends its session.
                let parameters: [&(dyn ToSql + Sync); 6] =
                    [&due.schedule, &due.ticks, ids, &replica, &due.decided, &Uuid::nil()];
                let (_, claimed) = futures::try_join!(
                    tx.client.batch_execute("SET LOCAL idle_in_transaction_session_timeout = '2s'"),
                    tx.client.execute(&statement, &parameters),
                )?;
                Ok(usize::try_from(claimed).unwrap_or(usize::MAX))
            })
        });
        let claimed = run.await?;
        self.wake_workers();
        Ok(claimed)
    }
}

fn schedule(row: &Row) -> Result<Schedule, Error> {
    let last = row.get::<_, Option<DateTime<Utc>>>(5).map(|at| Tick {
        at,
        job_id: row.get(6),
        claimed_by: row.get(7),
        claimed_at: row.get(8),
    });
    Ok(Schedule {
        name: row.get(0),
        cron: row.get(1),
        kind: row.get(2),
        catch_up: CatchUp::parse(row.get(3))?,
        decided: row.get(4),
        from_program: row.get(10),
        last,
    })
}
