//! Further entries on existing chains: lock, read the heads, sign, write; two round trips a batch.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use deadpool_postgres::Client;
use deed_chain::entry::{Claims, Link};
use deed_chain::hash::Hash;
use futures::future::BoxFuture;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::{Appended, as_slice, lock_key};
use crate::error::{Error, is_verdict};
use crate::idempotency::{Idempotency, replay};
use crate::records::{COLUMNS, Record};
use crate::response::Stored;
use crate::store::Store;
use crate::tx::{Tx, observe, roll_back};

/// Renders the answer of an append from what was written.
pub type Render = Box<dyn Fn(&Extended) -> Vec<u8> + Send + Sync>;

/// One more entry for a record's chain.
pub struct Extend {
    /// The record.
    pub record: Uuid,
    /// The caller's organisation: another one's record is not found. `None` for the platform.
    pub org: Option<Uuid>,
    /// Body in canonical form, and its hash.
    pub body: (Vec<u8>, Hash),
    /// Seconds since the Unix epoch.
    pub issued_at: i64,
    /// Kind of the event that the entry causes.
    pub event: &'static str,
    /// The request's key, if it came with one.
    pub idempotency: Option<Idempotency>,
    /// HTTP status of the answer.
    pub status: u16,
    /// Makes the answer that the caller, and a retry with the same key, gets.
    pub render: Render,
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
}

const LOCK: &str = "SELECT pg_advisory_xact_lock(key) FROM unnest($1::int8[]) AS key";

const KEYS_USED: &str = "
SELECT k.scope, k.key FROM unnest($1::uuid[], $2::text[]) AS k(scope, key)
JOIN idempotency_keys USING (scope, key)";

const EXTEND: &str = "
WITH incoming AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int8[], $4::bytea[], $5::bytea[], $6::bytea[],
        $7::bytea[], $8::text[])
    AS e(record_id, org_id, position, hash, previous, entry, body, event)
), new_entries AS (
    INSERT INTO vault_entries (record_id, position, hash, previous, entry, body)
    SELECT record_id, position, hash, previous, entry, body FROM incoming
), new_events AS (
    INSERT INTO events (org_id, kind, record_id, position)
    SELECT org_id, event, record_id, position FROM incoming
), new_keys AS (
    INSERT INTO idempotency_keys
        (scope, key, request_hash, status, response, record_id, position)
    SELECT * FROM unnest($9::uuid[], $10::text[], $11::bytea[], $12::int2[], $13::bytea[],
        $17::uuid[], $18::int8[])
)
UPDATE records SET head_position = h.position, head_hash = h.hash
FROM unnest($14::uuid[], $15::int8[], $16::bytea[]) AS h(id, position, hash)
WHERE records.id = h.id";

type Results = Vec<Result<Appended<Vec<u8>>, Error>>;

pub(super) fn write<'a>(
    store: &'a Store,
    batch: &'a [Arc<Extend>],
) -> BoxFuture<'a, Result<Results, Error>> {
    Box::pin(async move {
        let started = Instant::now();
        let mut result = write_batch(store, batch).await;
        if result.as_ref().is_err_and(Error::is_unique_violation) {
            // Another transaction committed an idempotency key after this one had looked for
            // it; a second look sees it.
            result = write_batch(store, batch).await;
        }
        observe("append_extend", started, &result);
        result
    })
}

async fn write_batch(store: &Store, batch: &[Arc<Extend>]) -> Result<Results, Error> {
    let lease = store.db.checkout().await?;
    let end = Instant::now() + store.db.deadline();
    match timeout_at(end, transaction(store, &lease, batch)).await {
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
) -> Result<Results, Error> {
    let (mut heads, used) = open(client, batch).await?;
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
    let columns = Columns::of(&written);
    let statement = client.prepare_typed_cached(EXTEND, &TYPES).await?;
    // One round trip. COMMIT after a failed statement answers success (for a rollback), so the
    // statement's own result is looked at first.
    let parameters = columns.parameters();
    let (inserted, committed) =
        futures::join!(client.execute(&statement, &parameters), client.batch_execute("COMMIT"));
    inserted.map_err(once_commit_was_sent)?;
    committed.map_err(once_commit_was_sent)?;
    Ok(results)
}

fn once_commit_was_sent(e: tokio_postgres::Error) -> Error {
    if is_verdict(&e) { e.into() } else { Error::OutcomeUnknown }
}

type Heads = HashMap<Uuid, Record>;
type Keys = HashSet<(Uuid, String)>;

/// BEGIN, the locks in sorted order, and only then the heads: a statement's snapshot is as old as
/// the statement, so one that waited for a lock itself would read the head of before the wait.
async fn open(client: &Client, batch: &[Arc<Extend>]) -> Result<(Heads, Keys), Error> {
    let mut ids: Vec<Uuid> = batch.iter().map(|item| item.record).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut locks: Vec<i64> = ids.iter().copied().map(lock_key).collect();
    locks.sort_unstable();
    locks.dedup();
    let keys = batch.iter().filter_map(|item| item.idempotency.as_ref());
    let (scopes, keys): (Vec<Uuid>, Vec<&str>) = keys.map(|i| (i.scope, i.key.as_str())).unzip();
    let heads = format!("SELECT {COLUMNS} FROM records WHERE id = ANY($1)");
    let (lock, heads, used) = (
        client.prepare_cached(LOCK).await?,
        client.prepare_cached(&heads).await?,
        client.prepare_cached(KEYS_USED).await?,
    );
    let by_lock: [&(dyn ToSql + Sync); 1] = [&locks];
    let by_id: [&(dyn ToSql + Sync); 1] = [&ids];
    let by_key: [&(dyn ToSql + Sync); 2] = [&scopes, &keys];
    let (_, _, heads, used) = futures::try_join!(
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
    Ok((records, used.iter().map(|row| (row.get(0), row.get(1))).collect()))
}

/// An entry that is signed and waits for its INSERT.
struct Linked<'a> {
    item: &'a Extend,
    extended: Extended,
    response: Vec<u8>,
    /// The response as it is stored under the request's key, if it came with one.
    answer: Option<Stored>,
}

/// Signs the next entry of a chain and moves the head that the batch knows.
fn link<'a>(store: &Store, heads: &mut Heads, item: &'a Extend) -> Result<Linked<'a>, Error> {
    let record = heads
        .get_mut(&item.record)
        .filter(|record| item.org.is_none_or(|org| org == record.org_id))
        .ok_or(Error::NotFound("record"))?;
    let previous = record.head_hash;
    let position = record.head_position + 1;
    let claims = Claims {
        issuer: store.installation().issuer.clone(),
        subject: record.id,
        issued_at: item.issued_at,
        link: Some(Link { position: position.unsigned_abs(), previous, epoch: 0 }),
    };
    let entry = store.signer().sign(&claims, &item.body.1);
    record.head_position = position;
    record.head_hash = entry.hash();
    let extended = Extended { record: record.clone(), previous, entry: entry.as_bytes().to_vec() };
    let response = (item.render)(&extended);
    let answer = item.idempotency.is_some().then(|| {
        Stored::about(extended.record.id, position, &extended.entry, &item.body.0, &response)
    });
    Ok(Linked { item, extended, response, answer })
}

const TYPES: [Type; 18] = [
    Type::UUID_ARRAY,
    Type::UUID_ARRAY,
    Type::INT8_ARRAY,
    Type::BYTEA_ARRAY,
    Type::BYTEA_ARRAY,
    Type::BYTEA_ARRAY,
    Type::BYTEA_ARRAY,
    Type::TEXT_ARRAY,
    Type::UUID_ARRAY,
    Type::TEXT_ARRAY,
    Type::BYTEA_ARRAY,
    Type::INT2_ARRAY,
    Type::BYTEA_ARRAY,
    Type::UUID_ARRAY,
    Type::INT8_ARRAY,
    Type::BYTEA_ARRAY,
    Type::UUID_ARRAY,
    Type::INT8_ARRAY,
];

/// The batch turned on its side: an array a column.
#[derive(Default)]
struct Columns<'a> {
    record: Vec<Uuid>,
    org: Vec<Uuid>,
    position: Vec<i64>,
    hash: Vec<&'a [u8]>,
    previous: Vec<&'a [u8]>,
    entry: Vec<&'a [u8]>,
    body: Vec<&'a [u8]>,
    event: Vec<&'a str>,
    key_scope: Vec<Uuid>,
    key: Vec<&'a str>,
    request_hash: Vec<&'a [u8]>,
    answer_status: Vec<i16>,
    response: Vec<&'a [u8]>,
    response_record: Vec<Option<Uuid>>,
    response_position: Vec<Option<i64>>,
    head_of: Vec<Uuid>,
    head_position: Vec<i64>,
    head_hash: Vec<&'a [u8]>,
}

impl<'a> Columns<'a> {
    fn of(written: &'a [Linked<'a>]) -> Self {
        let mut columns = Self::default();
        let mut newest: HashMap<Uuid, &Record> = HashMap::new();
        for Linked { item, extended, answer, .. } in written {
            let record = &extended.record;
            columns.record.push(record.id);
            columns.org.push(record.org_id);
            columns.position.push(record.head_position);
            columns.hash.push(as_slice(&record.head_hash));
            columns.previous.push(as_slice(&extended.previous));
            columns.entry.push(&extended.entry);
            columns.body.push(&item.body.0);
            columns.event.push(item.event);
            newest.insert(record.id, record);
            if let (Some(used), Some(answer)) = (&item.idempotency, answer) {
                columns.key_scope.push(used.scope);
                columns.key.push(&used.key);
                columns.request_hash.push(as_slice(&used.request_hash));
                columns.answer_status.push(i16::try_from(item.status).unwrap_or(i16::MAX));
                columns.response.push(&answer.bytes);
                columns.response_record.push(answer.entry.map(|entry| entry.0));
                columns.response_position.push(answer.entry.map(|entry| entry.1));
            }
        }
        for (id, record) in newest {
            columns.head_of.push(id);
            columns.head_position.push(record.head_position);
            columns.head_hash.push(as_slice(&record.head_hash));
        }
        columns
    }

    fn parameters(&self) -> [&(dyn ToSql + Sync); 18] {
        [
            &self.record,
            &self.org,
            &self.position,
            &self.hash,
            &self.previous,
            &self.entry,
            &self.body,
            &self.event,
            &self.key_scope,
            &self.key,
            &self.request_hash,
            &self.answer_status,
            &self.response,
            &self.head_of,
            &self.head_position,
            &self.head_hash,
            &self.response_record,
            &self.response_position,
        ]
    }
}
