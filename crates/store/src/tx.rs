//! The one way into the database. Everything else is banned by `clippy.toml`.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::time::Duration;

use deadpool_postgres::{Client, Object, Pool};
use tokio::time::{Instant, timeout_at};

use crate::error::{Error, is_verdict};

/// How often a transaction that lost a race is run again before its error is given back.
const MOST_ATTEMPTS: u32 = 5;

/// The future that a transaction's body returns.
pub type Body<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// A transaction in progress, or a connection in autocommit for a single reading statement.
#[derive(Debug, Clone, Copy)]
pub struct Tx<'a> {
    pub(crate) client: &'a Client,
}

/// Runs transactions with a deadline, retries and metrics.
#[derive(Clone)]
pub(crate) struct Database {
    pool: Pool,
    deadline: Duration,
}

impl Database {
    pub(crate) fn new(pool: Pool, deadline: Duration) -> Self {
        Self { pool, deadline }
    }

    /// Runs `body` in one READ COMMITTED transaction. Serialization failures and deadlocks are
    /// retried; nothing else is. `name` labels the metrics.
    ///
    /// # Errors
    /// What `body` gives, after a rollback; [`Error::OutcomeUnknown`] when the connection was
    /// lost or the deadline passed during COMMIT.
    pub(crate) async fn run_tx<T, F>(&self, name: &'static str, body: F) -> Result<T, Error>
    where
        F: for<'a> Fn(Tx<'a>) -> Body<'a, T> + Send + Sync,
        T: Send,
    {
        let started = Instant::now();
        let end = started + self.deadline;
        let mut attempt = 1;
        let result = loop {
            let result = self.attempt(end, &body).await;
            match &result {
                Err(e) if e.is_serialization() && attempt < MOST_ATTEMPTS => attempt += 1,
                _ => break result,
            }
        };
        observe(name, started, &result);
        result
    }

    async fn attempt<T, F>(&self, end: Instant, body: &F) -> Result<T, Error>
    where
        F: for<'a> Fn(Tx<'a>) -> Body<'a, T> + Send + Sync,
    {
        let lease = self.checkout().await?;
        let before_commit = async {
            lease.batch_execute("BEGIN").await?;
            body(Tx { client: &lease }).await
        };
        match timeout_at(end, before_commit).await {
            Err(_) => Err(Error::Unavailable("the transaction's deadline passed".to_owned())),
            Ok(Ok(value)) => commit(lease, end).await.map(|()| value),
            Ok(Err(error)) => {
                roll_back(lease, &error, end).await;
                Err(error)
            }
        }
    }

    /// Runs one reading statement, or several that need no common snapshot, without a transaction.
    ///
    /// # Errors
    /// What `body` gives; [`Error::Unavailable`] when the deadline passed.
    pub(crate) async fn read<T, F>(&self, name: &'static str, body: F) -> Result<T, Error>
    where
        F: for<'a> FnOnce(Tx<'a>) -> Body<'a, T> + Send,
        T: Send,
    {
        let started = Instant::now();
        let lease = self.checkout().await?;
        let result = match timeout_at(started + self.deadline, body(Tx { client: &lease })).await {
            Ok(result) => result,
            Err(_) => Err(Error::Unavailable("the query's deadline passed".to_owned())),
        };
        if result.as_ref().err().is_none_or(|error| !error.spoils_connection()) {
            lease.settle();
        }
        observe(name, started, &result);
        result
    }

    /// A connection for a caller in this crate that drives its own pipeline (the append path).
    #[expect(clippy::disallowed_methods, reason = "the one place where the pool is asked")]
    pub(crate) async fn checkout(&self) -> Result<Lease, Error> {
        Ok(Lease(Some(self.pool.get().await?)))
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    pub(crate) fn pool_status(&self) -> deadpool_postgres::Status {
        self.pool.status()
    }

    pub(crate) fn close(&self) {
        self.pool.close();
    }
}

/// A connection of the pool that goes back only when it was settled. Dropped otherwise (the client
/// went away, the deadline passed, a panic) it is closed: a transaction that is left open on it would
/// swallow what the next one believes to be committed. Closing never cancels a running COMMIT.
pub(crate) struct Lease(Option<Client>);

impl Lease {
    /// Gives the connection back; nothing is open on it.
    pub(crate) fn settle(mut self) {
        drop(self.0.take());
    }
}

impl Deref for Lease {
    type Target = Client;

    #[expect(clippy::expect_used, reason = "only `settle` and `drop` take it, and both consume")]
    fn deref(&self) -> &Client {
        self.0.as_ref().expect("a lease holds a connection until it ends")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            drop(Object::take(client));
        }
    }
}

/// Sends COMMIT. It is never cancelled: cancelling a commit that waits for a standby would
/// answer success for something that is not replicated.
async fn commit(lease: Lease, end: Instant) -> Result<(), Error> {
    match timeout_at(end, lease.batch_execute("COMMIT")).await {
        Ok(Ok(())) => {
            lease.settle();
            Ok(())
        }
        Ok(Err(e)) if is_verdict(&e) => Err(e.into()),
        Ok(Err(_)) | Err(_) => Err(Error::OutcomeUnknown),
    }
}

/// Rolls back and gives the connection back, unless the error says that it is of no use any more.
pub(crate) async fn roll_back(lease: Lease, error: &Error, end: Instant) {
    if error.spoils_connection() {
        return;
    }
    if let Ok(Ok(())) = timeout_at(end, lease.batch_execute("ROLLBACK")).await {
        lease.settle();
    }
}

pub(crate) fn observe<T>(name: &'static str, started: Instant, result: &Result<T, Error>) {
    let outcome = match result {
        Ok(_) => "ok",
        Err(Error::Unavailable(_)) => "unavailable",
        Err(Error::OutcomeUnknown) => "unknown",
        Err(Error::Database(_) | Error::Damaged(_) | Error::Unfit(_)) => "error",
        Err(_) => "refused",
    };
    metrics::histogram!("deed_db_transaction_seconds", "name" => name, "outcome" => outcome)
        .record(started.elapsed().as_secs_f64());
}
