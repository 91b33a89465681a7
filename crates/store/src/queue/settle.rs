//! What becomes of a claimed job. Every statement here names the fencing token of the claim, so a
//! worker that was stopped past its lease and resumed changes nothing.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Client;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::{Held, SETTINGS};
use crate::error::Error;
use crate::store::Store;
use crate::tx::Tx;

/// How an attempt failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The claim.
    pub held: Held,
    /// What went wrong, for people; cut to 4,096 bytes.
    pub error: String,
    /// When to try again; `None` puts the job to the dead letters.
    pub retry_in: Option<Duration>,
}

/// Bytes of an error that are kept.
const MOST_ERROR: usize = 4096;

/// The rows that valid claims name, found through the primary key whatever the table held when the plan
/// was made: a join could walk all active jobs for each one that is named. `$1` is sorted, so
/// `width_bucket` finds the place of an id in it by halving. A job is leased while it is active (a constraint
/// of the table). A row that a heartbeat holds is waited for, and then judged as it is by then.
macro_rules! named {
    () => {
        "id = ANY ($1::uuid[]) AND fence = ($2::int8[])[width_bucket(id, $1)]
            AND lease_until IS NOT NULL
        RETURNING id, fence"
    };
}

const FINISH: &str = concat!("DELETE FROM jobs WHERE ", named!());

const EXTEND: &str =
    concat!("UPDATE jobs SET lease_until = now() + $3 * interval '1 millisecond' WHERE ", named!());

const FAIL: &str = concat!(
    "UPDATE jobs SET state = CASE WHEN ($4::int8[])[width_bucket(id, $1)] IS NULL THEN 'dead'
            ELSE 'waiting' END,
        run_at = now() + coalesce(($4::int8[])[width_bucket(id, $1)], 0) * interval '1 millisecond',
        lease_until = NULL, claimed_by = NULL, last_error = ($3::text[])[width_bucket(id, $1)]
    WHERE ",
    named!()
);

const RELEASE: &str = concat!(
    "UPDATE jobs SET state = 'waiting', attempt = attempt - 1, lease_until = NULL, claimed_by = NULL
    WHERE ",
    named!()
);

const RESCUE: &str = "
UPDATE jobs SET state = 'waiting', lease_until = NULL, claimed_by = NULL,
    last_error = 'the worker that held it stopped extending its lease'
WHERE id = ANY (ARRAY(SELECT id FROM jobs WHERE state = 'active' AND lease_until < now()
    LIMIT $1 FOR UPDATE SKIP LOCKED))";

/// Finishes a job in the transaction that holds its effect.
///
/// # Errors
/// [`Error::Conflict`] `job-fenced` when the claim is no longer valid: the effect belongs to
/// another worker, and this transaction must be given up.
pub async fn finish(tx: Tx<'_>, held: Held) -> Result<(), Error> {
    let statement =
        tx.client.prepare_typed_cached(FINISH, &[Type::UUID_ARRAY, Type::INT8_ARRAY]).await?;
    let (ids, fences) = (vec![held.id], vec![held.fence]);
    if tx.client.execute(&statement, &[&ids, &fences]).await? == 1 {
        return Ok(());
    }
    Err(Error::conflict("job-fenced", format!("job {} was taken over by another worker", held.id)))
}

impl Store {
    /// Finishes jobs whose effect is already there. Gives those that were refused, because their
    /// claim is no longer valid.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn finish_jobs(&self, held: &[Held]) -> Result<Vec<Held>, Error> {
        self.settle("finish_jobs", FINISH, &sorted(held), Vec::new()).await
    }

    /// Prolongs the leases to `lease` from now. Gives those that were refused: whoever works on
    /// them must stop.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn extend_jobs(&self, held: &[Held], lease: Duration) -> Result<Vec<Held>, Error> {
        let lease = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        self.settle("extend_jobs", EXTEND, &sorted(held), vec![(Type::INT8, Box::new(lease))]).await
    }

    /// Puts failed jobs back for another attempt, or to the dead letters. Gives those that were
    /// refused.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn fail_jobs(&self, failures: &[Failure]) -> Result<Vec<Held>, Error> {
        let mut failures: Vec<&Failure> = failures.iter().collect();
        // Of two claims of one job, only the later one can be valid: it stands last.
        failures.sort_unstable_by_key(|failure| (failure.held.id, failure.held.fence));
        let held: Vec<Held> = failures.iter().map(|failure| failure.held).collect();
        let errors: Vec<String> = failures.iter().map(|failure| cut(&failure.error)).collect();
        let delays = failures.iter().map(|failure| {
            failure.retry_in.map(|delay| i64::try_from(delay.as_millis()).unwrap_or(i64::MAX))
        });
        let delays: Vec<Option<i64>> = delays.collect();
        let more: Vec<Parameter> =
            vec![(Type::TEXT_ARRAY, Box::new(errors)), (Type::INT8_ARRAY, Box::new(delays))];
        self.settle("fail_jobs", FAIL, &held, more).await
    }

    /// Gives jobs back unworked; the attempt does not count.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn release_jobs(&self, held: &[Held]) -> Result<Vec<Held>, Error> {
        self.settle("release_jobs", RELEASE, &sorted(held), Vec::new()).await
    }

    /// Puts back at most `limit` jobs whose lease has ended, and says how many it were. Their
    /// attempts count, so that a job that kills its workers ends among the dead letters.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn rescue_jobs(&self, limit: usize) -> Result<usize, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let run = self.db.run_tx("rescue_jobs", move |tx| {
            Box::pin(async move {
                let statement = tx.client.prepare_typed_cached(RESCUE, &[Type::INT8]).await?;
                let parameters: [&(dyn ToSql + Sync); 1] = [&limit];
                let (_, rescued) = futures::try_join!(
                    tx.client.batch_execute(SETTINGS),
                    tx.client.execute(&statement, &parameters),
                )?;
                Ok(usize::try_from(rescued).unwrap_or(usize::MAX))
            })
        });
        run.await
    }

    async fn settle(
        &self,
        name: &'static str,
        sql: &'static str,
        held: &[Held],
        more: Vec<Parameter>,
    ) -> Result<Vec<Held>, Error> {
        if held.is_empty() {
            return Ok(Vec::new());
        }
        debug_assert!(held.is_sorted_by_key(|one| one.id), "locks are taken in one order");
        let ids: Vec<Uuid> = held.iter().map(|one| one.id).collect();
        let fences: Vec<i64> = held.iter().map(|one| one.fence).collect();
        let mut parameters: Vec<Parameter> =
            vec![(Type::UUID_ARRAY, Box::new(ids)), (Type::INT8_ARRAY, Box::new(fences))];
        parameters.extend(more);
        let parameters = Arc::new(parameters);
        let done = self.db.run_tx(name, move |tx| {
            let parameters = Arc::clone(&parameters);
            Box::pin(async move { run(tx.client, sql, &parameters).await })
        });
        let done: HashSet<Held> = done.await?.into_iter().collect();
        Ok(held.iter().copied().filter(|one| !done.contains(one)).collect())
    }
}

/// In the order in which rows are locked: two statements of one worker that name the same jobs wait
/// for one another instead of running into a deadlock. Of two claims of one job the newer is last: of equal
/// ids `width_bucket` finds the last, and the earlier claim is void.
fn sorted(held: &[Held]) -> Vec<Held> {
    let mut held = held.to_vec();
    held.sort_unstable_by_key(|one| (one.id, one.fence));
    held
}

type Parameter = (Type, Box<dyn ToSql + Sync + Send>);

async fn run(client: &Client, sql: &str, parameters: &[Parameter]) -> Result<Vec<Held>, Error> {
    let types: Vec<Type> = parameters.iter().map(|(kind, _)| kind.clone()).collect();
    let statement = client.prepare_typed_cached(sql, &types).await?;
    let values: Vec<&(dyn ToSql + Sync)> =
        parameters.iter().map(|(_, value)| &**value as &(dyn ToSql + Sync)).collect();
    let (_, rows) =
        futures::try_join!(client.batch_execute(SETTINGS), client.query(&statement, &values))?;
    Ok(rows.iter().map(|row| Held { id: row.get(0), fence: row.get(1) }).collect())
}

/// The longest beginning that is kept, without half characters and what PostgreSQL cannot store.
fn cut(error: &str) -> String {
    let mut text = error.replace('\0', "\u{fffd}");
    text.truncate(text.floor_char_boundary(MOST_ERROR));
    text
}
