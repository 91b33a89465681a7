//! The processes that serve, as they know of each other.

use chrono::{DateTime, Utc};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::error::Error;
use crate::random;
use crate::store::Store;

/// Seconds without a heartbeat after which a replica counts as gone.
pub const GONE_AFTER_SECONDS: i32 = 30;

/// A tier of the deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// `deed api`, or that part of `deed up`.
    Api,
    /// `deed worker`, or that part of `deed up`.
    Worker,
}

impl Tier {
    /// Its name in the database and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Worker => "worker",
        }
    }
}

/// A process that serves, or did not long ago.
#[derive(Debug, Clone, PartialEq)]
pub struct Replica {
    /// Made at its start.
    pub id: Uuid,
    /// `api` or `worker`.
    pub tier: String,
    /// Version of its program.
    pub version: String,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it was last heard of.
    pub heartbeat_at: DateTime<Utc>,
    /// Whether it is stopping.
    pub draining: bool,
    /// Whether it was heard of within [`GONE_AFTER_SECONDS`].
    pub alive: bool,
}

const BEAT: &str = "
INSERT INTO replicas (id, kind, version) VALUES ($1, $2, $3)
ON CONFLICT (id) DO UPDATE SET heartbeat_at = now(), draining = $4";

const LIST: &str = "
SELECT id, kind, version, started_at, heartbeat_at, draining,
    heartbeat_at > now() - make_interval(secs => $1)
FROM replicas ORDER BY started_at DESC, id LIMIT 1000";

impl Store {
    /// An id for this process, which [`Store::beat`] makes known.
    #[must_use]
    pub fn new_replica(&self) -> Uuid {
        random::uuid_v7(self.clock().now())
    }

    /// Says that a process of this version lives. The first time makes its row, and so does one
    /// after its row was swept away.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn beat(
        &self,
        id: Uuid,
        tier: Tier,
        version: &'static str,
        draining: bool,
    ) -> Result<(), Error> {
        let run = self.db.run_tx("beat", move |tx| {
            Box::pin(async move {
                let statement = tx.client.prepare_cached(BEAT).await?;
                tx.client.execute(&statement, &[&id, &tier.as_str(), &version, &draining]).await?;
                Ok(())
            })
        });
        run.await
    }

    /// Takes the row of a process away that stops in good order.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn leave(&self, id: Uuid) -> Result<(), Error> {
        let run = self.db.run_tx("leave", move |tx| {
            Box::pin(async move {
                tx.client.execute("DELETE FROM replicas WHERE id = $1", &[&id]).await?;
                Ok(())
            })
        });
        run.await
    }

    /// At most 1,000 replicas, the newest first.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn replicas(&self) -> Result<Vec<Replica>, Error> {
        let rows = self.db.read("replicas", |tx| {
            Box::pin(
                async move { Ok(tx.client.query(LIST, &[&f64::from(GONE_AFTER_SECONDS)]).await?) },
            )
        });
        Ok(rows.await?.iter().map(replica).collect())
    }
}

fn replica(row: &Row) -> Replica {
    Replica {
        id: row.get(0),
        tier: row.get(1),
        version: row.get(2),
        started_at: row.get(3),
        heartbeat_at: row.get(4),
        draining: row.get(5),
        alive: row.get(6),
    }
}
