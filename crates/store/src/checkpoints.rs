//! Vault checkpoints: which chains have advanced, and a signed statement for each.

use std::collections::BTreeSet;

use deed_chain::checkpoint::Checkpoint;
use uuid::Uuid;

use crate::error::Error;
use crate::store::Store;
use crate::tx::Tx;
use crate::{random, rows};

/// Whoever holds the row signs; a second sweep waits here and goes on where the first one ended.
const PROGRESS: &str = "
SELECT done, horizon, settled <= pg_snapshot_xmin(pg_current_snapshot())
FROM checkpoint_progress FOR UPDATE";

/// The newest event that is there, and the transactions that must end before all older ones are.
const NEW_HORIZON: &str = "
UPDATE checkpoint_progress SET settled = pg_snapshot_xmax(pg_current_snapshot()),
    horizon = greatest(horizon, (SELECT coalesce(max(seq), 0) FROM events))";

const ADVANCED: &str = "
SELECT seq, record_id FROM events WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3";

const HEADS: &str = "SELECT id, head_position, head_hash FROM records WHERE id = ANY($1)";

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
    /// are committed: what is there now is done by the call after the next 0.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn sign_checkpoints(&self, limit: usize) -> Result<usize, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let store = self.clone();
        let run = self.db.run_tx("sign_checkpoints", move |tx| {
            let store = store.clone();
            Box::pin(async move { batch(&store, tx, limit).await })
        });
        run.await
    }
}

/// Waits until nobody signs, and keeps others from it for the rest of the transaction.
pub(crate) async fn hold(tx: Tx<'_>) -> Result<(), Error> {
    tx.client.query_one(PROGRESS, &[]).await?;
    Ok(())
}

async fn batch(store: &Store, tx: Tx<'_>, limit: i64) -> Result<usize, Error> {
    let row = tx.client.query_one(PROGRESS, &[]).await?;
    let (done, horizon, settled): (i64, i64, bool) = (row.get(0), row.get(1), row.get(2));
    metrics::gauge!("deed_checkpoint_events_behind").set((horizon - done) as f64);
    if done == horizon {
        tx.client.execute(NEW_HORIZON, &[]).await?;
        return Ok(0);
    }
    if !settled {
        return Ok(0);
    }
    let advanced = tx.client.query(ADVANCED, &[&done, &horizon, &limit]).await?;
    // A last batch that is not full ends at the horizon, whatever numbers were never used.
    let full = i64::try_from(advanced.len()).is_ok_and(|found| found == limit);
    let end = advanced.last().filter(|_| full).map_or(horizon, |row| row.get(0));
    let records: BTreeSet<Uuid> = advanced.iter().filter_map(|row| row.get(1)).collect();
    sign(store, tx, records.into_iter().collect()).await?;
    tx.client.execute("UPDATE checkpoint_progress SET done = $1", &[&end]).await?;
    Ok(advanced.len().max(1))
}

async fn sign(store: &Store, tx: Tx<'_>, records: Vec<Uuid>) -> Result<(), Error> {
    let heads = tx.client.query(HEADS, &[&records]).await?;
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
