//! Vault checkpoints: which chains have advanced, and a signed statement for each.

use std::collections::BTreeSet;

use deed_chain::checkpoint::Checkpoint;
use uuid::Uuid;

use crate::error::Error;
use crate::events;
use crate::store::Store;
use crate::tx::Tx;
use crate::{random, rows};

/// Name among the consumers of the outbox, which tells what chains have advanced.
const CONSUMER: &str = "checkpoints";

const HEADS: &str = "
SELECT id, head_position, head_hash FROM records WHERE id = ANY($1) AND id >= $2 AND id <= $3";

const INSERT: &str = "
INSERT INTO checkpoints (record_id, size, head, statement, body)
SELECT * FROM unnest($1::uuid[], $2::int8[], $3::bytea[], $4::bytea[], $5::bytea[])
ON CONFLICT DO NOTHING";

impl Store {
    /// Signs a checkpoint of each chain that the next `limit` events tell of, in one transaction, and
    /// gives the number of events; 0 when all is done that can be done now. A chain that goes on while
    /// this runs has its newest state signed, and again by a later batch.
    ///
    /// Events are taken in their order, so no chain waits for ever, and never before all older ones
    /// are committed. A second sweep at the same time waits, and goes on where this one ends.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn sign_checkpoints(&self, limit: usize) -> Result<usize, Error> {
        let horizon = self.event_horizon().await?;
        let store = self.clone();
        let run = self.db.run_tx("sign_checkpoints", move |tx| {
            let store = store.clone();
            Box::pin(async move { batch(&store, tx, horizon, limit).await })
        });
        run.await
    }
}

/// Waits until nobody signs, and keeps others from it for the rest of the transaction.
pub(crate) async fn hold(tx: Tx<'_>) -> Result<(), Error> {
    events::claim(tx, CONSUMER).await?;
    Ok(())
}

async fn batch(store: &Store, tx: Tx<'_>, horizon: i64, limit: usize) -> Result<usize, Error> {
    let done = events::claim(tx, CONSUMER).await?;
    metrics::gauge!("deed_checkpoint_events_behind").set((horizon - done).max(0) as f64);
    if done >= horizon {
        return Ok(0);
    }
    let advanced = events::next(tx, done, horizon, limit).await?;
    // A last batch that is not full ends at the horizon, whatever numbers were never used.
    let full = advanced.len() == limit;
    let end = advanced.last().filter(|_| full).map_or(horizon, |row| row.seq);
    let records: BTreeSet<Uuid> = advanced.iter().filter_map(|row| row.record_id).collect();
    sign(store, tx, records.into_iter().collect()).await?;
    events::advance(tx, CONSUMER, end).await?;
    Ok(advanced.len().max(1))
}

async fn sign(store: &Store, tx: Tx<'_>, records: Vec<Uuid>) -> Result<(), Error> {
    let (least, greatest) = rows::span(&records);
    let heads = tx.client.query(HEADS, &[&records, &least, &greatest]).await?;
    let issued_at = store.clock().now().timestamp();
    let (mut ids, mut sizes, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    let (mut statements, mut bodies) = (Vec::new(), Vec::new());
    for row in &heads {
        let (record, position): (Uuid, i64) = (row.get(0), row.get(1));
        let head = rows::hash(row.get(2))?;
        let checkpoint = Checkpoint { record, size: position.unsigned_abs() + 1, head };
        let issuer = &store.installation().issuer;
        let signer = store.signer();
        let (unsigned, body) =
            checkpoint.unsigned(issuer, signer.thumbprint(), issued_at, &random::pooled());
        ids.push(record);
        sizes.push(position + 1);
        hashes.push(head.0.to_vec());
        statements.push(signer.complete(unsigned).into_bytes());
        bodies.push(body);
    }
    let signed = tx.client.execute(INSERT, &[&ids, &sizes, &hashes, &statements, &bodies]).await?;
    metrics::counter!("deed_checkpoints_signed_total").increment(signed);
    Ok(())
}
