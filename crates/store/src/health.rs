//! What readiness and health ask of the database.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::Error;
use crate::migrate;
use crate::store::Store;
use crate::tx::Database;

/// What a look at the database showed.
#[derive(Debug, Clone)]
pub struct DatabaseHealth {
    /// Time of the query, there and back.
    pub latency: Duration,
    /// Whether writes are taken: not a standby, not read-only.
    pub writable: bool,
    /// `server_version`.
    pub server_version: String,
    /// Newest migration applied.
    pub schema_version: Option<i32>,
    /// Newest migration that this program knows.
    pub expected_schema_version: i32,
    /// Connections of this process: open, idle, most.
    pub pool: (usize, usize, usize),
}

impl DatabaseHealth {
    /// Whether requests can be served.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.writable && self.schema_version.is_some_and(|v| v >= self.expected_schema_version)
    }
}

impl Store {
    /// Asks the database once; never longer than the transaction deadline.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it does not answer.
    pub async fn health(&self) -> Result<DatabaseHealth, Error> {
        let started = Instant::now();
        let (writable, server_version) = self
            .db
            .read("health", |tx| {
                Box::pin(async move {
                    let sql = "SELECT NOT pg_is_in_recovery()
                        AND NOT current_setting('transaction_read_only')::bool,
                        current_setting('server_version')";
                    let row = tx.client.query_one(sql, &[]).await?;
                    Ok((row.get(0), row.get(1)))
                })
            })
            .await?;
        let latency = started.elapsed();
        let status = self.db.pool_status();
        Ok(DatabaseHealth {
            latency,
            writable,
            server_version,
            schema_version: schema_version(&self.db).await?,
            expected_schema_version: migrate::expected_version(),
            pool: (status.size, status.available, status.max_size),
        })
    }
}

/// The newest migration applied, or `None` in an empty database.
pub(crate) async fn schema_version(db: &Database) -> Result<Option<i32>, Error> {
    db.read("schema_version", |tx| {
        Box::pin(async move {
            let known = "SELECT to_regclass('refinery_schema_history') IS NOT NULL";
            if !tx.client.query_one(known, &[]).await?.get::<_, bool>(0) {
                return Ok(None);
            }
            let sql = "SELECT max(version) FROM refinery_schema_history";
            Ok(tx.client.query_one(sql, &[]).await?.get(0))
        })
    })
    .await
}
