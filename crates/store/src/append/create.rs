//! New records: rows, first entries, references, events and idempotency keys in one statement.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, Utc};
use deed_chain::hash::Hash;
use deed_notify::EventType;
use futures::future::BoxFuture;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::{Appended, as_slice};
use crate::error::{Error, is_verdict};
use crate::idempotency::{Idempotency, replay};
use crate::records::Record;
use crate::response::Stored;
use crate::store::Store;
use crate::tx::{Lease, Tx, observe};

/// A record to create, with its signed first entry.
#[derive(Debug)]
pub struct NewRecord {
    /// The row; its head is the first entry.
    pub record: Record,
    /// Join keys.
    pub references: Vec<(String, String)>,
    /// `previous` of position 0: the genesis hash.
    pub previous: Hash,
    /// COSE_Sign1 bytes.
    pub entry: Vec<u8>,
    /// Body in canonical form.
    pub body: Vec<u8>,
    /// The event that the creation causes.
    pub event: EventType,
}

/// One request's records: all are written, or none.
#[derive(Debug)]
pub struct Create {
    /// At least one.
    records: Vec<NewRecord>,
    /// The request's key, if it came with one.
    pub(super) idempotency: Option<Idempotency>,
    /// HTTP status of the answer.
    status: u16,
    /// The answer that a retry with the same key gets, as it is stored.
    answer: Option<Stored>,
}

impl Create {
    /// One record whose answer is kept as its recipe (see [`crate::recipe`]).
    #[must_use]
    pub fn one(
        record: NewRecord,
        idempotency: Option<Idempotency>,
        status: u16,
        recipe: Vec<u8>,
    ) -> Self {
        let answer = idempotency.is_some().then(|| Stored::recipe(record.record.id, recipe));
        Self { records: vec![record], idempotency, status, answer }
    }

    /// `response` is what a retry with the same idempotency key will get; without a key it is
    /// not kept. `status` is its HTTP status.
    #[must_use]
    pub fn new(
        records: Vec<NewRecord>,
        idempotency: Option<Idempotency>,
        status: u16,
        response: &[u8],
    ) -> Self {
        let answer = idempotency.is_some().then(|| match records.as_slice() {
            [only] => Stored::about(only.record.id, 0, &only.entry, &only.body, response),
            _ => Stored::plain(response),
        });
        Self { records, idempotency, status, answer }
    }
}

/// One statement is one transaction: it is committed whole or not at all, in one round trip. An
/// idempotency key that is already there holds back its own records and nothing else. The transaction has
/// its id before it draws sequence numbers of events (`pg_current_xact_id`, asked once): the horizon of
/// their readers rests on it.
const CREATE: &str = "
WITH accepted AS (
    INSERT INTO idempotency_keys
        (scope, key, request_hash, status, response, record_id, position)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::int2[], $5::bytea[],
        $28::uuid[], $29::int8[])
    ON CONFLICT DO NOTHING
    RETURNING scope, key
), incoming AS MATERIALIZED (
    SELECT * FROM unnest(
        $6::uuid[], $7::text[], $8::uuid[], $9::uuid[], $10::text[], $11::int4[], $12::text[],
        $13::uuid[], $14::text[], $15::uuid[], $16::uuid[], $17::uuid[], $18::int2[],
        $19::timestamptz[], $20::bytea[], $21::bytea[], $22::bytea[], $23::bytea[], $24::text[]{arrays})
    AS r(scope, key, id, org_id, type_name, type_version, status, principal_agent_id,
         requested_by, created_by, parent_id, root_id, depth, created_at, hash, previous, entry,
         body, event{bounded})
    WHERE pg_current_xact_id() IS NOT NULL
    AND (key IS NULL OR (scope, key) IN (SELECT a.scope, a.key FROM accepted a))
), new_records AS (
    INSERT INTO records (id, org_id, type_name, type_version, status, principal_agent_id,
        requested_by, created_by, parent_id, root_id, depth, created_at, head_position, head_hash{bounded})
    SELECT id, org_id, type_name, type_version, status, principal_agent_id, requested_by,
        created_by, parent_id, root_id, depth, created_at, 0, hash{bounded} FROM incoming
), new_entries AS (
    INSERT INTO vault_entries (record_id, position, hash, previous, entry, body)
    SELECT id, 0, hash, previous, entry, body FROM incoming
){references}, new_events AS (
    INSERT INTO events (org_id, kind, record_id, position)
    SELECT org_id, event, id, 0 FROM incoming
)
SELECT scope, key FROM accepted";

/// Added when a record of the batch has references: most batches have none, and a statement pays
/// for every table that it names.
const REFERENCES: &str = ", new_references AS (
    INSERT INTO record_references (record_id, org_id, key, value)
    SELECT i.id, i.org_id, f.key, f.value
    FROM unnest($25::uuid[], $26::text[], $27::text[]) AS f(id, key, value)
    JOIN incoming i ON i.id = f.id
)";

/// Added when a record of the batch is under a gate, or has bounds that its children inherit.
const BOUNDED_ARRAYS: &str = ",
        $30::timestamptz[], $31::text[], $32::timestamptz[], $33::text[], $34::uuid[]";
const BOUNDED: &str = ", deadline, limits, due_at, verdict_mode, performer_agent_id";
/// How many of the parameters a batch without such a record has.
const UNBOUNDED: usize = 29;

/// [`CREATE`], with what this batch needs.
fn statement(with_references: bool, bounded: bool) -> &'static str {
    static ALL: LazyLock<[String; 4]> = LazyLock::new(|| {
        [(false, false), (true, false), (false, true), (true, true)].map(|(references, bounded)| {
            CREATE
                .replace("{references}", if references { REFERENCES } else { "" })
                .replace("{arrays}", if bounded { BOUNDED_ARRAYS } else { "" })
                .replace("{bounded}", if bounded { BOUNDED } else { "" })
        })
    });
    &ALL[usize::from(with_references) + 2 * usize::from(bounded)]
}

const TYPES: [Type; 34] = [
    Type::UUID_ARRAY,
    Type::TEXT_ARRAY,
    Type::BYTEA_ARRAY,
    Type::INT2_ARRAY,
    Type::BYTEA_ARRAY,
    Type::UUID_ARRAY,
    Type::TEXT_ARRAY,
    Type::UUID_ARRAY,
    Type::UUID_ARRAY,
    Type::TEXT_ARRAY,
    Type::INT4_ARRAY,
    Type::TEXT_ARRAY,
    Type::UUID_ARRAY,
    Type::TEXT_ARRAY,
    Type::UUID_ARRAY,
    Type::UUID_ARRAY,
    Type::UUID_ARRAY,
    Type::INT2_ARRAY,
    Type::TIMESTAMPTZ_ARRAY,
    Type::BYTEA_ARRAY,
    Type::BYTEA_ARRAY,
    Type::BYTEA_ARRAY,
    Type::BYTEA_ARRAY,
    Type::TEXT_ARRAY,
    Type::UUID_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::UUID_ARRAY,
    Type::INT8_ARRAY,
    // From here on: bounded batches only.
    Type::TIMESTAMPTZ_ARRAY,
    Type::TEXT_ARRAY,
    Type::TIMESTAMPTZ_ARRAY,
    Type::TEXT_ARRAY,
    Type::UUID_ARRAY,
];

type Results = Vec<Result<Appended<()>, Error>>;

pub(super) fn write<'a>(
    store: &'a Store,
    batch: &'a [Arc<Create>],
) -> BoxFuture<'a, Result<Results, Error>> {
    Box::pin(async move {
        let started = Instant::now();
        let result = write_batch(store, batch).await;
        observe("append_create", started, &result);
        result
    })
}

async fn write_batch(store: &Store, batch: &[Arc<Create>]) -> Result<Results, Error> {
    let lease = store.db.checkout().await?;
    let end = Instant::now() + store.db.deadline();
    let columns = Columns::of(batch);
    let sql = statement(!columns.reference_of.is_empty(), columns.bounded);
    let types = if columns.bounded { &TYPES[..] } else { &TYPES[..UNBOUNDED] };
    let Ok(statement) = timeout_at(end, lease.prepare_typed_cached(sql, types)).await else {
        return Err(Error::Unavailable("the database does not answer".to_owned()));
    };
    let parameters = columns.parameters();
    let rows = match timeout_at(end, lease.query(&statement?, &parameters)).await {
        Ok(Ok(rows)) => rows,
        // The statement commits by itself: without the server's own word it may have.
        Ok(Err(e)) if is_verdict(&e) => {
            let error = Error::from(e);
            if !error.spoils_connection() {
                lease.settle();
            }
            return Err(error);
        }
        Ok(Err(_)) | Err(_) => return Err(Error::OutcomeUnknown),
    };
    let accepted = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let mut results = Vec::with_capacity(batch.len());
    for item in batch {
        results.push(outcome(&lease, item, &accepted, end).await);
    }
    if !results.iter().any(|r| r.as_ref().is_err_and(Error::spoils_connection)) {
        lease.settle();
    }
    Ok(results)
}

/// Written, or held back because its key was there: then the answer of that time.
async fn outcome(
    lease: &Lease,
    item: &Create,
    accepted: &HashSet<(Uuid, &str)>,
    end: Instant,
) -> Result<Appended<()>, Error> {
    let Some(used) = &item.idempotency else { return Ok(Appended::Written(())) };
    if accepted.contains(&(used.scope, used.key.as_str())) {
        return Ok(Appended::Written(()));
    }
    match timeout_at(end, replay(Tx { client: lease }, used)).await {
        Ok(replayed) => replayed.map(Appended::Replayed),
        Err(_) => Err(Error::Unavailable("the database does not answer".to_owned())),
    }
}

/// In one order in every process: batches with keys in common then wait for one another instead of
/// running into a deadlock.
fn by_key(batch: &[Arc<Create>]) -> Vec<&Create> {
    let mut items: Vec<&Create> = batch.iter().map(Arc::as_ref).collect();
    items.sort_by_key(|item| item.idempotency.as_ref().map(|used| (used.scope, &used.key)));
    items
}

/// The batch turned on its side: an array a column.
#[derive(Default)]
struct Columns<'a> {
    key_scope: Vec<Uuid>,
    key: Vec<&'a str>,
    request_hash: Vec<&'a [u8]>,
    answer_status: Vec<i16>,
    response: Vec<&'a [u8]>,
    response_record: Vec<Option<Uuid>>,
    response_position: Vec<Option<i64>>,
    scope: Vec<Option<Uuid>>,
    scope_key: Vec<Option<&'a str>>,
    id: Vec<Uuid>,
    org: Vec<Uuid>,
    type_name: Vec<&'a str>,
    type_version: Vec<i32>,
    status: Vec<&'a str>,
    principal: Vec<Option<Uuid>>,
    requested_by: Vec<Option<&'a str>>,
    created_by: Vec<Uuid>,
    parent: Vec<Option<Uuid>>,
    root: Vec<Uuid>,
    depth: Vec<i16>,
    created_at: Vec<DateTime<Utc>>,
    hash: Vec<&'a [u8]>,
    previous: Vec<&'a [u8]>,
    entry: Vec<&'a [u8]>,
    body: Vec<&'a [u8]>,
    event: Vec<&'a str>,
    reference_of: Vec<Uuid>,
    reference_key: Vec<&'a str>,
    reference_value: Vec<&'a str>,
    /// Whether any record is under a gate or has bounds.
    bounded: bool,
    deadline: Vec<Option<DateTime<Utc>>>,
    limits: Vec<Option<&'a str>>,
    due_at: Vec<Option<DateTime<Utc>>>,
    verdict_mode: Vec<Option<&'a str>>,
    performer: Vec<Option<Uuid>>,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a [Arc<Create>]) -> Self {
        let mut columns = Self::default();
        for item in by_key(batch) {
            if let (Some(used), Some(answer)) = (&item.idempotency, &item.answer) {
                columns.key_scope.push(used.scope);
                columns.key.push(&used.key);
                columns.request_hash.push(as_slice(&used.request_hash));
                columns.answer_status.push(i16::try_from(item.status).unwrap_or(i16::MAX));
                columns.response.push(&answer.bytes);
                columns.response_record.push(answer.entry.map(|entry| entry.0));
                columns.response_position.push(answer.entry.map(|entry| entry.1));
            }
            for new in &item.records {
                columns.add(new, item.idempotency.as_ref());
            }
        }
        columns
    }

    fn add(&mut self, new: &'a NewRecord, used: Option<&'a Idempotency>) {
        let record = &new.record;
        self.scope.push(used.map(|u| u.scope));
        self.scope_key.push(used.map(|u| u.key.as_str()));
        self.id.push(record.id);
        self.org.push(record.org_id);
        self.type_name.push(&record.type_name);
        self.type_version.push(record.type_version);
        self.status.push(record.status.as_str());
        self.principal.push(record.principal_agent_id);
        self.requested_by.push(record.requested_by.as_deref());
        self.created_by.push(record.created_by);
        self.parent.push(record.parent_id);
        self.root.push(record.root_id);
        self.depth.push(record.depth);
        self.created_at.push(record.created_at);
        self.hash.push(as_slice(&record.head_hash));
        self.previous.push(as_slice(&new.previous));
        self.entry.push(&new.entry);
        self.body.push(&new.body);
        self.event.push(new.event.as_str());
        self.bounded |=
            record.work.is_some() || record.deadline.is_some() || record.limits.is_some();
        self.deadline.push(record.deadline);
        self.limits.push(record.limits.as_deref());
        self.due_at.push(record.due_at());
        self.verdict_mode.push(record.work.as_ref().map(|work| work.mode.as_str()));
        self.performer.push(record.work.as_ref().and_then(|work| work.performer_agent_id));
        for (key, value) in &new.references {
            self.reference_of.push(record.id);
            self.reference_key.push(key);
            self.reference_value.push(value);
        }
    }

    fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        let mut all: Vec<&(dyn ToSql + Sync)> = vec![
            &self.key_scope,
            &self.key,
            &self.request_hash,
            &self.answer_status,
            &self.response,
            &self.scope,
            &self.scope_key,
            &self.id,
            &self.org,
            &self.type_name,
            &self.type_version,
            &self.status,
            &self.principal,
            &self.requested_by,
            &self.created_by,
            &self.parent,
            &self.root,
            &self.depth,
            &self.created_at,
            &self.hash,
            &self.previous,
            &self.entry,
            &self.body,
            &self.event,
            &self.reference_of,
            &self.reference_key,
            &self.reference_value,
            &self.response_record,
            &self.response_position,
        ];
        if self.bounded {
            all.extend([&self.deadline as &(dyn ToSql + Sync), &self.limits, &self.due_at]);
            all.extend([&self.verdict_mode as &(dyn ToSql + Sync), &self.performer]);
        }
        all
    }
}
