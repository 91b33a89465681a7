//! Migrations: one runner at a time, checksums, the genesis statement, the application role's rights.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

use crate::config::StoreConfig;
use crate::error::Error;
use crate::installation;
use crate::pool;
use crate::signer::Signer;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// Key of the advisory lock that one migration runner holds (S4): "deed_mig" in ASCII.
const LOCK: i64 = 0x6465_6564_5f6d_6967;
/// How long a second runner waits for the first before it gives up.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// What `deed migrate` needs beyond the connection.
#[derive(Debug)]
pub struct Migration<'a> {
    /// Connection of the owner role.
    pub owner: &'a StoreConfig,
    /// Role that the API and worker processes log in as; it is given the rights it needs.
    pub app_role: &'a str,
    /// Signs the genesis statement at the first migration.
    pub signer: &'a Signer,
    /// Issuer URL of this server, fixed for ever by the genesis statement.
    pub issuer: &'a str,
    /// The present, for the genesis statement.
    pub now: DateTime<Utc>,
}

/// What a run did.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Names of the migrations applied now, in order.
    pub applied: Vec<String>,
    /// Schema version afterwards.
    pub schema_version: i32,
    /// Whether the genesis statement was written now.
    pub genesis_written: bool,
}

/// Brings the schema to the version that this program was built with. Safe to repeat and to run
/// again after a kill: each migration is one transaction.
///
/// # Errors
/// [`Error::Unfit`] for an old server, an edited migration, a schema newer than this program, a
/// second identity, or when another runner holds the lock for more than a minute.
pub async fn migrate(run: &Migration<'_>) -> Result<Outcome, Error> {
    let mut client = pool::connect_one(run.owner).await?;
    pool::check_server(&client).await?;
    lock(&client).await?;
    let result = locked(&mut client, run).await;
    // The lock belongs to the session: closing it would do as well, but only when the server
    // notices, and the next runner may already be waiting.
    client.execute("SELECT pg_advisory_unlock($1)", &[&LOCK]).await?;
    result
}

/// Polls the try-lock: a session blocked inside `pg_advisory_lock` holds a snapshot, which would
/// deadlock with `CREATE INDEX CONCURRENTLY` in the runner that has the lock.
async fn lock(client: &Client) -> Result<(), Error> {
    let end = Instant::now() + LOCK_PATIENCE;
    loop {
        let row = client.query_one("SELECT pg_try_advisory_lock($1)", &[&LOCK]).await?;
        if row.get(0) {
            return Ok(());
        }
        if Instant::now() >= end {
            return Err(Error::Unfit("another process is migrating this database".to_owned()));
        }
        sleep(Duration::from_millis(200)).await;
    }
}

async fn locked(client: &mut Client, run: &Migration<'_>) -> Result<Outcome, Error> {
    let report = embedded::migrations::runner()
        .run_async(client)
        .await
        .map_err(|e| Error::Unfit(describe(&e)))?;
    let applied = report.applied_migrations().iter().map(ToString::to_string).collect();
    client.query_one("SELECT ensure_partitions(12)", &[]).await?;
    let role = quoted(run.app_role);
    let grants = include_str!("../migrations/grants.sql").replace("{role}", &role);
    client.batch_execute(&grants).await?;
    let genesis_written = installation::establish(client, run).await?;
    Ok(Outcome { applied, schema_version: expected_version(), genesis_written })
}

fn describe(e: &refinery::Error) -> String {
    match e.kind() {
        refinery::error::Kind::DivergentVersion(applied, ours) => format!(
            "migration {applied} was applied with other content than this program's {ours}: \
             a released migration must not be edited"
        ),
        refinery::error::Kind::MissingVersion(missing) => format!(
            "the database has migration {missing}, which this program does not know: \
             it was migrated by a newer version"
        ),
        _ => {
            // The database's own words are at the end of the chain.
            let mut cause: &dyn std::error::Error = e;
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
            format!("migration failed: {e}: {cause}")
        }
    }
}

/// The schema version that this program was built for.
#[must_use]
pub fn expected_version() -> i32 {
    let newest = embedded::migrations::runner().get_migrations().iter().map(|m| m.version()).max();
    newest.unwrap_or(0)
}

/// A PostgreSQL identifier in double quotes.
fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}
