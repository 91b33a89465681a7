//! Entries of one chain, and the records of one delegation tree.

use deed_chain::hash::Hash;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{COLUMNS, Record};
use crate::error::Error;
use crate::rows;
use crate::store::Store;

/// Most records that a tree is read or exported with.
pub const MOST_IN_TREE: usize = 1_000;

/// Bytes of bodies after which a page of entries ends.
pub const MOST_BYTES_IN_PAGE: i64 = 4 << 20;

/// One entry as it lies in the vault.
#[derive(Debug, Clone)]
pub struct StoredEntry {
    /// Its record.
    pub record_id: Uuid,
    /// Position from 0.
    pub position: i64,
    /// Entry hash.
    pub hash: Hash,
    /// Hash of the entry before, or of the genesis statement.
    pub previous: Hash,
    /// COSE_Sign1 bytes.
    pub entry: Vec<u8>,
    /// Body in canonical form.
    pub body: Vec<u8>,
}

impl StoredEntry {
    pub(crate) fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            record_id: row.get(0),
            position: row.get(1),
            hash: rows::hash(row.get(2))?,
            previous: rows::hash(row.get(3))?,
            entry: row.get(4),
            body: row.get(5),
        })
    }
}

pub(crate) const ENTRY_COLUMNS: &str = "record_id, position, hash, previous, entry, body";

impl Store {
    /// Entries of one record after a position, in order: up to `limit` of them, and no more once
    /// they have [`MOST_BYTES_IN_PAGE`] together, but at least one. The caller has made sure that
    /// the record may be read.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn entries(
        &self,
        record: Uuid,
        after: i64,
        limit: i64,
    ) -> Result<Vec<StoredEntry>, Error> {
        let rows = self.db.read("entries", move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {ENTRY_COLUMNS} FROM (
                        SELECT {ENTRY_COLUMNS}, sum(octet_length(body)) OVER (ORDER BY position)
                            - octet_length(body) AS bytes_before
                        FROM vault_entries WHERE record_id = $1 AND position > $2
                        ORDER BY position LIMIT $3) AS page
                     WHERE bytes_before < {MOST_BYTES_IN_PAGE} ORDER BY position"
                );
                let statement = tx.client.prepare_cached(&sql).await?;
                Ok(tx.client.query(&statement, &[&record, &after, &limit]).await?)
            })
        });
        rows.await?.iter().map(StoredEntry::from_row).collect()
    }

    /// Bytes of all statements and bodies of these records.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn chain_bytes(&self, records: &[Uuid]) -> Result<i64, Error> {
        let (least, greatest) = rows::span(records);
        let records = records.to_vec();
        self.db
            .read("chain_bytes", move |tx| {
                Box::pin(async move {
                    let sql =
                        "SELECT coalesce(sum(octet_length(entry) + octet_length(body)), 0)::int8
                               FROM vault_entries WHERE record_id = ANY($1)
                               AND record_id >= $2 AND record_id <= $3";
                    Ok(tx.client.query_one(sql, &[&records, &least, &greatest]).await?.get(0))
                })
            })
            .await
    }

    /// The first entry of each of these records.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn first_entries(&self, records: &[Uuid]) -> Result<Vec<StoredEntry>, Error> {
        let (least, greatest) = rows::span(records);
        let records = records.to_vec();
        let rows = self.db.read("first_entries", move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {ENTRY_COLUMNS} FROM vault_entries
                     WHERE record_id = ANY($1) AND position = 0
                     AND record_id >= $2 AND record_id <= $3"
                );
                let statement = tx.client.prepare_cached(&sql).await?;
                Ok(tx.client.query(&statement, &[&records, &least, &greatest]).await?)
            })
        });
        rows.await?.iter().map(StoredEntry::from_row).collect()
    }

    /// A record and everything delegated below it, parents before children, of one organisation.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] `tree-too-large` beyond [`MOST_IN_TREE`].
    pub async fn tree(&self, root: Uuid, org: Option<Uuid>) -> Result<Vec<Record>, Error> {
        let limit = i64::try_from(MOST_IN_TREE + 1).unwrap_or(i64::MAX);
        let rows = self.db.read("tree", move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "WITH RECURSIVE below AS (
                        SELECT {COLUMNS} FROM records
                        WHERE id = $1 AND ($2::uuid IS NULL OR org_id = $2)
                        UNION ALL
                        SELECT {} FROM records c JOIN below b ON c.parent_id = b.id
                        WHERE c.org_id = b.org_id)
                     SELECT * FROM below LIMIT $3",
                    COLUMNS.split(", ").map(|c| format!("c.{c}")).collect::<Vec<_>>().join(", ")
                );
                let statement = tx.client.prepare_cached(&sql).await?;
                Ok(tx.client.query(&statement, &[&root, &org, &limit]).await?)
            })
        });
        let rows = rows.await?;
        if rows.is_empty() {
            return Err(Error::NotFound("record"));
        }
        if rows.len() > MOST_IN_TREE {
            return Err(Error::conflict(
                "tree-too-large",
                format!("the tree has more than {MOST_IN_TREE} records"),
            ));
        }
        let mut records = rows.iter().map(Record::from_row).collect::<Result<Vec<_>, _>>()?;
        records.sort_by_key(|record| (record.depth, record.id));
        Ok(records)
    }
}
