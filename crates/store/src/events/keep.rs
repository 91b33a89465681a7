//! What of the outbox is kept, and where a time is in it.

use chrono::{DateTime, TimeDelta, Utc};

use crate::error::Error;
use crate::store::Store;

/// Longest time between the beginning of a transaction, which dates its events, and the moment at which it
/// draws their numbers, as far as `since` counts on it.
const DISORDER: TimeDelta = TimeDelta::minutes(2);

const FIRST_AFTER: &str = "
SELECT created_at FROM events WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT 1";

/// The last of the oldest events that are past their time and that every consumer has seen.
const OLDEST: &str = "
SELECT max(seq) FROM (
    SELECT seq FROM events WHERE created_at < now() - make_interval(days => $1)
    AND seq <= (SELECT min(done) FROM event_consumers) ORDER BY seq LIMIT $2) AS oldest";

const DELETE: &str = "
DELETE FROM events WHERE seq <= $1 AND created_at < now() - make_interval(days => $2)";

impl Store {
    /// The sequence number up to which events were removed: a reader that is not beyond it has missed some.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn events_removed(&self) -> Result<i64, Error> {
        self.db
            .read("events_removed", |tx| {
                Box::pin(async move {
                    let sql = "SELECT removed FROM event_stream";
                    let statement = tx.client.prepare_cached(sql).await?;
                    Ok(tx.client.query_one(&statement, &[]).await?.get(0))
                })
            })
            .await
    }

    /// A sequence number after which every event up to `horizon` comes that is not older than `at`; a few older
    /// ones may be among them. Found by bisection, so that no append pays for an index on the time.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn events_since(&self, at: DateTime<Utc>, horizon: i64) -> Result<i64, Error> {
        let removed = self.events_removed().await?;
        let from = at.checked_sub_signed(DISORDER).unwrap_or(DateTime::<Utc>::MIN_UTC);
        self.db
            .read("events_since", move |tx| {
                Box::pin(async move {
                    let statement = tx.client.prepare_cached(FIRST_AFTER).await?;
                    // All events up to `low` are older; the first one after `high` is not.
                    let (mut low, mut high) = (removed, horizon.max(removed));
                    while low < high {
                        let middle = low + (high - low) / 2;
                        let first = tx.client.query_opt(&statement, &[&middle, &horizon]).await?;
                        if first.is_some_and(|row| row.get::<_, DateTime<Utc>>(0) < from) {
                            low = middle + 1;
                        } else {
                            high = middle;
                        }
                    }
                    Ok(low)
                })
            })
            .await
    }

    /// Removes at most `limit` of the oldest events, those older than `days` that every consumer has seen, and
    /// says how many.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn sweep_events(&self, days: i32, limit: usize) -> Result<usize, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let run = self.db.run_tx("sweep_events", move |tx| {
            Box::pin(async move {
                let row = tx.client.query_one(OLDEST, &[&days, &limit]).await?;
                let Some(last) = row.get::<_, Option<i64>>(0) else { return Ok(0) };
                let sql = "UPDATE event_stream SET removed = greatest(removed, $1)";
                tx.client.execute(sql, &[&last]).await?;
                let removed = tx.client.execute(DELETE, &[&last, &days]).await?;
                Ok(usize::try_from(removed).unwrap_or(usize::MAX))
            })
        });
        run.await
    }
}
