//! Our side: one `deed worker`, filled while it stands still.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::say;
use crate::stack::{Base, Worker};

/// Values of `WORKER_CONCURRENCY` that are tried.
const TRIED: [usize; 4] = [64, 250, 500, 1000];
/// Pause between two questions whether the queue is empty.
const ASK_AGAIN: Duration = Duration::from_millis(5);
/// Longest time of a round.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    concurrency: usize,
}

impl Setting {
    pub(super) fn describe(self) -> String {
        format!("WORKER_CONCURRENCY={}, all else default", self.concurrency)
    }
}

pub(super) struct Ours {
    worker: Worker,
}

impl Ours {
    pub(super) async fn start(base: &Base, setting: Setting) -> Result<Self> {
        let concurrency = setting.concurrency.to_string();
        // Errors alone: pg-boss logs nothing else either.
        let variables = [("WORKER_CONCURRENCY", concurrency), ("LOG_LEVEL", "warn".to_owned())];
        Ok(Self { worker: Worker::start(&base.deed, &variables).await? })
    }

    /// Tries the settings and gives the fastest.
    pub(super) async fn best(base: &Base, jobs: usize) -> Result<Setting> {
        let mut best = (0.0, Setting { concurrency: TRIED[0] });
        for concurrency in TRIED {
            let setting = Setting { concurrency };
            let mut ours = Self::start(base, setting).await?;
            let rate = ours.round(base, jobs).await?;
            ours.stop().await?;
            say!("deed worker  {:<44} {rate:>7.0} jobs/s", setting.describe());
            if rate > best.0 {
                best = (rate, setting);
            }
        }
        Ok(best.1)
    }

    /// Jobs a second from the moment the worker may begin until none is left.
    pub(super) async fn round(&mut self, base: &Base, jobs: usize) -> Result<f64> {
        let sql = base.database.sql();
        self.worker.stop()?;
        let fill = format!(
            "INSERT INTO jobs (id, kind, org_id, payload, priority, run_at)
             SELECT uuidv7(), 'probe', '00000000-0000-0000-0000-000000000001', '{{}}', 0, now()
             FROM generate_series(1, {jobs})"
        );
        sql.batch_execute(&fill).await?;
        sql.batch_execute("VACUUM ANALYZE jobs").await?;
        sql.batch_execute("CHECKPOINT").await?;
        // The newest job is looked for by its key, at little cost; the others' ends are asked for once it
        // is gone, because that reads all that the worker has left behind in the index.
        let newest = "SELECT id FROM jobs WHERE kind = 'probe' ORDER BY id DESC LIMIT 1";
        let newest: uuid::Uuid = sql.query_one(newest, &[]).await?.get(0);
        let there = sql.prepare("SELECT EXISTS (SELECT FROM jobs WHERE id = $1)").await?;
        let left = "SELECT EXISTS (SELECT FROM jobs WHERE kind = 'probe' AND state = 'waiting')
            OR EXISTS (SELECT FROM jobs WHERE kind = 'probe' AND state = 'active')";
        let left = sql.prepare(left).await?;
        let started = Instant::now();
        self.worker.resume()?;
        while sql.query_one(&there, &[&newest]).await?.get::<_, bool>(0)
            || sql.query_one(&left, &[]).await?.get::<_, bool>(0)
        {
            if started.elapsed() > PATIENCE {
                bail!(
                    "jobs are left after {PATIENCE:?}; the worker's log is {:?}",
                    self.worker.log()
                );
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
        Ok(jobs as f64 / started.elapsed().as_secs_f64())
    }

    pub(super) async fn stop(self) -> Result<()> {
        self.worker.terminate().await
    }
}
