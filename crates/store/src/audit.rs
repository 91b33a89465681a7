//! What an audit reads. It needs no signing key, and no right but to read.
//!
//! Each function is one statement, so that what it compares is of one moment: chains go on while they
//! are audited.

use deed_chain::hash::Hash;
use deed_chain::key_set::KeySet;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::config::StoreConfig;
use crate::error::Error;
use crate::installation::Installation;
use crate::records::StoredEntry;
use crate::records::chain::{ENTRY_COLUMNS, MOST_BYTES_IN_PAGE};
use crate::store::Store;
use crate::tx::Database;
use crate::{installation, pool, rows, store};

/// Reads a database for an audit. Cheap to clone.
#[derive(Clone)]
pub struct Reader {
    db: Database,
    installation: Installation,
}

/// A record and the end of its chain.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// The record.
    pub record: Uuid,
    /// Number of entries by the record's own columns.
    pub size: u64,
    /// Hash of the last entry by the record's own columns.
    pub hash: Hash,
    /// The same two by the vault; `None` when it has no entry.
    pub vault: Option<(u64, Hash)>,
    /// Size of its newest checkpoint that has a number up to the one asked for.
    pub anchored: u64,
}

/// A checkpoint, and the entry of the vault that it is about.
#[derive(Debug, Clone)]
pub struct StoredCheckpoint {
    /// The record.
    pub record: Uuid,
    /// Number of entries.
    pub size: u64,
    /// Hash of the last of them.
    pub head: Hash,
    /// COSE_Sign1 bytes.
    pub statement: Vec<u8>,
    /// Body in canonical form.
    pub body: Vec<u8>,
    /// Hash of the entry at that place of the vault.
    pub found: Option<Hash>,
}

/// What the database has of something that an anchor has.
#[derive(Debug, Clone)]
pub struct Counterpart {
    /// Hash of the entry at that place of the vault.
    pub entry: Option<Hash>,
    /// Number of entries of the chain.
    pub size: u64,
    /// Statement of the checkpoint.
    pub statement: Option<Vec<u8>>,
}

/// The last entry of each record is looked up on its own.
const HEADS: &str = "
SELECT r.id, r.head_position, r.head_hash, v.position, v.hash, coalesce(c.size, 0)
FROM (SELECT id, head_position, head_hash FROM records WHERE id > $1 ORDER BY id LIMIT $2) r
LEFT JOIN LATERAL (SELECT position, hash FROM vault_entries
    WHERE record_id = r.id ORDER BY position DESC LIMIT 1) v ON true
LEFT JOIN LATERAL (SELECT size FROM checkpoints
    WHERE record_id = r.id AND seq <= $3 ORDER BY size DESC LIMIT 1) c ON true
ORDER BY r.id";

const CHECKPOINTS: &str = "
SELECT c.record_id, c.size, c.head, c.statement, c.body, v.hash
FROM (SELECT * FROM checkpoints WHERE (record_id, size) > ($1, $2) AND record_id <= $3
    ORDER BY record_id, size LIMIT $4) c
LEFT JOIN LATERAL (SELECT hash FROM vault_entries
    WHERE record_id = c.record_id AND position = c.size - 1) v ON true
ORDER BY c.record_id, c.size";

const COUNTERPARTS: &str = "
SELECT v.hash, coalesce(e.position + 1, 0), c.statement
FROM unnest($1::uuid[], $2::int8[]) WITH ORDINALITY AS a(record_id, size, nth)
LEFT JOIN LATERAL (SELECT hash FROM vault_entries
    WHERE record_id = a.record_id AND position = a.size - 1) v ON true
LEFT JOIN LATERAL (SELECT position FROM vault_entries
    WHERE record_id = a.record_id ORDER BY position DESC LIMIT 1) e ON true
LEFT JOIN LATERAL (SELECT statement FROM checkpoints
    WHERE record_id = a.record_id AND size = a.size) c ON true
ORDER BY a.nth";

/// An entry that has a successor is found by it, the last one by its place.
const HANGING: &str = "
SELECT EXISTS (SELECT FROM vault_entries WHERE record_id = a.record_id AND previous = a.hash)
    OR (SELECT hash FROM vault_entries WHERE record_id = a.record_id
        ORDER BY position DESC LIMIT 1) = a.hash
FROM unnest($1::uuid[], $2::bytea[]) WITH ORDINALITY AS a(record_id, hash, nth) ORDER BY a.nth";

impl Reader {
    /// Connects to the database of the server `issuer`.
    ///
    /// # Errors
    /// Those of [`Store::connect`], but for the key.
    pub async fn connect(config: &StoreConfig, issuer: &str) -> Result<Self, Error> {
        let db = Database::new(pool::connect(config)?, config.transaction_deadline);
        let installation = store::identify(&db, issuer).await?;
        Ok(Self { db, installation })
    }

    /// Reads the database of a store.
    #[must_use]
    pub fn of(store: &Store) -> Self {
        Self { db: store.db.clone(), installation: store.installation().clone() }
    }

    /// The identity of the database.
    #[must_use]
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// Every public key that is registered.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn signing_keys(&self) -> Result<KeySet, Error> {
        installation::signing_keys(&self.db).await
    }

    /// About how many records there are after one: exact up to 10,000, else what PostgreSQL guesses.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn records_after(&self, after: Uuid) -> Result<u64, Error> {
        let few = "SELECT count(*) FROM (SELECT FROM records WHERE id > $1 LIMIT 10000) few";
        let guess = "SELECT greatest(0, coalesce(sum(reltuples), 0))::int8 FROM pg_inherits
            JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = 'records'::regclass";
        let read = self.db.read("audit_records", move |tx| {
            Box::pin(async move {
                let counted: i64 = tx.client.query_one(few, &[&after]).await?.get(0);
                if counted < 10_000 {
                    return Ok(counted);
                }
                Ok(tx.client.query_one(guess, &[]).await?.get::<_, i64>(0).max(counted))
            })
        });
        Ok(read.await?.unsigned_abs())
    }

    /// Records after one, in order. `anchored` is the number of the newest checkpoint that counts as
    /// anchored.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn heads(&self, after: Uuid, anchored: i64, limit: i64) -> Result<Vec<Head>, Error> {
        let rows = self.db.read("audit_heads", move |tx| {
            Box::pin(async move {
                let statement = tx.client.prepare_cached(HEADS).await?;
                Ok(tx.client.query(&statement, &[&after, &limit, &anchored]).await?)
            })
        });
        rows.await?.iter().map(head).collect()
    }

    /// Entries after a place up to the end of a record, in order: up to `limit`, and no more once
    /// they have [`MOST_BYTES_IN_PAGE`] together, but at least one.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn entries(
        &self,
        (record, position): (Uuid, i64),
        upto: Uuid,
        limit: i64,
    ) -> Result<Vec<StoredEntry>, Error> {
        let rows = self.db.read("audit_entries", move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {ENTRY_COLUMNS} FROM (
                        SELECT {ENTRY_COLUMNS},
                            sum(octet_length(body)) OVER (ORDER BY record_id, position)
                            - octet_length(body) AS bytes_before
                        FROM (SELECT {ENTRY_COLUMNS} FROM vault_entries
                            WHERE (record_id, position) > ($1, $2) AND record_id <= $3
                            ORDER BY record_id, position LIMIT $4) AS rows) AS page
                     WHERE bytes_before < {MOST_BYTES_IN_PAGE} ORDER BY record_id, position"
                );
                let statement = tx.client.prepare_cached(&sql).await?;
                Ok(tx.client.query(&statement, &[&record, &position, &upto, &limit]).await?)
            })
        });
        rows.await?.iter().map(StoredEntry::from_row).collect()
    }

    /// Checkpoints after a place up to the end of a record, in order.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn checkpoints(
        &self,
        (record, size): (Uuid, i64),
        upto: Uuid,
        limit: i64,
    ) -> Result<Vec<StoredCheckpoint>, Error> {
        let rows = self.db.read("audit_checkpoints", move |tx| {
            Box::pin(async move {
                let statement = tx.client.prepare_cached(CHECKPOINTS).await?;
                Ok(tx.client.query(&statement, &[&record, &size, &upto, &limit]).await?)
            })
        });
        rows.await?.iter().map(stored_checkpoint).collect()
    }

    /// Which of these records are there.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn known(&self, records: Vec<Uuid>) -> Result<Vec<Uuid>, Error> {
        let (least, greatest) = rows::span(&records);
        let rows = self.db.read("audit_known", move |tx| {
            Box::pin(async move {
                let sql = "SELECT id FROM records WHERE id = ANY($1) AND id >= $2 AND id <= $3";
                Ok(tx.client.query(sql, &[&records, &least, &greatest]).await?)
            })
        });
        Ok(rows.await?.iter().map(|row| row.get(0)).collect())
    }

    /// For each record and hash, whether the record has an entry with this hash.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn hanging(&self, entries: &[(Uuid, Hash)]) -> Result<Vec<bool>, Error> {
        let records: Vec<Uuid> = entries.iter().map(|entry| entry.0).collect();
        let hashes: Vec<Vec<u8>> = entries.iter().map(|entry| entry.1.0.to_vec()).collect();
        let rows = self.db.read("audit_hanging", move |tx| {
            Box::pin(async move {
                let statement = tx.client.prepare_cached(HANGING).await?;
                Ok(tx.client.query(&statement, &[&records, &hashes]).await?)
            })
        });
        Ok(rows.await?.iter().map(|row| row.get::<_, Option<bool>>(0) == Some(true)).collect())
    }

    /// What the database has of each record and size.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn counterparts(&self, all: &[(Uuid, u64)]) -> Result<Vec<Counterpart>, Error> {
        let records: Vec<Uuid> = all.iter().map(|one| one.0).collect();
        let sizes: Vec<i64> =
            all.iter().map(|one| i64::try_from(one.1).unwrap_or(i64::MAX)).collect();
        let rows = self.db.read("audit_counterparts", move |tx| {
            Box::pin(async move {
                let statement = tx.client.prepare_cached(COUNTERPARTS).await?;
                Ok(tx.client.query(&statement, &[&records, &sizes]).await?)
            })
        });
        let counterpart = |row: &Row| {
            Ok(Counterpart {
                entry: row.get::<_, Option<&[u8]>>(0).map(rows::hash).transpose()?,
                size: row.get::<_, i64>(1).unsigned_abs(),
                statement: row.get(2),
            })
        };
        rows.await?.iter().map(counterpart).collect()
    }

    /// How many checkpoints a batch of anchors has, and the number of the last one; `None` when there
    /// is no such batch.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn batch(&self, number: u64) -> Result<Option<(u64, i64)>, Error> {
        let sql = "SELECT (SELECT count(*) FROM checkpoints
                WHERE seq >= b.first_seq AND seq <= b.last_seq), b.last_seq
            FROM anchor_batches b WHERE number = $1";
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let row = self.db.read("audit_batch", move |tx| {
            Box::pin(async move { Ok(tx.client.query_opt(sql, &[&number]).await?) })
        });
        Ok(row.await?.map(|row| (row.get::<_, i64>(0).unsigned_abs(), row.get(1))))
    }

    /// Numbers of the objects that are known to be in an anchor, above one number and up to another, in
    /// order.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn anchored(
        &self,
        location: &str,
        after: u64,
        upto: u64,
        limit: i64,
    ) -> Result<Vec<u64>, Error> {
        let sql = "SELECT d.number FROM anchors a CROSS JOIN LATERAL (
                SELECT number FROM anchored WHERE anchor_id = a.id AND number > $2 AND number <= $3
                ORDER BY number LIMIT $4) d
            WHERE a.location = $1 ORDER BY d.number";
        let location = location.to_owned();
        let bound = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let (after, upto) = (bound(after), bound(upto));
        let rows = self.db.read("audit_anchored", move |tx| {
            Box::pin(
                async move { Ok(tx.client.query(sql, &[&location, &after, &upto, &limit]).await?) },
            )
        });
        Ok(rows.await?.iter().map(|row| row.get::<_, i64>(0).unsigned_abs()).collect())
    }

    /// Closes the connections; what is running finishes.
    pub fn close(&self) {
        self.db.close();
    }
}

fn head(row: &Row) -> Result<Head, Error> {
    let size = |position: i64| position.unsigned_abs() + 1;
    let vault = match (row.get::<_, Option<i64>>(3), row.get::<_, Option<&[u8]>>(4)) {
        (Some(position), Some(hash)) => Some((size(position), rows::hash(hash)?)),
        _ => None,
    };
    Ok(Head {
        record: row.get(0),
        size: size(row.get(1)),
        hash: rows::hash(row.get(2))?,
        vault,
        anchored: row.get::<_, i64>(5).unsigned_abs(),
    })
}

fn stored_checkpoint(row: &Row) -> Result<StoredCheckpoint, Error> {
    Ok(StoredCheckpoint {
        record: row.get(0),
        size: row.get::<_, i64>(1).unsigned_abs(),
        head: rows::hash(row.get(2))?,
        statement: row.get(3),
        body: row.get(4),
        found: row.get::<_, Option<&[u8]>>(5).map(rows::hash).transpose()?,
    })
}
