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

impl Store {
    /// Ends up to `limit` records (at most 256) whose deadline has passed, oldest first, in one
    /// transaction; gives how many. Records that an append holds at this moment are left for the
    /// next call, so appends never wait for more than this one transaction. Any number of sweeps
    /// may run at the same time. Call it until it gives 0.
    ///
    /// A record that cannot be ended (its data is damaged) holds no other one up: where a batch fails,
    /// its records are ended one by one, and the log names those that cannot be.
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
        match self.expire(&batch).await {
            Err(Error::Database(_) | Error::Damaged(_)) => self.expire_singly(&batch).await,
            result => result,
        }
    }

    /// The same, each record in a transaction of its own. What is wrong with the database itself ends it.
    async fn expire_singly(&self, batch: &[Arc<Extend>]) -> Result<usize, Error> {
        let mut ended = 0;
        for one in batch.chunks(1) {
            ended += match self.expire(one).await {
                Err(Error::Database(_) | Error::Damaged(_)) => {
                    let record = one.first().map(|item| item.record);
                    tracing::error!(?record, "a record whose deadline has passed cannot be ended");
                    0
                }
                result => result?,
            };
        }
        Ok(ended)
    }

    async fn expire(&self, batch: &[Arc<Extend>]) -> Result<usize, Error> {
        let started = Instant::now();
        let result = write_batch(self, batch, Locks::Skip).await;
        observe("expire_due", started, &result);
        Ok(result?.iter().filter(|r| matches!(r, Ok(Appended::Written(_)))).count())
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
