//! Settlement signals: what verdicts tell whoever settles. They never move anything themselves.

use chrono::{DateTime, Utc};
use deed_chain::hash::Hash;
use deed_chain::key::Thumbprint;
use uuid::Uuid;

use crate::error::Error;
use crate::rows;
use crate::store::Store;

/// The signal of one verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettlementSignal {
    /// The record.
    pub record_id: Uuid,
    /// Position of the entry that holds the verdict.
    pub position: i64,
    /// `SETTLE`, `HOLD` or `RELEASE`.
    pub signal: String,
    /// Hash of that entry.
    pub entry_hash: Hash,
    /// RFC 9679 thumbprint of the key that signed it.
    pub key_thumbprint: Thumbprint,
    /// When it was emitted, by the database's clock.
    pub created_at: DateTime<Utc>,
}

impl Store {
    /// The signals of a record, oldest first: as many as it had verdicts, which are few.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn signals(&self, record: Uuid) -> Result<Vec<SettlementSignal>, Error> {
        let rows = self.db.read("signals", move |tx| {
            Box::pin(async move {
                let sql =
                    "SELECT record_id, position, signal, entry_hash, key_thumbprint, created_at
                    FROM settlement_signals WHERE record_id = $1 ORDER BY position";
                let statement = tx.client.prepare_cached(sql).await?;
                Ok(tx.client.query(&statement, &[&record]).await?)
            })
        });
        let signal = |row: &tokio_postgres::Row| {
            Ok(SettlementSignal {
                record_id: row.get(0),
                position: row.get(1),
                signal: row.get(2),
                entry_hash: rows::hash(row.get(3))?,
                key_thumbprint: Thumbprint(rows::hash(row.get(4))?.0),
                created_at: row.get(5),
            })
        };
        rows.await?.iter().map(signal).collect()
    }
}
