//! More entries on existing chains: lock, read the rows, decide, sign, write; two round trips a
//! batch. A note adds an entry and moves the head; a transition changes the row as well.

mod columns;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use deadpool_postgres::Client;
use deed_chain::entry::{Claims, Link};
use deed_chain::hash::Hash;
use deed_lifecycle::Signal;
use futures::future::BoxFuture;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use columns::Columns;

use super::{Appended, lock_key};
use crate::error::{Error, is_verdict};
use crate::idempotency::{Idempotency, replay};
use crate::queue::{self, NewJob};
use crate::records::{COLUMNS, Record};
use crate::response::Stored;
use crate::rows;
use crate::store::Store;
use crate::transition::{Step, Transition};
use crate::tx::{Tx, observe, roll_back};

/// Renders the answer of an append from what was written.
pub type Render = Box<dyn Fn(&Extended) -> Vec<u8> + Send + Sync>;

/// One more entry for a record's chain.
pub struct Extend {
    /// The record.
    pub record: Uuid,
    /// What the entry says.
    pub content: Content,
    /// Seconds since the Unix epoch.
    pub issued_at: i64,
    /// The request's key, if it came with one.
    pub idempotency: Option<Idempotency>,
    /// HTTP status of the answer.
    pub status: u16,
    /// Makes the answer that the caller, and a retry with the same key, gets.
    pub render: Render,
}

/// What an entry says, and what it changes besides the head.
#[derive(Debug)]
pub enum Content {
    /// A body that was made beforehand; the row stays as it is.
    Note {
        /// The caller's organisation: another one's record is not found. `None` for the platform.
        org: Option<Uuid>,
        /// Body in canonical form, and its hash.
        body: (Vec<u8>, Hash),
        /// Kind of the event that the entry causes.
        event: &'static str,
    },
    /// A step of the state machine, decided on the row as it is under the record's lock.
    Transition(Box<Transition>),
}

impl fmt::Debug for Extend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extend").field("record", &self.record).finish_non_exhaustive()
    }
}

/// An entry that was just added.
#[derive(Debug, Clone)]
pub struct Extended {
    /// The record with its new head.
    pub record: Record,
    /// Hash of the entry before it.
    pub previous: Hash,
    /// COSE_Sign1 bytes.
    pub entry: Vec<u8>,
    /// Body in canonical form.
    pub body: Vec<u8>,
}

const LOCK: &str = "SELECT pg_advisory_xact_lock(key) FROM unnest($1::int8[]) AS key";

const KEYS_USED: &str = "
SELECT k.scope, k.key FROM unnest($1::uuid[], $2::text[]) AS k(scope, key)
JOIN idempotency_keys USING (scope, key)";

/// The same without waiting: gives the keys that were free.
const TRY_LOCK: &str = "
SELECT key FROM unnest($1::int8[]) AS key WHERE pg_try_advisory_xact_lock(key)";

type Results = Vec<Result<Appended<Vec<u8>>, Error>>;

pub(super) fn write<'a>(
    store: &'a Store,
    batch: &'a [Arc<Extend>],
) -> BoxFuture<'a, Result<Results, Error>> {
    Box::pin(async move {
        let started = Instant::now();
        let mut result = write_batch(store, batch, Locks::Wait).await;
        if result.as_ref().is_err_and(Error::is_unique_violation) {
            // Another transaction committed an idempotency key after this one had looked for
            // it; a second look sees it.
            result = write_batch(store, batch, Locks::Wait).await;
        }
        observe("append_extend", started, &result);
        result
    })
}

/// What to do about a record that another transaction holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Locks {
    /// Wait for it.
    Wait,
    /// Leave it out: it is not found.
    Skip,
}

pub(super) async fn write_batch(
    store: &Store,
    batch: &[Arc<Extend>],
    locks: Locks,
) -> Result<Results, Error> {
    let lease = store.db.checkout().await?;
    let end = Instant::now() + store.db.deadline();
    match timeout_at(end, transaction(store, &lease, batch, locks)).await {
        Ok(Ok(results)) => {
            lease.settle();
            Ok(results)
        }
        Ok(Err(error)) => {
            roll_back(lease, &error, end).await;
            Err(error)
        }
        // Somewhere between BEGIN and the answer to COMMIT: only the server knows.
        Err(_) => Err(Error::OutcomeUnknown),
    }
}

async fn transaction(
    store: &Store,
    client: &Client,
    batch: &[Arc<Extend>],
    locks: Locks,
) -> Result<Results, Error> {
    let (mut heads, used) = open(client, batch, locks).await?;
    let mut results = Vec::with_capacity(batch.len());
    let mut written = Vec::with_capacity(batch.len());
    for item in batch {
        let known = item.idempotency.as_ref().filter(|i| used.contains(&(i.scope, i.key.clone())));
        results.push(if let Some(known) = known {
            replay(Tx { client }, known).await.map(Appended::Replayed)
        } else {
            link(store, &mut heads, item).map(|link| {
                let response = link.response.clone();
                written.push(link);
                Appended::Written(response)
            })
        });
    }
    commit(store, client, &written).await?;
    Ok(results)
}

/// Everything that the batch writes, and its COMMIT, in one round trip. COMMIT after a failed
/// statement answers success (for a rollback), so each statement's own result is looked at first.
async fn commit(store: &Store, client: &Client, written: &[Linked<'_>]) -> Result<(), Error> {
    if written.is_empty() {
        return client.batch_execute("COMMIT").await.map_err(once_commit_was_sent);
    }
    let columns = Columns::of(written, &store.signer().thumbprint().0);
    let statement = client.prepare_typed_cached(columns.sql(), columns.types()).await?;
    let parameters = columns.parameters();
    let jobs = queue::Columns::of(written.iter().filter_map(|l| l.job.as_ref()), store.clock());
    if jobs.is_empty() {
        let (inserted, committed) =
            futures::join!(client.execute(&statement, &parameters), client.batch_execute("COMMIT"));
        inserted.map_err(once_commit_was_sent)?;
        return committed.map_err(once_commit_was_sent);
    }
    let enqueue = client.prepare_typed_cached(queue::Columns::SQL, &queue::Columns::TYPES).await?;
    let job_parameters = jobs.parameters();
    let (inserted, enqueued, committed) = futures::join!(
        client.execute(&statement, &parameters),
        client.execute(&enqueue, &job_parameters),
        client.batch_execute("COMMIT"),
    );
    inserted.map_err(once_commit_was_sent)?;
    enqueued.map_err(once_commit_was_sent)?;
    committed.map_err(once_commit_was_sent)?;
    store.wake_workers();
    Ok(())
}

fn once_commit_was_sent(e: tokio_postgres::Error) -> Error {
    if is_verdict(&e) { e.into() } else { Error::OutcomeUnknown }
}

type Heads = HashMap<Uuid, Record>;
type Keys = HashSet<(Uuid, String)>;

/// BEGIN, the locks in sorted order, and only then the heads: a statement's snapshot is as old as
/// the statement, so one that waited for a lock itself would read the head of before the wait.
async fn open(
    client: &Client,
    batch: &[Arc<Extend>],
    wanted: Locks,
) -> Result<(Heads, Keys), Error> {
    let mut ids: Vec<Uuid> = batch.iter().map(|item| item.record).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut locks: Vec<i64> = ids.iter().copied().map(lock_key).collect();
    locks.sort_unstable();
    locks.dedup();
    let keys = batch.iter().filter_map(|item| item.idempotency.as_ref());
    let (scopes, keys): (Vec<Uuid>, Vec<&str>) = keys.map(|i| (i.scope, i.key.as_str())).unzip();
    let heads =
        format!("SELECT {COLUMNS} FROM records WHERE id = ANY($1) AND id >= $2 AND id <= $3");
    let (least, greatest) = rows::span(&ids);
    let (lock, heads, used) = (
        client.prepare_cached(if wanted == Locks::Wait { LOCK } else { TRY_LOCK }).await?,
        client.prepare_cached(&heads).await?,
        client.prepare_cached(KEYS_USED).await?,
    );
    let by_lock: [&(dyn ToSql + Sync); 1] = [&locks];
    let by_id: [&(dyn ToSql + Sync); 3] = [&ids, &least, &greatest];
    let by_key: [&(dyn ToSql + Sync); 2] = [&scopes, &keys];
    let (_, locked, heads, used) = futures::try_join!(
        client.batch_execute("BEGIN"),
        client.query(&lock, &by_lock),
        client.query(&heads, &by_id),
        client.query(&used, &by_key),
    )?;
    let mut records = HashMap::with_capacity(heads.len());
    for row in &heads {
        let record = Record::from_row(row)?;
        records.insert(record.id, record);
    }
    if wanted == Locks::Skip {
        let held: HashSet<i64> = locked.iter().map(|row| row.get(0)).collect();
        records.retain(|id, _| held.contains(&lock_key(*id)));
    }
    Ok((records, used.iter().map(|row| (row.get(0), row.get(1))).collect()))
}

/// An entry that is signed and waits for its INSERT.
struct Linked<'a> {
    item: &'a Extend,
    extended: Extended,
    event: &'static str,
    /// Whether the row changes in more than its head.
    moves: bool,
    signal: Option<Signal>,
    job: Option<NewJob>,
    response: Vec<u8>,
    /// The response as it is stored under the request's key, if it came with one.
    answer: Option<Stored>,
}

/// What an entry says, decided on the newest row that the batch knows.
struct Decided<'a> {
    body: Cow<'a, [u8]>,
    body_hash: Hash,
    event: &'static str,
    /// The row afterwards and what else it causes; `None` for a note.
    step: Option<(Record, Option<Signal>, Option<NewJob>)>,
}

fn decide<'a>(record: &Record, content: &'a Content) -> Result<Decided<'a>, Error> {
    match content {
        Content::Note { org, body: (body, hash), event } => {
            if org.is_some_and(|org| org != record.org_id) {
                return Err(Error::NotFound("record"));
            }
            Ok(Decided { body: Cow::Borrowed(body), body_hash: *hash, event, step: None })
        }
        Content::Transition(transition) => {
            let Step { next, body, body_hash, event, signal, job } = transition.decide(record)?;
            let step = Some((next, signal, job));
            Ok(Decided { body: Cow::Owned(body), body_hash, event, step })
        }
    }
}

/// Decides, signs the next entry of a chain and moves the row that the batch knows.
fn link<'a>(store: &Store, heads: &mut Heads, item: &'a Extend) -> Result<Linked<'a>, Error> {
    let record = heads.get_mut(&item.record).ok_or(Error::NotFound("record"))?;
    let decided = decide(record, &item.content)?;
    let previous = record.head_hash;
    let position = record.head_position + 1;
    let moves = decided.step.is_some();
    let (signal, job) = match decided.step {
        Some((next, signal, job)) => {
            *record = next;
            (signal, job)
        }
        None => (None, None),
    };
    let claims = Claims {
        issuer: store.installation().issuer.clone(),
        subject: record.id,
        issued_at: item.issued_at,
        link: Some(Link { position: position.unsigned_abs(), previous, epoch: 0 }),
    };
    let entry = store.signer().sign(&claims, &decided.body_hash);
    record.head_position = position;
    record.head_hash = entry.hash();
    let extended = Extended {
        record: record.clone(),
        previous,
        entry: entry.as_bytes().to_vec(),
        body: decided.body.into_owned(),
    };
    let response = (item.render)(&extended);
    let answer = item.idempotency.is_some().then(|| {
        Stored::about(extended.record.id, position, &extended.entry, &extended.body, &response)
    });
    let event = decided.event;
    Ok(Linked { item, extended, event, moves, signal, job, response, answer })
}
