//! Events as others see them: what one says about a record is read from its row and its entry.

use std::collections::HashMap;
use std::pin::pin;

use deed_chain::hash::Hash;
use deed_notify::{Event, EventType, event_id};
use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::read::OutboxRow;
use crate::error::Error;
use crate::rows;
use crate::store::Store;
use crate::tx::Tx;

/// What never changes of a record, the entry's hash, its body if it is asked for, and the signal.
const SOURCES: &str = "
SELECT e.n, r.type_name, r.type_version, r.principal_agent_id, r.parent_id, r.requested_by,
    r.created_by, v.hash, v.body, s.signal, s.key_thumbprint
FROM unnest($1::int8[], $2::uuid[], $3::int8[], $4::bool[], $5::bool[])
    AS e(n, record_id, position, with_body, with_signal)
CROSS JOIN LATERAL (
    SELECT hash, CASE WHEN e.with_body THEN body END AS body FROM vault_entries
    WHERE record_id = e.record_id AND position = e.position) v
CROSS JOIN LATERAL (
    SELECT type_name, type_version, principal_agent_id, parent_id, requested_by, created_by
    FROM records WHERE id = e.record_id) r
LEFT JOIN LATERAL (
    SELECT signal, key_thumbprint FROM settlement_signals
    WHERE e.with_signal AND record_id = e.record_id AND position = e.position) s ON true";

/// The members of a transition's body that its event tells. What was agreed, handed in or noted is left
/// out: it may be large or private, and whoever may read it finds it by record and position.
#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct Said {
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    performer_agent_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accessor_agent_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_position: Option<i64>,
    #[serde(skip_serializing)]
    evaluation: Option<Judged>,
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    result: Option<String>,
}

#[derive(Deserialize)]
struct Judged {
    result: String,
}

impl Store {
    /// What others see of these events, in their order. An event whose record is not there (any more) says
    /// nothing but what lies beside it.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn events_told(&self, rows: &[OutboxRow]) -> Result<Vec<Event>, Error> {
        let asked = Asked::of(rows);
        let mut read = if asked.index.is_empty() {
            HashMap::new()
        } else {
            self.db.read("events_told", |tx| Box::pin(sources(tx, asked))).await?
        };
        let told = rows.iter().zip(0..).map(|(row, n)| Event {
            id: event_id(self.event_key(), row.seq),
            kind: row.kind.clone(),
            timestamp: row.created_at,
            org_id: row.org_id,
            record_id: row.record_id,
            position: row.position,
            data: match (&row.data, read.remove(&n)) {
                (Some(data), _) => data.clone(),
                (None, Some(data)) => Value::Object(data),
                (None, None) => json!({}),
            },
        });
        Ok(told.collect())
    }
}

/// Which records and entries are wanted, an array a column.
#[derive(Default)]
struct Asked {
    kinds: Vec<Option<EventType>>,
    index: Vec<i64>,
    record: Vec<Uuid>,
    position: Vec<i64>,
    body: Vec<bool>,
    signal: Vec<bool>,
}

impl Asked {
    fn of(rows: &[OutboxRow]) -> Self {
        let mut asked = Self::default();
        for (row, n) in rows.iter().zip(0..) {
            let event = EventType::parse(&row.kind);
            asked.kinds.push(event);
            let (None, Some((record, position))) = (&row.data, row.record_id.zip(row.position))
            else {
                continue;
            };
            asked.index.push(n);
            asked.record.push(record);
            asked.position.push(position);
            // Of what is written most, the row says enough.
            asked.body.push(!matches!(
                event,
                Some(
                    EventType::RecordRecorded
                        | EventType::RecordCreated
                        | EventType::RecordNoteAdded
                        | EventType::SignalEmitted
                )
            ));
            asked.signal.push(event == Some(EventType::SignalEmitted));
        }
        asked
    }
}

/// Reads row by row: of bodies that may be large, one is in memory at a time.
async fn sources(tx: Tx<'_>, asked: Asked) -> Result<HashMap<i64, Map<String, Value>>, Error> {
    let statement = tx.client.prepare_cached(SOURCES).await?;
    let parameters: [&(dyn ToSql + Sync); 5] =
        [&asked.index, &asked.record, &asked.position, &asked.body, &asked.signal];
    let mut rows = pin!(tx.client.query_raw(&statement, parameters).await?);
    let mut read = HashMap::with_capacity(asked.index.len());
    while let Some(row) = rows.try_next().await? {
        let n: i64 = row.get(0);
        let kind = usize::try_from(n).ok().and_then(|n| asked.kinds.get(n).copied().flatten());
        read.insert(n, data(&row, kind)?);
    }
    Ok(read)
}

fn data(row: &Row, kind: Option<EventType>) -> Result<Map<String, Value>, Error> {
    let body: Option<&[u8]> = row.get(8);
    let mut data = body.map(said).unwrap_or_default();
    let mut set = |name: &str, value: Value| {
        if !value.is_null() {
            data.insert(name.to_owned(), value);
        }
    };
    set("type", row.get::<_, String>(1).into());
    set("typeVersion", row.get::<_, i32>(2).into());
    set("principalAgentId", json!(row.get::<_, Option<Uuid>>(3)));
    set("parentRecordId", json!(row.get::<_, Option<Uuid>>(4)));
    if matches!(kind, Some(EventType::RecordRecorded | EventType::RecordCreated)) {
        set("requestedBy", json!(row.get::<_, Option<&str>>(5)));
        set("createdBy", json!(row.get::<_, Uuid>(6)));
    }
    set("entryHash", rows::hash(row.get(7))?.to_string().into());
    set("signal", json!(row.get::<_, Option<&str>>(9)));
    let thumbprint = row.get::<_, Option<&[u8]>>(10).map(rows::hash).transpose()?;
    set("keyThumbprint", json!(thumbprint.map(|hash: Hash| hash.to_string())));
    Ok(data)
}

/// What the body says. One that was erased, or is of a newer version's form, says nothing.
fn said(body: &[u8]) -> Map<String, Value> {
    let mut said: Said = serde_json::from_slice(body).unwrap_or_default();
    said.result = said.evaluation.take().map(|evaluation| evaluation.result);
    match serde_json::to_value(said) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}
