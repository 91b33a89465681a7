//! What becomes of ticks and jobs when workers are killed, stopped, resumed and misled about the time.
//!
//! The reckoning is the database's: triggers of this suite log every job that is added, claimed and
//! finished. Jobs of ticks are made to take a while, so that workers die with them in hand.

mod fences;
mod flood;
mod ticks;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::say;
use crate::stack::Base;

/// Pause between two questions to the database.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Options of `chaos-worker`.
#[derive(Debug, Args)]
pub(crate) struct ChaosOptions {
    /// Seconds of each run of the schedule.
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// Seed of the nemesis; random when absent.
    #[arg(long)]
    seed: Option<u64>,
    /// The `deed` binary; the one next to this program by default.
    #[arg(long)]
    deed: Option<PathBuf>,
}

/// Logs what happens to jobs, but not to those of the organisation that floods: that would measure
/// the log.
const LOG: &str = "
CREATE TABLE chaos_log (event text NOT NULL, job uuid NOT NULL, attempt integer NOT NULL, payload jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE FUNCTION chaos_note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE job jobs := coalesce(NEW, OLD);
BEGIN
    INSERT INTO chaos_log VALUES (TG_ARGV[0], job.id, job.attempt, job.payload);
    RETURN NULL;
END $$;
CREATE FUNCTION chaos_slow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.payload := NEW.payload || '{\"waitMs\": 400}';
    RETURN NEW;
END $$;
CREATE TRIGGER chaos_slow BEFORE INSERT ON jobs FOR EACH ROW
    WHEN (NEW.payload->>'schedule' = 'chaos') EXECUTE FUNCTION chaos_slow();
CREATE TRIGGER chaos_added AFTER INSERT ON jobs FOR EACH ROW
    WHEN (NEW.kind = 'probe' AND NEW.org_id <> '00000000-0000-0000-0000-000000000001')
    EXECUTE FUNCTION chaos_note('added');
CREATE TRIGGER chaos_claimed AFTER UPDATE ON jobs FOR EACH ROW
    WHEN (NEW.fence > OLD.fence AND NEW.kind = 'probe'
        AND NEW.org_id <> '00000000-0000-0000-0000-000000000001')
    EXECUTE FUNCTION chaos_note('claimed');
CREATE TRIGGER chaos_finished AFTER DELETE ON jobs FOR EACH ROW
    WHEN (OLD.kind = 'probe' AND OLD.org_id <> '00000000-0000-0000-0000-000000000001')
    EXECUTE FUNCTION chaos_note('finished')";

/// Runs every part on a stack of its own.
pub(crate) async fn run(options: &ChaosOptions) -> Result<(bool, Value)> {
    let base = Base::start(options.deed.as_deref(), &[]).await?;
    base.describe().await?.print();
    let sql = base.database.sql();
    sql.batch_execute(LOG).await?;
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    let mut dice = fastrand::Rng::with_seed(seed);
    say!("seed {seed}\n");

    let mut parts = vec![
        ("killHolding", fences::kill_holding(&base).await?),
        ("stopPastLease", fences::stop_past_lease(&base).await?),
        ("flood", flood::run(&base).await?),
        ("ticks", ticks::run(&base, options.seconds, &mut dice, None).await?),
    ];
    match ticks::faketime() {
        Some(library) => parts.push((
            "ticksShiftedClocks",
            ticks::run(&base, options.seconds, &mut dice, Some(&library)).await?,
        )),
        None => {
            say!("SKIPPED ticksShiftedClocks: no libfaketime here (Debian package faketime)");
            parts
                .push(("ticksShiftedClocks", json!({ "skipped": "libfaketime is not installed" })));
        }
    }
    let pass = parts.iter().all(|(_, part)| part["pass"] != json!(false));
    let mut figures: serde_json::Map<String, Value> =
        parts.into_iter().map(|(name, part)| (name.to_owned(), part)).collect();
    figures.insert("seed".to_owned(), json!(seed));
    figures.insert("environment".to_owned(), base.describe().await?.to_json());
    base.stop().await?;
    Ok((pass, Value::Object(figures)))
}

/// One number.
async fn number(sql: &Client, query: &str) -> Result<i64> {
    Ok(sql.query_one(query, &[]).await?.get(0))
}

/// Waits until a query gives this number; says how long it took.
async fn until(sql: &Client, query: &str, wanted: i64, patience: Duration) -> Result<Duration> {
    let begun = Instant::now();
    loop {
        let found = number(sql, query).await?;
        if found == wanted {
            return Ok(begun.elapsed());
        }
        if begun.elapsed() > patience {
            bail!("after {patience:?} it is {found}, not {wanted}: {query}");
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// Forgets the log of the part before.
async fn forget(sql: &Client) -> Result<()> {
    Ok(sql.batch_execute("DELETE FROM jobs WHERE kind = 'probe'; TRUNCATE chaos_log").await?)
}
