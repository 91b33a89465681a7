//! What is not kept for ever: settled deliveries, those that could not be delivered for too long, and
//! webhooks that were deleted.

use tokio_postgres::types::ToSql;

use crate::error::Error;
use crate::store::Store;

const EXPIRE: &str = "
UPDATE webhook_deliveries SET state = 'dead', next_at = NULL,
    last_error = coalesce(last_error, 'the endpoint could not be delivered to for too long')
WHERE id IN (SELECT id FROM webhook_deliveries WHERE state = 'pending'
    AND id < uuid_floor(now() - make_interval(days => $1)) ORDER BY id LIMIT $2
    FOR UPDATE SKIP LOCKED)";

const SETTLED: &str = "
DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM webhook_deliveries
    WHERE state <> 'pending' AND id < uuid_floor(now() - make_interval(days => $1))
    ORDER BY id LIMIT $2) AND state <> 'pending'";

const OF_DELETED: &str = "
DELETE FROM webhook_deliveries WHERE id IN (SELECT d.id FROM webhooks w CROSS JOIN LATERAL (
    SELECT id FROM webhook_deliveries WHERE webhook_id = w.id LIMIT $1) d
    WHERE w.deleted_at IS NOT NULL LIMIT $1)";

/// Only those that a worker has let go of, and that have nothing left.
const DELETED: &str = "
WITH gone AS (
    DELETE FROM webhook_endpoints WHERE webhook_id IN (SELECT w.id FROM webhooks w
        WHERE w.deleted_at IS NOT NULL AND w.deleted_at < now() - interval '1 hour'
        AND NOT EXISTS (SELECT FROM webhook_deliveries WHERE webhook_id = w.id) LIMIT $1)
    AND NOT leased RETURNING webhook_id)
SELECT webhook_id FROM gone";

impl Store {
    /// Gives up at most `limit` deliveries that have been pending for more than `days`.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn expire_webhook_deliveries(&self, days: i32, limit: usize) -> Result<usize, Error> {
        self.swept("expire_webhook_deliveries", EXPIRE, Some(days), limit).await
    }

    /// Removes at most `limit` delivered or dead deliveries that were added more than `days` ago.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn sweep_webhook_deliveries(&self, days: i32, limit: usize) -> Result<usize, Error> {
        self.swept("sweep_webhook_deliveries", SETTLED, Some(days), limit).await
    }

    /// Removes at most `limit` deliveries of webhooks that were deleted.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn sweep_deleted_webhooks(&self, limit: usize) -> Result<usize, Error> {
        self.swept("sweep_deleted_webhooks", OF_DELETED, None, limit).await
    }

    /// Removes at most `limit` deleted webhooks that have no deliveries left.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn remove_deleted_webhooks(&self, limit: usize) -> Result<usize, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let run = self.db.run_tx("remove_deleted_webhooks", move |tx| {
            Box::pin(async move {
                let rows = tx.client.query(DELETED, &[&limit]).await?;
                let gone: Vec<uuid::Uuid> = rows.iter().map(|row| row.get(0)).collect();
                tx.client.execute("DELETE FROM webhooks WHERE id = ANY($1)", &[&gone]).await?;
                Ok(gone.len())
            })
        });
        run.await
    }

    async fn swept(
        &self,
        name: &'static str,
        sql: &'static str,
        days: Option<i32>,
        limit: usize,
    ) -> Result<usize, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let run = self.db.run_tx(name, move |tx| {
            Box::pin(async move {
                let done = match &days {
                    Some(days) => {
                        let parameters: [&(dyn ToSql + Sync); 2] = [days, &limit];
                        tx.client.execute(sql, &parameters).await?
                    }
                    None => tx.client.execute(sql, &[&limit]).await?,
                };
                Ok(usize::try_from(done).unwrap_or(usize::MAX))
            })
        });
        run.await
    }
}
