//! Settlement signals: what verdicts tell whoever settles. They never move anything themselves.

use deed_chain::key::Thumbprint;
use tokio_postgres::Row;
use uuid::Uuid;

use super::chain::{ENTRY_COLUMNS, StoredEntry};
use crate::error::Error;
use crate::rows;
use crate::store::Store;

/// The signal of one verdict.
#[derive(Debug, Clone)]
pub struct SettlementSignal {
    /// `SETTLE`, `HOLD` or `RELEASE`.
    pub signal: String,
    /// RFC 9679 thumbprint of the key that signed the verdict.
    pub key_thumbprint: Thumbprint,
    /// The entry that holds the verdict.
    pub verdict: StoredEntry,
}

impl Store {
    /// The signals of a record, oldest first: as many as it had verdicts, which are few. The caller
    /// has made sure that the record may be read.
    ///
    /// # Errors
    /// [`Error::Damaged`] when a signal is not about the entry at its position; those of a read.
    pub async fn signals(&self, record: Uuid) -> Result<Vec<SettlementSignal>, Error> {
        let rows = self.db.read("signals", move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT v.*, s.signal, s.key_thumbprint, s.entry_hash
                     FROM settlement_signals s CROSS JOIN LATERAL (
                         SELECT {ENTRY_COLUMNS} FROM vault_entries
                         WHERE record_id = $1 AND position = s.position LIMIT 1) v
                     WHERE s.record_id = $1 ORDER BY s.position"
                );
                let statement = tx.client.prepare_cached(&sql).await?;
                Ok(tx.client.query(&statement, &[&record]).await?)
            })
        });
        rows.await?.iter().map(signal).collect()
    }
}

fn signal(row: &Row) -> Result<SettlementSignal, Error> {
    let verdict = StoredEntry::from_row(row)?;
    if rows::hash(row.get(8))? != verdict.hash {
        let (record, position) = (verdict.record_id, verdict.position);
        let what = format!("the signal of record {record} is not about its entry {position}");
        return Err(Error::Damaged(what));
    }
    let key_thumbprint = Thumbprint(rows::hash(row.get(7))?.0);
    Ok(SettlementSignal { signal: row.get(6), key_thumbprint, verdict })
}
