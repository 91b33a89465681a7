//! A batch turned on its side: an array a column.

use std::collections::HashMap;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::Linked;
use crate::append::as_slice;
use crate::records::Record;

/// The transaction has its id before it draws sequence numbers of events, as in `create.rs`.
const EXTEND: &str = "
WITH incoming AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int8[], $4::bytea[], $5::bytea[], $6::bytea[],
        $7::bytea[], $8::text[])
    AS e(record_id, org_id, position, hash, previous, entry, body, event)
    WHERE pg_current_xact_id() IS NOT NULL
){emitted}, new_entries AS (
    INSERT INTO vault_entries (record_id, position, hash, previous, entry, body)
    SELECT record_id, position, hash, previous, entry, body FROM incoming
), new_events AS (
    INSERT INTO events (org_id, kind, record_id, position)
    SELECT org_id, event, record_id, position FROM incoming{events}
), new_keys AS (
    INSERT INTO idempotency_keys
        (scope, key, request_hash, status, response, record_id, position)
    SELECT * FROM unnest($9::uuid[], $10::text[], $11::bytea[], $12::int2[], $13::bytea[],
        $17::uuid[], $18::int8[])
){signals}
UPDATE records SET head_position = h.position, head_hash = h.hash{set}
FROM unnest($14::uuid[], $15::int8[], $16::bytea[]{arrays}) AS h(id, position, hash{names})
WHERE records.id = h.id";

/// What a batch with a transition in it writes besides: most batches have none, and a statement
/// pays for every column that it names.
const EMITTED: &str = ", emitted AS MATERIALIZED (
    SELECT * FROM unnest($31::text[], $32::uuid[], $33::int8[]) AS s(signal, record_id, position)
    JOIN incoming USING (record_id, position)
)";
const SIGNAL_EVENTS: &str = "
    UNION ALL SELECT org_id, 'signal.emitted', record_id, position FROM emitted";
const SIGNALS: &str = ", new_signals AS (
    INSERT INTO settlement_signals
        (record_id, position, org_id, signal, entry_hash, key_thumbprint)
    SELECT record_id, position, org_id, signal, hash, $34 FROM emitted
)";
const SET: &str = ", status = h.status, performer_agent_id = h.performer,
    accessor_agent_id = h.accessor, deadline = h.deadline, limits = h.limits, due_at = h.due_at,
    revisions = h.revisions, criteria_position = h.criteria, completion_position = h.completion,
    verdict_position = h.verdict, evaluation_position = h.evaluation,
    dispute_position = h.dispute";
const ARRAYS: &str = ", $19::text[], $20::uuid[], $21::uuid[], $22::timestamptz[], $23::text[],
    $24::timestamptz[], $25::int2[], $26::int8[], $27::int8[], $28::int8[], $29::int8[],
    $30::int8[]";
const NAMES: &str = ", status, performer, accessor, deadline, limits, due_at, revisions, criteria,
    completion, verdict, evaluation, dispute";

static NOTES: LazyLock<String> = LazyLock::new(|| filled(["", "", "", "", "", ""]));
static TRANSITIONS: LazyLock<String> =
    LazyLock::new(|| filled([EMITTED, SIGNAL_EVENTS, SIGNALS, SET, ARRAYS, NAMES]));

fn filled(parts: [&str; 6]) -> String {
    let names = ["{emitted}", "{events}", "{signals}", "{set}", "{arrays}", "{names}"];
    names
        .into_iter()
        .zip(parts)
        .fold(EXTEND.to_owned(), |sql, (name, part)| sql.replace(name, part))
}

const TYPES: [Type; 34] = [
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
    // From here on: transitions only.
    Type::TEXT_ARRAY,
    Type::UUID_ARRAY,
    Type::UUID_ARRAY,
    Type::TIMESTAMPTZ_ARRAY,
    Type::TEXT_ARRAY,
    Type::TIMESTAMPTZ_ARRAY,
    Type::INT2_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::TEXT_ARRAY,
    Type::UUID_ARRAY,
    Type::INT8_ARRAY,
    Type::BYTEA,
];
/// How many of the parameters a batch without transitions has.
const OF_NOTES: usize = 18;

/// The entries, answers and rows of a batch.
#[derive(Default)]
pub(super) struct Columns<'a> {
    /// Whether any row changes in more than its head.
    moves: bool,
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
    row: Rows<'a>,
    signal: Vec<&'a str>,
    signal_record: Vec<Uuid>,
    signal_position: Vec<i64>,
    /// Of the key that signs the batch.
    thumbprint: &'a [u8],
}

/// The rows as they are after the batch, apart from their heads.
#[derive(Default)]
struct Rows<'a> {
    status: Vec<&'a str>,
    performer: Vec<Option<Uuid>>,
    accessor: Vec<Option<Uuid>>,
    deadline: Vec<Option<DateTime<Utc>>>,
    limits: Vec<Option<&'a str>>,
    due_at: Vec<Option<DateTime<Utc>>>,
    revisions: Vec<Option<i16>>,
    criteria: Vec<Option<i64>>,
    completion: Vec<Option<i64>>,
    verdict: Vec<Option<i64>>,
    evaluation: Vec<Option<i64>>,
    dispute: Vec<Option<i64>>,
}

impl<'a> Rows<'a> {
    fn add(&mut self, record: &'a Record) {
        let work = record.work.as_ref();
        self.status.push(record.status.as_str());
        self.performer.push(work.and_then(|w| w.performer_agent_id));
        self.accessor.push(work.and_then(|w| w.accessor_agent_id));
        self.deadline.push(record.deadline);
        self.limits.push(record.limits.as_deref());
        self.due_at.push(record.due_at());
        self.revisions.push(work.map(|w| w.revisions));
        self.criteria.push(work.map(|w| w.criteria_position));
        self.completion.push(work.and_then(|w| w.completion_position));
        self.verdict.push(work.and_then(|w| w.verdict_position));
        self.evaluation.push(work.and_then(|w| w.evaluation_position));
        self.dispute.push(work.and_then(|w| w.dispute_position));
    }
}

impl<'a> Columns<'a> {
    pub(super) fn of(written: &'a [Linked<'a>], thumbprint: &'a [u8]) -> Self {
        let moves = written.iter().any(|linked| linked.moves);
        let mut columns = Self { moves, thumbprint, ..Self::default() };
        let mut newest: HashMap<Uuid, &Record> = HashMap::new();
        for linked in written {
            newest.insert(linked.extended.record.id, &linked.extended.record);
            columns.add(linked);
        }
        for (id, record) in newest {
            columns.head_of.push(id);
            columns.head_position.push(record.head_position);
            columns.head_hash.push(as_slice(&record.head_hash));
            if columns.moves {
                columns.row.add(record);
            }
        }
        columns
    }

    fn add(&mut self, Linked { item, extended, event, signal, answer, .. }: &'a Linked<'a>) {
        let record = &extended.record;
        self.record.push(record.id);
        self.org.push(record.org_id);
        self.position.push(record.head_position);
        self.hash.push(as_slice(&record.head_hash));
        self.previous.push(as_slice(&extended.previous));
        self.entry.push(&extended.entry);
        self.body.push(&extended.body);
        self.event.push(event.as_str());
        if let Some(signal) = signal {
            self.signal.push(signal.as_str());
            self.signal_record.push(record.id);
            self.signal_position.push(record.head_position);
        }
        if let (Some(used), Some(answer)) = (&item.idempotency, answer) {
            self.key_scope.push(used.scope);
            self.key.push(&used.key);
            self.request_hash.push(as_slice(&used.request_hash));
            self.answer_status.push(i16::try_from(item.status).unwrap_or(i16::MAX));
            self.response.push(&answer.bytes);
            self.response_record.push(answer.entry.map(|entry| entry.0));
            self.response_position.push(answer.entry.map(|entry| entry.1));
        }
    }

    pub(super) fn sql(&self) -> &'static str {
        if self.moves { &TRANSITIONS } else { &NOTES }
    }

    pub(super) fn types(&self) -> &'static [Type] {
        if self.moves { &TYPES } else { &TYPES[..OF_NOTES] }
    }

    pub(super) fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        let mut all: Vec<&(dyn ToSql + Sync)> = vec![
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
        ];
        if self.moves {
            let row = &self.row;
            all.extend([&row.status as &(dyn ToSql + Sync), &row.performer, &row.accessor]);
            all.extend([&row.deadline as &(dyn ToSql + Sync), &row.limits, &row.due_at]);
            all.extend([&row.revisions as &(dyn ToSql + Sync), &row.criteria, &row.completion]);
            all.extend([&row.verdict as &(dyn ToSql + Sync), &row.evaluation, &row.dispute]);
            all.extend([&self.signal as &(dyn ToSql + Sync), &self.signal_record]);
            all.extend([&self.signal_position as &(dyn ToSql + Sync), &self.thumbprint]);
        }
        all
    }
}
