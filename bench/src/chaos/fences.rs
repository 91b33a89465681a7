//! A worker that holds jobs is killed; another one is stopped for longer than its lease.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::{forget, number, until};
use crate::say;
use crate::stack::{Base, Worker};

/// Jobs that the killed worker holds.
const HELD: i64 = 100;
/// How long each job takes.
const WORK_MS: u64 = 3000;
/// Seconds of a lease here.
const LEASE: u64 = 3;
/// Beyond the lease and the work: the rescue each second, a claim, and a busy machine.
const GRACE: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_secs(60);

fn variables() -> [(&'static str, String); 2] {
    [("WORKER_LEASE", format!("{LEASE}s")), ("WORKER_CONCURRENCY", HELD.to_string())]
}

async fn add(base: &Base, jobs: i64, wait_ms: u64) -> Result<()> {
    let add = format!(
        "INSERT INTO jobs (id, kind, org_id, payload, priority, run_at)
         SELECT uuidv7(), 'probe', '00000000-0000-0000-0000-000000000002', '{{\"waitMs\": {wait_ms}}}',
         0, now() FROM generate_series(1, {jobs})"
    );
    Ok(base.database.sql().batch_execute(&add).await?)
}

const ACTIVE: &str = "SELECT count(*) FROM jobs WHERE kind = 'probe' AND state = 'active'";
const FINISHED: &str = "SELECT count(*) FROM chaos_log WHERE event = 'finished'";
/// Jobs that were finished more than once.
const TWICE: &str = "SELECT count(*) FROM (SELECT job FROM chaos_log WHERE event = 'finished'
    GROUP BY job HAVING count(*) > 1) AS twice";

/// `kill -9` of a worker with 100 jobs in hand.
pub(super) async fn kill_holding(base: &Base) -> Result<Value> {
    let sql = base.database.sql();
    forget(sql).await?;
    let mut victim = Worker::start(&base.deed, &variables()).await?;
    add(base, HELD, WORK_MS).await?;
    until(sql, ACTIVE, HELD, PATIENCE).await?;
    victim.kill().await?;
    let others = [
        Worker::start(&base.deed, &variables()).await?,
        Worker::start(&base.deed, &variables()).await?,
    ];
    let took = until(sql, FINISHED, HELD, PATIENCE).await?;
    let (twice, attempts) =
        (number(sql, TWICE).await?, number(sql, "SELECT max(attempt)::int8 FROM chaos_log").await?);
    for worker in others {
        worker.terminate().await?;
    }
    let bound = Duration::from_secs(LEASE) + Duration::from_millis(WORK_MS) + GRACE;
    let pass = took <= bound && twice == 0 && attempts == 2;
    say!(
        "kill -9 of a worker holding {HELD} jobs of {WORK_MS} ms, lease {LEASE} s: all done by others after {:.1} s; finished twice {twice}",
        took.as_secs_f64()
    );
    Ok(json!({ "pass": pass, "held": HELD, "leaseSeconds": LEASE, "jobMs": WORK_MS,
        "allDoneAfterSeconds": (took.as_secs_f64() * 10.0).round() / 10.0, "finishedTwice": twice }))
}

/// SIGSTOP for longer than the lease, and SIGCONT when another worker has done the job.
pub(super) async fn stop_past_lease(base: &Base) -> Result<Value> {
    let sql = base.database.sql();
    forget(sql).await?;
    let sleeper = Worker::start(&base.deed, &variables()).await?;
    add(base, 1, 1000).await?;
    until(sql, ACTIVE, 1, PATIENCE).await?;
    sleeper.stop()?;
    let other = Worker::start(&base.deed, &variables()).await?;
    until(sql, FINISHED, 1, PATIENCE).await?;
    sleeper.resume()?;
    // Its outcome is refused, or its heartbeat is, whichever came first; both tell in a counter.
    let mut refused = 0.0;
    let begun = std::time::Instant::now();
    while refused == 0.0 && begun.elapsed() < PATIENCE {
        refused = sleeper.counter("deed_jobs_total", "fenced").await?
            + sleeper.counter("deed_job_leases_lost_total", "").await?;
        tokio::time::sleep(super::ASK_AGAIN).await;
    }
    let finished = number(sql, FINISHED).await?;
    let done_by_sleeper =
        sleeper.counter("deed_jobs_total", "kind=\"probe\",outcome=\"done\"").await?;
    sleeper.terminate().await?;
    other.terminate().await?;
    say!("SIGSTOP past the lease, SIGCONT: late outcomes refused {refused}, effects {finished}");
    let pass = refused >= 1.0 && finished == 1 && done_by_sleeper == 0.0;
    Ok(json!({ "pass": pass, "lateOutcomesRefused": refused, "effects": finished }))
}
