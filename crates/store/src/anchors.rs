//! Which checkpoints are anchored, and where. The objects themselves are the worker's business.
//!
//! Whatever lacks in an anchor is found by comparing it with the batches, so nothing is lost when a
//! worker goes away: jobs are only the means.

use std::time::Duration;

use chrono::{DateTime, Utc};
use deed_chain::anchor::{MOST_CHECKPOINTS, Sealed};
use deed_chain::hash::Hash;
use serde_json::json;

use crate::checkpoints;
use crate::error::Error;
use crate::queue::{Held, NewJob, enqueue, finish};
use crate::store::Store;

/// Kind of the job that writes one object to one anchor.
pub const UPLOAD: &str = "anchor.upload";
/// Most unfinished jobs of one anchor: more objects wait in the table of batches.
const WINDOW: i64 = 256;
/// Bytes of a fault that are kept.
const MOST_FAULT: usize = 4096;

/// Where one anchor stands.
#[derive(Debug, Clone, PartialEq)]
pub struct AnchorStanding {
    /// Where it is.
    pub location: String,
    /// Every object up to this number is there.
    pub complete: u64,
    /// Objects that are not known to be there, of those that have a number.
    pub objects_behind: u64,
    /// Checkpoints that are not known to be there; an upper bound.
    pub checkpoints_behind: u64,
    /// Age of the oldest of them: the exposure window. 0 when there is none.
    pub oldest_seconds: f64,
    /// What is wrong with its settings.
    pub fault: Option<String>,
    /// When a worker last looked at it.
    pub checked_at: DateTime<Utc>,
}

/// The next checkpoints that belong to no batch, under the lock of those who sign.
const CUT: &str = "
INSERT INTO anchor_batches (number, first_seq, last_seq)
SELECT (SELECT coalesce(max(number), 0) + 1 FROM anchor_batches), min(seq), max(seq)
FROM (SELECT seq FROM checkpoints
    WHERE seq > (SELECT coalesce(max(last_seq), 0) FROM anchor_batches) ORDER BY seq LIMIT $1) next
HAVING count(*) >= $2";

/// Moves the mark of what is complete up to the first batch that lacks.
const COMPLETE: &str = "
UPDATE anchors a SET complete = coalesce(
    (SELECT number - 1 FROM anchor_batches b WHERE b.number > a.complete
        AND NOT EXISTS (SELECT FROM anchored d WHERE d.anchor_id = a.id AND d.number = b.number)
        ORDER BY number LIMIT 1),
    (SELECT max(number) FROM anchor_batches), 0)
WHERE id = $1 RETURNING complete";

const LACKING: &str = "
SELECT number FROM anchor_batches b WHERE number > $2
    AND NOT EXISTS (SELECT FROM anchored d WHERE d.anchor_id = $1 AND d.number = b.number)
ORDER BY number LIMIT $3";

const STANDINGS: &str = "
SELECT a.location, a.complete, a.fault, a.checked_at,
    (SELECT count(*) FROM anchor_batches b WHERE b.number > a.complete
        AND NOT EXISTS (SELECT FROM anchored d WHERE d.anchor_id = a.id AND d.number = b.number)),
    coalesce((SELECT max(seq) FROM checkpoints), 0) - anchored.seq,
    coalesce((SELECT extract(epoch FROM now() - c.created_at)::float8 FROM checkpoints c
        WHERE c.seq > anchored.seq ORDER BY c.seq LIMIT 1), 0)
FROM anchors a CROSS JOIN LATERAL (SELECT coalesce(
    (SELECT last_seq FROM anchor_batches WHERE number = a.complete), 0) AS seq) anchored
WHERE a.checked_at > now() - interval '1 day' ORDER BY a.id LIMIT 100";

impl Store {
    /// Makes an anchor known, and gives its id.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn register_anchor(&self, location: &str) -> Result<i64, Error> {
        let sql = "INSERT INTO anchors (location) VALUES ($1)
            ON CONFLICT (location) DO UPDATE SET checked_at = now() RETURNING id";
        let location = location.to_owned();
        let run = self.db.run_tx("register_anchor", move |tx| {
            let location = location.clone();
            Box::pin(async move { Ok(tx.client.query_one(sql, &[&location]).await?.get(0)) })
        });
        run.await
    }

    /// Writes down what is wrong with the settings of an anchor; `None` when nothing is.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn set_anchor_fault(&self, anchor: i64, fault: Option<&str>) -> Result<(), Error> {
        let sql = "UPDATE anchors SET fault = $2, checked_at = now() WHERE id = $1";
        let fault = fault.map(|text| text[..text.floor_char_boundary(MOST_FAULT)].to_owned());
        let run = self.db.run_tx("set_anchor_fault", move |tx| {
            let fault = fault.clone();
            Box::pin(async move {
                tx.client.execute(sql, &[&anchor, &fault]).await?;
                Ok(())
            })
        });
        run.await
    }

    /// Divides the checkpoints that were signed since among batches, up to 4,096 to each; the last
    /// batch may be as small as `least`. Gives the number of batches.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn cut_anchor_batches(&self, least: usize) -> Result<usize, Error> {
        let most = i64::try_from(MOST_CHECKPOINTS).unwrap_or(i64::MAX);
        let least = i64::try_from(least.clamp(1, MOST_CHECKPOINTS)).unwrap_or(i64::MAX);
        let mut batches = 0;
        loop {
            let run = self.db.run_tx("cut_anchor_batch", move |tx| {
                Box::pin(async move {
                    checkpoints::hold(tx).await?;
                    Ok(tx.client.execute(CUT, &[&most, &least]).await?)
                })
            });
            if run.await? == 0 {
                return Ok(batches);
            }
            batches += 1;
        }
    }

    /// Enqueues an upload of every batch that this anchor lacks, unless there is one already: the
    /// oldest ones, so that the queue stays small while an anchor is away. Gives the number of jobs.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn enqueue_uploads(&self, anchor: i64) -> Result<usize, Error> {
        let store = self.clone();
        let run = self.db.run_tx("enqueue_uploads", move |tx| {
            let store = store.clone();
            Box::pin(async move {
                let row = tx.client.query_one(COMPLETE, &[&anchor]).await?;
                let complete: i64 = row.get(0);
                let lacking = tx.client.query(LACKING, &[&anchor, &complete, &WINDOW]).await?;
                let jobs: Vec<NewJob> =
                    lacking.iter().map(|row| upload(anchor, row.get(0))).collect();
                Ok(enqueue(tx, store.clock(), &jobs).await?.len())
            })
        });
        let added = run.await?;
        if added > 0 {
            self.wake_workers();
        }
        Ok(added)
    }

    /// The checkpoints of one batch, in order.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of a read.
    pub async fn anchor_batch(&self, number: u64) -> Result<Vec<Sealed>, Error> {
        let sql = "SELECT c.statement, c.body FROM anchor_batches b CROSS JOIN LATERAL (
                SELECT seq, statement, body FROM checkpoints
                WHERE seq >= b.first_seq AND seq <= b.last_seq ORDER BY seq) c
            WHERE b.number = $1 ORDER BY c.seq";
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let rows = self.db.read("anchor_batch", move |tx| {
            Box::pin(async move { Ok(tx.client.query(sql, &[&number]).await?) })
        });
        let all: Vec<Sealed> = rows
            .await?
            .iter()
            .map(|row| Sealed { statement: row.get(0), body: row.get(1) })
            .collect();
        if all.is_empty() { Err(Error::NotFound("anchor batch")) } else { Ok(all) }
    }

    /// Writes down that an object is there, and finishes the job that put it there.
    ///
    /// # Errors
    /// Those of a transaction, and of [`finish`].
    pub async fn record_anchored(
        &self,
        held: Held,
        anchor: i64,
        number: u64,
        digest: Hash,
        version_id: Option<String>,
    ) -> Result<(), Error> {
        // One after another: each then sees what those before it wrote, and moves the mark past it.
        let lock = "SELECT FROM anchors WHERE id = $1 FOR UPDATE";
        let sql = "INSERT INTO anchored (anchor_id, number, digest, version_id)
            VALUES ($1, $2, $3::bytea, $4) ON CONFLICT DO NOTHING";
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let run = self.db.run_tx("record_anchored", move |tx| {
            let version_id = version_id.clone();
            Box::pin(async move {
                let digest = digest.0.as_slice();
                tx.client.query_opt(lock, &[&anchor]).await?;
                tx.client.execute(sql, &[&anchor, &number, &digest, &version_id]).await?;
                tx.client.query_opt(COMPLETE, &[&anchor]).await?;
                finish(tx, held).await
            })
        });
        run.await
    }

    /// Where each anchor stands that a worker had in its configuration within the last day.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn anchor_standings(&self) -> Result<Vec<AnchorStanding>, Error> {
        let rows = self.db.read("anchor_standings", |tx| {
            Box::pin(async move { Ok(tx.client.query(STANDINGS, &[]).await?) })
        });
        let standings = rows.await?.into_iter().map(|row| AnchorStanding {
            location: row.get(0),
            complete: row.get::<_, i64>(1).unsigned_abs(),
            fault: row.get(2),
            checked_at: row.get(3),
            objects_behind: row.get::<_, i64>(4).unsigned_abs(),
            checkpoints_behind: row.get::<_, i64>(5).unsigned_abs(),
            oldest_seconds: row.get(6),
        });
        Ok(standings.collect())
    }
}

fn upload(anchor: i64, number: i64) -> NewJob {
    NewJob {
        kind: UPLOAD,
        org_id: None,
        record_id: None,
        unique_key: Some(format!("{anchor}/{number}")),
        payload: json!({ "anchor": anchor, "number": number }),
        priority: 0,
        delay: Duration::ZERO,
    }
}
