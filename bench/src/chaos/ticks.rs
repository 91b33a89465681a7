//! Three workers, one schedule a second, and a nemesis that kills, stops and resumes them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use super::{forget, number, until};
use crate::say;
use crate::stack::{Base, Worker};

const WORKERS: usize = 3;
/// What the clocks of the first workers are off by.
const SHIFTS: [&str; 2] = ["+7m", "-11m"];
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the Debian package `faketime` puts its library.
pub(super) fn faketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?;
    let mut libraries = folders.flatten().map(|f| f.path().join("faketime/libfaketime.so.1"));
    libraries.find(|library| library.is_file())
}

async fn start(base: &Base, number: usize, faketime: Option<&Path>) -> Result<Worker> {
    let mut variables = vec![("WORKER_LEASE", "3s".to_owned())];
    if let (Some(library), Some(shift)) = (faketime, SHIFTS.get(number)) {
        variables.push(("LD_PRELOAD", library.display().to_string()));
        variables.push(("FAKETIME", (*shift).to_owned()));
        // Only the time of day: how much time passes is the same for everyone.
        variables.push(("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()));
    }
    Worker::start(&base.deed, &variables).await
}

/// What the nemesis did.
#[derive(Default)]
struct Deeds {
    kills: u32,
    stops: u32,
}

pub(super) async fn run(
    base: &Base,
    seconds: u64,
    dice: &mut fastrand::Rng,
    faketime: Option<&Path>,
) -> Result<Value> {
    let sql = base.database.sql();
    forget(sql).await?;
    let mut workers = Vec::new();
    for number in 0..WORKERS {
        workers.push(start(base, number, faketime).await?);
    }
    let begin = "DELETE FROM schedule_ticks WHERE schedule = 'chaos';
        DELETE FROM schedules WHERE name = 'chaos';
        INSERT INTO schedules (name, cron, kind, catch_up, last_tick)
        VALUES ('chaos', '* * * * * *', 'probe', 'all', date_trunc('second', now()));
        CREATE TEMP TABLE IF NOT EXISTS chaos_begin (at timestamptz);
        TRUNCATE chaos_begin;
        INSERT INTO chaos_begin SELECT last_tick FROM schedules WHERE name = 'chaos'";
    sql.batch_execute(begin).await?;
    let deeds = nemesis(base, &mut workers, seconds, dice, faketime).await?;
    // From the next second on there is no tick any more; all until then are to be made up for.
    let last = "UPDATE schedules SET cron = '0 0 1 1 *' WHERE name = 'chaos'
        AND last_tick >= (SELECT at + make_interval(secs => $1) FROM chaos_begin)";
    let enough = f64::from(u32::try_from(seconds)?);
    let end = Instant::now() + PATIENCE;
    while sql.execute(last, &[&enough]).await? == 0 && Instant::now() < end {
        tokio::time::sleep(super::ASK_AGAIN).await;
    }
    until(sql, "SELECT count(*) FROM jobs WHERE kind = 'probe'", 0, PATIENCE).await?;
    for worker in workers {
        worker.terminate().await?;
    }
    reckon(base, &deeds, faketime.is_some()).await
}

/// Kills, or stops for up to three leases, one worker after the other.
async fn nemesis(
    base: &Base,
    workers: &mut [Worker],
    seconds: u64,
    dice: &mut fastrand::Rng,
    faketime: Option<&Path>,
) -> Result<Deeds> {
    let mut deeds = Deeds::default();
    let mut asleep: Vec<Option<Instant>> = vec![None; WORKERS];
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(dice.u64(200..2000))).await;
        for (number, until) in asleep.iter_mut().enumerate() {
            if until.is_some_and(|until| until <= Instant::now()) {
                workers[number].resume()?;
                *until = None;
            }
        }
        let number = dice.usize(..WORKERS);
        if dice.bool() {
            workers[number].kill().await?;
            workers[number] = start(base, number, faketime).await?;
            asleep[number] = None;
            deeds.kills += 1;
        } else if asleep[number].is_none() {
            workers[number].stop()?;
            asleep[number] = Some(Instant::now() + Duration::from_millis(dice.u64(500..9000)));
            deeds.stops += 1;
        }
    }
    for (number, until) in asleep.iter().enumerate() {
        if until.is_some() {
            workers[number].resume()?;
        }
    }
    Ok(deeds)
}

async fn reckon(base: &Base, deeds: &Deeds, shifted: bool) -> Result<Value> {
    let sql = base.database.sql();
    let ticks = number(sql, "SELECT count(*) FROM schedule_ticks WHERE schedule = 'chaos'").await?;
    let missed = "SELECT count(*) FROM (
        SELECT generate_series((SELECT at FROM chaos_begin) + interval '1 second',
            (SELECT max(tick) FROM schedule_ticks WHERE schedule = 'chaos'), interval '1 second')
        EXCEPT SELECT (payload->>'tick')::timestamptz FROM chaos_log WHERE event = 'finished') AS missed";
    let twice = "SELECT count(*) FROM (SELECT payload->>'tick' FROM chaos_log WHERE event = 'added'
        GROUP BY 1 HAVING count(*) > 1 UNION ALL
        SELECT payload->>'tick' FROM chaos_log WHERE event = 'finished'
        GROUP BY 1 HAVING count(*) > 1) AS twice";
    let taken = "SELECT count(*) FROM (SELECT FROM chaos_log WHERE event = 'claimed'
        GROUP BY job HAVING count(*) > 1) AS taken";
    // Ids of jobs are made by the worker's clock: they show that it was off.
    let off = "SELECT count(*) FROM schedule_ticks WHERE schedule = 'chaos'
        AND abs(extract(epoch FROM uuid_extract_timestamp(job_id) - tick)) > 120";
    let (missed, twice) = (number(sql, missed).await?, number(sql, twice).await?);
    let (taken, off) = (number(sql, taken).await?, number(sql, off).await?);
    let late = "SELECT coalesce(max(extract(epoch FROM claimed_at - tick)), 0)::float8
        FROM schedule_ticks WHERE schedule = 'chaos'";
    let late: f64 = sql.query_one(late, &[]).await?.get(0);
    let clocks = if shifted { format!(", clocks off in {off} of them") } else { String::new() };
    say!(
        "{ticks} ticks with {} kills and {} stops: missed {missed}, twice {twice}; jobs taken over {taken}, latest tick {late:.1} s late{clocks}",
        deeds.kills,
        deeds.stops
    );
    let pass = missed == 0 && twice == 0 && ticks > 0 && (off > 0) == shifted;
    Ok(
        json!({ "pass": pass, "ticks": ticks, "missed": missed, "twice": twice, "kills": deeds.kills,
        "stops": deeds.stops, "jobsTakenOver": taken, "claimedWithShiftedClock": off,
        "latestTickSecondsLate": (late * 10.0).round() / 10.0 }),
    )
}
