//! Types: versioned JSON Schemas of an organisation.

use chrono::{DateTime, Utc};
use deed_chain::hash::Hash;
pub use deed_lifecycle::VerdictMode;
use deed_notify::EventType;
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::error::Error;
use crate::events::{NewEvent, tell};
use crate::rows;
use crate::store::Store;
use crate::tx::Tx;

/// One version of a Type. Its schemas never change.
#[derive(Debug, Clone)]
pub struct RecordType {
    /// Organisation that registered it.
    pub org_id: Uuid,
    /// Name, unique in the organisation.
    pub name: String,
    /// Version from 1.
    pub version: i32,
    /// JSON Schema of the criteria, canonical JSON.
    pub record_schema: String,
    /// JSON Schema of the completion, canonical JSON; a Type without one is notarize-only.
    pub completion_schema: Option<String>,
    /// Who judges the completions of its records.
    pub verdict_mode: VerdictMode,
    /// Rules that judge, canonical JSON; there for every mode but `principal`.
    pub rules_config: Option<String>,
    /// SHA-256 of the canonical manifest.
    pub digest: Hash,
    /// For people.
    pub description: String,
    /// When this version was registered.
    pub created_at: DateTime<Utc>,
    /// Since when no new record may be made with it.
    pub disabled_at: Option<DateTime<Utc>>,
}

const COLUMNS: &str = "org_id, name, version, record_schema, completion_schema, verdict_mode, \
    rules_config, digest, description, created_at, disabled_at";

impl RecordType {
    fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            org_id: row.get(0),
            name: row.get(1),
            version: row.get(2),
            record_schema: row.get(3),
            completion_schema: row.get(4),
            verdict_mode: mode(row.get(5))?,
            rules_config: row.get(6),
            digest: rows::hash(row.get(7))?,
            description: row.get(8),
            created_at: row.get(9),
            disabled_at: row.get(10),
        })
    }
}

fn mode(name: &str) -> Result<VerdictMode, Error> {
    VerdictMode::parse(name).ok_or_else(|| Error::Damaged(format!("verdict mode {name:?}")))
}

impl Store {
    /// A Type's given version, or its newest.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of a read.
    pub async fn record_type(
        &self,
        org: Uuid,
        name: &str,
        version: Option<i32>,
    ) -> Result<RecordType, Error> {
        let name = name.to_owned();
        let row = self.db.read("record_type", move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {COLUMNS} FROM record_types WHERE org_id = $1 AND name = $2
                     AND ($3::int4 IS NULL OR version = $3) ORDER BY version DESC LIMIT 1"
                );
                let statement = tx.client.prepare_cached(&sql).await?;
                Ok(tx.client.query_opt(&statement, &[&org, &name, &version]).await?)
            })
        });
        RecordType::from_row(&row.await?.ok_or(Error::NotFound("Type"))?)
    }

    /// The newest version of each Type of an organisation whose name follows `after`, by name.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn record_types(
        &self,
        org: Uuid,
        after: &str,
        limit: i64,
    ) -> Result<Vec<RecordType>, Error> {
        let after = after.to_owned();
        let rows = self.db.read("record_types", move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT DISTINCT ON (name) {COLUMNS} FROM record_types
                     WHERE org_id = $1 AND name > $2 ORDER BY name, version DESC LIMIT $3"
                );
                Ok(tx.client.query(&sql, &[&org, &after, &limit]).await?)
            })
        });
        rows.await?.iter().map(RecordType::from_row).collect()
    }
}

/// Registers version 1 of a Type.
///
/// # Errors
/// [`Error::Conflict`] `type-exists` when the name is taken; [`Error::NotFound`] without the organisation.
pub async fn register(tx: Tx<'_>, new: &RecordType) -> Result<(), Error> {
    insert(tx, new).await.map_err(|e| {
        if e.is_unique_violation() {
            Error::conflict(
                "type-exists",
                format!("a Type named {} is registered already", new.name),
            )
        } else if e.is_foreign_key_violation() {
            Error::NotFound("organisation")
        } else {
            e
        }
    })
}

/// Registers the next version of a Type.
///
/// # Errors
/// [`Error::Conflict`] `type-version-race` when that version exists by now.
pub async fn register_version(tx: Tx<'_>, new: &RecordType) -> Result<(), Error> {
    insert(tx, new).await.map_err(|e| {
        if e.is_unique_violation() {
            Error::conflict("type-version-race", "another version was registered at the same time")
        } else {
            e
        }
    })
}

/// Disables every version of a Type: no new records. Existing ones are untouched.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn disable(tx: Tx<'_>, org: Uuid, name: &str, now: DateTime<Utc>) -> Result<(), Error> {
    let sql = "UPDATE record_types SET disabled_at = $3
               WHERE org_id = $1 AND name = $2 AND disabled_at IS NULL";
    if tx.client.execute(sql, &[&org, &name, &now]).await? > 0 {
        let data = json!({ "name": name });
        return tell(tx, &NewEvent::of(EventType::TypeDisabled, Some(org), data)).await;
    }
    let sql = "SELECT FROM record_types WHERE org_id = $1 AND name = $2 LIMIT 1";
    let known = tx.client.query_opt(sql, &[&org, &name]).await?;
    known.map(|_| ()).ok_or(Error::NotFound("Type"))
}

async fn insert(tx: Tx<'_>, new: &RecordType) -> Result<(), Error> {
    let sql =
        format!("INSERT INTO record_types ({COLUMNS}) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)");
    tx.client
        .execute(
            &sql,
            &[
                &new.org_id,
                &new.name,
                &new.version,
                &new.record_schema,
                &new.completion_schema,
                &new.verdict_mode.as_str(),
                &new.rules_config,
                &new.digest.0.as_slice(),
                &new.description,
                &new.created_at,
                &new.disabled_at,
            ],
        )
        .await?;
    let data = json!({
        "name": new.name,
        "version": new.version,
        "digest": new.digest.to_string(),
        "gated": new.completion_schema.is_some(),
    });
    tell(tx, &NewEvent::of(EventType::TypeRegistered, Some(new.org_id), data)).await
}
