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
        let started = Instant::now();
        let result = write_batch(self, &batch, Locks::Skip).await;
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
