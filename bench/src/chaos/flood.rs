//! One organisation floods the queue; another one's single jobs must start all the same.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::{forget, until};
use crate::say;
use crate::stack::{Base, Worker};

/// Jobs of the flood.
const FLOOD: i64 = 200_000;
/// How long each takes: 64 places do 3,200 a second, so the flood lasts for a minute.
const WORK_MS: u64 = 20;
/// Single jobs of the other organisation, one after the other.
const SINGLES: i64 = 20;
/// A single job starts within this many seconds.
const MUST: f64 = 1.0;
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn run(base: &Base) -> Result<Value> {
    let sql = base.database.sql();
    forget(sql).await?;
    let worker = Worker::start(&base.deed, &[]).await?;
    let flood = format!(
        "INSERT INTO jobs (id, kind, org_id, payload, priority, run_at)
         SELECT uuidv7(), 'probe', '00000000-0000-0000-0000-000000000001', '{{\"waitMs\": {WORK_MS}}}',
         0, now() FROM generate_series(1, {FLOOD})"
    );
    sql.batch_execute(&flood).await?;
    let begun =
        "SELECT (count(*) > 0)::int::int8 FROM jobs WHERE kind = 'probe' AND state = 'active'";
    until(sql, begun, 1, PATIENCE).await?;
    let single = "INSERT INTO jobs (id, kind, org_id, payload, priority, run_at)
        VALUES (uuidv7(), 'probe', '00000000-0000-0000-0000-000000000002', '{}', 0, now())";
    let claimed = "SELECT count(*) FROM chaos_log WHERE event = 'claimed'";
    for number in 1..=SINGLES {
        sql.batch_execute(single).await?;
        until(sql, claimed, number, PATIENCE).await?;
    }
    let backlog: i64 = super::number(sql, "SELECT count(*) FROM jobs WHERE kind = 'probe'").await?;
    let waits = "SELECT max(s)::float8, (percentile_cont(0.5) WITHIN GROUP (ORDER BY s))::float8
        FROM (SELECT extract(epoch FROM c.at - a.at) AS s FROM chaos_log a JOIN chaos_log c USING (job)
              WHERE a.event = 'added' AND c.event = 'claimed') AS waits";
    let row = sql.query_one(waits, &[]).await?;
    let (longest, median): (f64, f64) = (row.get(0), row.get(1));
    worker.terminate().await?;
    sql.batch_execute("TRUNCATE jobs").await?;
    say!(
        "flood of {FLOOD} jobs ({backlog} left at the end): another organisation's job starts after {:.0} ms (median), {:.0} ms at most",
        median * 1000.0,
        longest * 1000.0
    );
    // With no backlog left, nothing would have been measured.
    let pass = longest < MUST && backlog > FLOOD / 4;
    Ok(json!({ "pass": pass, "flood": FLOOD, "leftAtTheEnd": backlog, "singles": SINGLES,
        "medianMs": (median * 1000.0).round(), "longestMs": (longest * 1000.0).round() }))
}
