//! How jobs fared: what workers have counted, minute by minute, and the sum of the last hour.

use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::histogram::{CLASSES, Histogram};
use crate::error::Error;
use crate::store::Store;
use crate::tx::Tx;

/// How attempts at jobs of one kind ended, and how long they took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Ended well.
    pub done: u64,
    /// Failed, the last attempt of a job as any other.
    pub failed: u64,
    /// Refused, because another worker had the job by then.
    pub fenced: u64,
    /// How long the jobs had waited since they could have run.
    pub waits: Histogram,
    /// How long the attempts took.
    pub runs: Histogram,
}

impl Figures {
    /// Counts everything that `other` has counted.
    pub fn add(&mut self, other: &Self) {
        self.done += other.done;
        self.failed += other.failed;
        self.fenced += other.fenced;
        self.waits.add(&other.waits);
        self.runs.add(&other.runs);
    }
}

/// Rows that one look adds up at most, the newest: an hour of 200 workers.
const MOST_ROWS: i64 = 100_000;

const ADD: &str = "
INSERT INTO job_figures AS f
    (minute, replica, kind, done, failed, fenced, waits, runs, wait_max, run_max)
VALUES (date_trunc('minute', now()), $1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (minute, replica, kind) DO UPDATE SET done = f.done + excluded.done,
    failed = f.failed + excluded.failed, fenced = f.fenced + excluded.fenced,
    waits = ARRAY(SELECT a + b FROM unnest(f.waits, excluded.waits) WITH ORDINALITY AS u(a, b, nth)
        ORDER BY nth),
    runs = ARRAY(SELECT a + b FROM unnest(f.runs, excluded.runs) WITH ORDINALITY AS u(a, b, nth)
        ORDER BY nth),
    wait_max = greatest(f.wait_max, excluded.wait_max),
    run_max = greatest(f.run_max, excluded.run_max)";

const TYPES: [Type; 9] = [
    Type::UUID,
    Type::TEXT,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::FLOAT8,
    Type::FLOAT8,
];

/// Nobody waits for the disk here: what a crash takes back are figures.
const SETTINGS: &str = "SET LOCAL synchronous_commit = off";

impl Store {
    /// Adds what the worker `replica` has counted, by kind, to its own figures of this minute.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn add_job_figures(
        &self,
        replica: Uuid,
        counted: &[(&'static str, Figures)],
    ) -> Result<(), Error> {
        let counted: Arc<[(&'static str, Figures)]> = counted.into();
        let run = self.db.run_tx("add_job_figures", move |tx| {
            let counted = Arc::clone(&counted);
            Box::pin(async move {
                tx.client.batch_execute(SETTINGS).await?;
                let each = counted.iter().map(|(kind, figures)| add(tx, replica, kind, figures));
                try_join_all(each).await.map(drop)
            })
        });
        run.await
    }

    /// How the jobs of each kind fared in the last hour, by the name of the kind; of at most 100,000
    /// figures of one worker, minute and kind.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn job_figures(&self) -> Result<Vec<(String, Figures)>, Error> {
        let sums = |column: &str| {
            let one = |nth| format!("sum({column}[{nth}])::int8");
            (1..=CLASSES).map(one).collect::<Vec<_>>().join(", ")
        };
        let sql = format!(
            "SELECT kind, sum(done)::int8, sum(failed)::int8, sum(fenced)::int8,
                ARRAY[{}], ARRAY[{}], max(wait_max), max(run_max)
            FROM (SELECT * FROM job_figures WHERE minute > now() - interval '1 hour'
                ORDER BY minute DESC LIMIT $1) AS newest
            GROUP BY kind ORDER BY kind",
            sums("waits"),
            sums("runs")
        );
        let rows = self.db.read("job_figures", move |tx| {
            Box::pin(async move { Ok(tx.client.query(&sql, &[&MOST_ROWS]).await?) })
        });
        rows.await?.iter().map(|row| Ok((row.get(0), figures(row)?))).collect()
    }
}

async fn add(tx: Tx<'_>, replica: Uuid, kind: &str, figures: &Figures) -> Result<(), Error> {
    let statement = tx.client.prepare_typed_cached(ADD, &TYPES).await?;
    let Figures { done, failed, fenced, waits, runs } = figures;
    let counts = |histogram: &Histogram| histogram.counts.map(signed).to_vec();
    let (done, failed, fenced) = (signed(*done), signed(*failed), signed(*fenced));
    let (wait_max, run_max) = (waits.max.as_secs_f64(), runs.max.as_secs_f64());
    let (waits, runs) = (counts(waits), counts(runs));
    tx.client
        .execute(
            &statement,
            &[&replica, &kind, &done, &failed, &fenced, &waits, &runs, &wait_max, &run_max],
        )
        .await?;
    Ok(())
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn figures(row: &Row) -> Result<Figures, Error> {
    let count = |nth| row.get::<_, i64>(nth).unsigned_abs();
    let histogram = |counts, max| -> Result<Histogram, Error> {
        let counts: Vec<i64> = row.get(counts);
        let counts = <[i64; CLASSES]>::try_from(counts)
            .map_err(|_| Error::Damaged("the classes of job_figures".to_owned()))?;
        let max = Duration::try_from_secs_f64(row.get(max))
            .map_err(|e| Error::Damaged(format!("a time in job_figures: {e}")))?;
        Ok(Histogram { counts: counts.map(i64::unsigned_abs), max })
    };
    Ok(Figures {
        done: count(1),
        failed: count(2),
        fenced: count(3),
        waits: histogram(4, 6)?,
        runs: histogram(5, 7)?,
    })
}
