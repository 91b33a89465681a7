//! From the outbox to the backlogs: each event once, to each webhook that wants it.

use std::collections::BTreeSet;

use deed_notify::Event;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{Format, WAKE};
use crate::error::Error;
use crate::events::{self, OutboxRow};
use crate::random;
use crate::store::Store;
use crate::tx::Tx;

/// Name of the reader of the outbox.
const CONSUMER: &str = "webhooks";
/// Sequence numbers that one batch goes through.
const BATCH: i64 = 256;

/// Events of organisations that have webhooks, and who wants them. Others are passed over in the index. A
/// webhook is not told about itself: what fails to reach it must not give it more to deliver.
const WANTED: &str = "
SELECT e.seq, e.org_id, e.kind, e.record_id, e.position, e.created_at, e.data, w.id, w.format
FROM events e CROSS JOIN LATERAL (
    SELECT id, format FROM webhooks
    WHERE org_id = e.org_id AND deleted_at IS NULL AND begins_at <= e.created_at
        AND (event_types[1] = '*' OR e.kind = ANY(event_types))
        AND e.data ->> 'webhookId' IS DISTINCT FROM id::text) w
WHERE e.seq > $1 AND e.seq <= $2 ORDER BY e.seq";

const INSERT: &str = "
INSERT INTO webhook_deliveries (id, webhook_id, seq, event_id, event_type, record_id, body)
SELECT d.* FROM unnest($1::uuid[], $2::uuid[], $3::int8[], $4::uuid[], $5::text[], $6::uuid[],
    $7::bytea[]) AS d(id, webhook_id, seq, event_id, event_type, record_id, body)
WHERE EXISTS (SELECT FROM webhooks WHERE webhooks.id = d.webhook_id AND deleted_at IS NULL)";

/// What a batch did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FannedOut {
    /// Deliveries that were added.
    pub added: u64,
    /// Whether there may be more events.
    pub more: bool,
}

/// Deliveries to add, an array a column.
#[derive(Default, Clone)]
struct Columns {
    id: Vec<Uuid>,
    webhook: Vec<Uuid>,
    seq: Vec<i64>,
    event: Vec<Uuid>,
    kind: Vec<String>,
    record: Vec<Option<Uuid>>,
    body: Vec<Vec<u8>>,
}

impl Store {
    /// Hands the next events out to the webhooks that want them.
    /// Any number of processes may do this at once: an event is handed out once, by the transaction that
    /// also notes how far it came.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn fan_out_webhooks(&self) -> Result<FannedOut, Error> {
        let done = self.webhooks_done().await?;
        let horizon = self.event_horizon().await?;
        if done >= horizon {
            return Ok(FannedOut { added: 0, more: false });
        }
        let (end, columns) = self.wanted(done, horizon).await?;
        let sql = format!("UPDATE webhook_endpoints SET {WAKE} WHERE webhook_id = $1");
        let run = self.db.run_tx("fan_out_webhooks", move |tx| {
            let (sql, columns) = (sql.clone(), columns.clone());
            Box::pin(async move {
                // Whoever was faster has handed these out.
                if events::claim(tx, CONSUMER).await? != done {
                    return Ok(0);
                }
                let added = hand_out(tx, &columns, &sql).await?;
                events::advance(tx, CONSUMER, end).await?;
                Ok(added)
            })
        });
        let added = run.await?;
        metrics::gauge!("deed_webhook_events_behind").set((horizon - end) as f64);
        Ok(FannedOut { added, more: end < horizon })
    }

    async fn webhooks_done(&self) -> Result<i64, Error> {
        let row = self.db.read("webhooks_done", |tx| {
            Box::pin(async move {
                let sql = "SELECT done FROM event_consumers WHERE name = $1";
                Ok(tx.client.query_one(sql, &[&CONSUMER]).await?)
            })
        });
        Ok(row.await?.get(0))
    }

    /// How far this batch goes, and what it adds.
    async fn wanted(&self, done: i64, horizon: i64) -> Result<(i64, Columns), Error> {
        let end = horizon.min(done + BATCH);
        let found = self.db.read("webhook_events", move |tx| {
            Box::pin(async move {
                // Without webhooks, every event is passed over at once. One that is made later does
                // not get what was complete before.
                let any = "SELECT EXISTS (SELECT FROM webhooks WHERE deleted_at IS NULL)";
                if !tx.client.query_one(any, &[]).await?.get::<_, bool>(0) {
                    return Ok(None);
                }
                let statement = tx.client.prepare_cached(WANTED).await?;
                Ok(Some(tx.client.query(&statement, &[&done, &end]).await?))
            })
        });
        match found.await? {
            None => Ok((horizon, Columns::default())),
            Some(rows) => Ok((end, self.columns(&rows).await?)),
        }
    }

    async fn columns(&self, rows: &[Row]) -> Result<Columns, Error> {
        // An event that several webhooks want is there several times, one after the other.
        let mut outbox: Vec<OutboxRow> = rows.iter().map(outbox_row).collect();
        outbox.dedup_by_key(|row| row.seq);
        let told = self.events_told(&outbox).await?;
        let source = &self.installation().issuer;
        let (now, mut columns, mut at) = (self.clock().now(), Columns::default(), 0);
        for row in rows {
            let seq: i64 = row.get(0);
            while outbox[at].seq != seq {
                at += 1;
            }
            let event = &told[at];
            let name: &str = row.get(8);
            let format = Format::parse(name)
                .ok_or_else(|| Error::Damaged(format!("a webhook has {name}")))?;
            columns.id.push(random::uuid_v7(now));
            columns.webhook.push(row.get(7));
            columns.seq.push(seq);
            columns.event.push(event.id);
            columns.kind.push(event.kind.clone());
            columns.record.push(event.record_id);
            columns.body.push(body(event, format, source));
        }
        Ok(columns)
    }
}

/// An event as it is posted.
pub(super) fn body(event: &Event, format: Format, source: &str) -> Vec<u8> {
    let value = match format {
        Format::Standard => event.plain(),
        Format::CloudEvents => event.cloud_event(source),
    };
    value.to_string().into_bytes()
}

fn outbox_row(row: &Row) -> OutboxRow {
    OutboxRow {
        seq: row.get(0),
        org_id: row.get(1),
        kind: row.get(2),
        record_id: row.get(3),
        position: row.get(4),
        created_at: row.get(5),
        data: row.get(6),
    }
}

async fn hand_out(tx: Tx<'_>, columns: &Columns, wake: &str) -> Result<u64, Error> {
    if columns.id.is_empty() {
        return Ok(0);
    }
    let statement = tx.client.prepare_cached(INSERT).await?;
    let parameters: [&(dyn ToSql + Sync); 7] = [
        &columns.id,
        &columns.webhook,
        &columns.seq,
        &columns.event,
        &columns.kind,
        &columns.record,
        &columns.body,
    ];
    let added = tx.client.execute(&statement, &parameters).await?;
    metrics::counter!("deed_webhook_deliveries_added_total").increment(added);
    // Last, and in one order: a worker that settles an endpoint waits for this transaction, and sees
    // then what it added.
    let statement = tx.client.prepare_cached(wake).await?;
    for webhook in columns.webhook.iter().collect::<BTreeSet<_>>() {
        tx.client.execute(&statement, &[webhook]).await?;
    }
    Ok(added)
}
