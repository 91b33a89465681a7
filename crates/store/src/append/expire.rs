//! The sweep of deadlines: records whose work was not handed in end as EXPIRED.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use deed_lifecycle::Action;
use serde_json::Map;
use tokio::time::Instant;
use uuid::Uuid;

use super::extend::{Content, Extend, Locks, write_batch};
use super::{Appended, MOST_IN_BATCH};
use crate::error::Error;
use crate::records::Actor;
use crate::store::Store;
use crate::transition::{Set, Transition};
use crate::tx::observe;

const CANNOT_END: &str = "a record whose deadline has passed cannot be ended";
/// How long a record that cannot be ended is left alone, so that the sweep always comes to others.
const LATER: &str = "10 minutes";

impl Store {
    /// Ends up to `limit` records (at most 256) whose deadline has passed, oldest first, in one
    /// transaction; gives how many it has dealt with. Records that an append holds at this moment are left
    /// for the next call, so appends never wait for more than this one transaction. Any number of sweeps
    /// may run at the same time. Call it until it gives 0.
    ///
    /// A record that cannot be ended (its data is damaged) holds no other one up: where a batch fails,
    /// its records are ended one by one; the log names those that cannot be, and they come up again
    /// ten minutes later.
    ///
    /// # Errors
    /// Those of an append.
    pub async fn expire_due(&self, limit: usize) -> Result<usize, Error> {
        let now = self.clock().now();
        let due = self.due(now, limit.min(MOST_IN_BATCH)).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let batch: Vec<Arc<Extend>> =
            due.into_iter().map(|record| Arc::new(expiry(record, now))).collect();
        let (ended, failed) = match self.expire(&batch).await {
            Err(Error::Database(_) | Error::Damaged(_)) => self.expire_singly(&batch).await?,
            result => result?,
        };
        Ok(ended + self.postpone(failed).await?)
    }

    /// The same, each record in a transaction of its own. What is wrong with the database itself ends it.
    async fn expire_singly(&self, batch: &[Arc<Extend>]) -> Result<(usize, Vec<Uuid>), Error> {
        let (mut ended, mut failed) = (0, Vec::new());
        for one in batch {
            match self.expire(std::slice::from_ref(one)).await {
                Err(error @ (Error::Database(_) | Error::Damaged(_))) => {
                    tracing::error!(record = %one.record, %error, "{CANNOT_END}");
                    failed.push(one.record);
                }
                result => {
                    let (more_ended, more_failed) = result?;
                    ended += more_ended;
                    failed.extend(more_failed);
                }
            }
        }
        Ok((ended, failed))
    }

    /// How many were ended, and which cannot be. Those that somebody holds are neither.
    async fn expire(&self, batch: &[Arc<Extend>]) -> Result<(usize, Vec<Uuid>), Error> {
        let started = Instant::now();
        let result = write_batch(self, batch, Locks::Skip).await;
        observe("expire_due", started, &result);
        let (mut ended, mut failed) = (0, Vec::new());
        for (one, result) in batch.iter().zip(result?) {
            match result {
                Ok(Appended::Written(_)) => ended += 1,
                Ok(Appended::Replayed(_)) | Err(Error::NotFound(_)) => {}
                Err(error) => {
                    tracing::error!(record = %one.record, %error, "{CANNOT_END}");
                    failed.push(one.record);
                }
            }
        }
        Ok((ended, failed))
    }

    /// Takes records from the head of the list for a while; gives how many it were. One that was moved
    /// or ended meanwhile is not due any more, and one that somebody holds can wait.
    async fn postpone(&self, records: Vec<Uuid>) -> Result<usize, Error> {
        if records.is_empty() {
            return Ok(0);
        }
        let sql = format!(
            "UPDATE records SET due_at = now() + interval '{LATER}' WHERE id = ANY (ARRAY(
                SELECT id FROM records WHERE id = ANY ($1) AND due_at <= now()
                FOR UPDATE SKIP LOCKED))"
        );
        let shared = Arc::new((sql, records));
        let run = self.db.run_tx("postpone_expiry", move |tx| {
            let shared = Arc::clone(&shared);
            Box::pin(async move {
                let postponed = tx.client.execute(&shared.0, &[&shared.1]).await?;
                Ok(usize::try_from(postponed).unwrap_or(usize::MAX))
            })
        });
        run.await
    }

    /// Ids of records whose deadline has passed, oldest deadline first; by the database's clock too, so
    /// that a worker whose own is ahead ends nothing early.
    async fn due(&self, now: DateTime<Utc>, limit: usize) -> Result<Vec<Uuid>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.db
            .read("due", move |tx| {
                Box::pin(async move {
                    let sql = "SELECT id FROM records WHERE due_at <= least($1, now()) ORDER BY due_at LIMIT $2";
                    let statement = tx.client.prepare_cached(sql).await?;
                    let rows = tx.client.query(&statement, &[&now, &limit]).await?;
                    Ok(rows.iter().map(|row| row.get(0)).collect())
                })
            })
            .await
    }
}

fn expiry(record: Uuid, now: DateTime<Utc>) -> Extend {
    let transition = Transition {
        actor: Actor::System,
        action: Action::Expire,
        fields: Map::new(),
        set: Set::default(),
        concerning: None,
        at: now,
    };
    Extend {
        record,
        content: Content::Transition(Box::new(transition)),
        issued_at: now.timestamp(),
        idempotency: None,
        status: 0,
        render: Box::new(|_| Vec::new()),
    }
}
