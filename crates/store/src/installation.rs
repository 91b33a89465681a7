//! The identity of the database: genesis statement, issuer and the registry of signing keys.

use chrono::{DateTime, Utc};
use deed_chain::genesis::Genesis;
use deed_chain::hash::Hash;
use deed_chain::json;
use deed_chain::{KeySet, key::PublicKey};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::error::Error;
use crate::migrate::Migration;
use crate::random;
use crate::store::Store;
use crate::tx::Database;

/// The identity of a server, fixed at the first migration.
#[derive(Debug, Clone)]
pub struct Installation {
    /// Installation id, the subject of the genesis statement.
    pub id: Uuid,
    /// Issuer URL in every entry.
    pub issuer: String,
    /// The genesis statement: COSE_Sign1 bytes.
    pub genesis_entry: Vec<u8>,
    /// Its body in canonical form.
    pub genesis_body: Vec<u8>,
    /// Its entry hash: `previous` of every record's position 0.
    pub genesis_hash: Hash,
}

/// Writes the genesis statement at the first migration; afterwards compares the identity and
/// registers a signing key that is new. Gives whether genesis was written now.
pub(crate) async fn establish(client: &mut Client, run: &Migration<'_>) -> Result<bool, Error> {
    let found = client.query_opt("SELECT issuer FROM installation", &[]).await?;
    if let Some(row) = &found {
        let issuer: String = row.get(0);
        if issuer != run.issuer {
            return Err(Error::Unfit(format!(
                "this database belongs to the server {issuer}; ISSUER_URL says {}. One database \
                 serves one server: use another database, or set ISSUER_URL to {issuer}",
                run.issuer
            )));
        }
        register_key(client, run.signer.public(), run.now).await?;
        return Ok(false);
    }
    write_genesis(client, run).await?;
    Ok(true)
}

#[expect(clippy::disallowed_methods, reason = "migrations run outside the pool")]
async fn write_genesis(client: &mut Client, run: &Migration<'_>) -> Result<(), Error> {
    let id = random::uuid_v7(run.now);
    let genesis = Genesis {
        installation_id: id,
        issuer: run.issuer,
        key: run.signer.public(),
        issued_at: run.now.timestamp(),
        salt: &random::bytes(),
    };
    let (unsigned, body) = genesis
        .unsigned()
        .ok_or_else(|| Error::Unfit("the clock is outside the years 1970 to 9999".to_owned()))?;
    let entry = run.signer.complete(unsigned);
    let canonical = json::canonical(&body);
    let tx = client.transaction().await?;
    tx.execute(
        "INSERT INTO installation (id, issuer, genesis_entry, genesis_body, genesis_hash, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        &[&id, &run.issuer, &entry.as_bytes(), &canonical, &entry.hash().0.as_slice(), &run.now],
    )
    .await?;
    let key = run.signer.public();
    let (thumbprint, bytes) = (key.thumbprint(), key.as_bytes());
    tx.execute(INSERT_KEY, &[&thumbprint.0.as_slice(), &bytes.as_slice(), &run.now]).await?;
    tx.commit().await?;
    Ok(())
}

const INSERT_KEY: &str = "INSERT INTO signing_keys (thumbprint, public_key, not_before)
    VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";

async fn register_key(client: &Client, key: &PublicKey, now: DateTime<Utc>) -> Result<(), Error> {
    let (thumbprint, bytes) = (key.thumbprint(), key.as_bytes());
    client.execute(INSERT_KEY, &[&thumbprint.0.as_slice(), &bytes.as_slice(), &now]).await?;
    Ok(())
}

impl Installation {
    /// Reads the identity. [`Error::Unfit`] when the database was never migrated.
    pub(crate) async fn load(db: &Database) -> Result<Self, Error> {
        let read = db.read("installation", |tx| {
            Box::pin(async move {
                let sql = "SELECT id, issuer, genesis_entry, genesis_body, genesis_hash
                           FROM installation";
                Ok(tx.client.query_opt(sql, &[]).await?)
            })
        });
        let row = read.await?.ok_or_else(|| {
            Error::Unfit("the database has no installation yet: run `deed migrate`".to_owned())
        })?;
        Ok(Self {
            id: row.get(0),
            issuer: row.get(1),
            genesis_entry: row.get(2),
            genesis_body: row.get(3),
            genesis_hash: crate::rows::hash(row.get(4))?,
        })
    }
}

impl Store {
    /// Every public key that has ever signed here, retired ones too.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn signing_keys(&self) -> Result<KeySet, Error> {
        signing_keys(&self.db).await
    }
}

pub(crate) async fn signing_keys(db: &Database) -> Result<KeySet, Error> {
    let rows = db
        .read("signing_keys", |tx| {
            Box::pin(async move {
                let sql = "SELECT public_key FROM signing_keys ORDER BY not_before, thumbprint";
                Ok(tx.client.query(sql, &[]).await?)
            })
        })
        .await?;
    rows.iter().map(|row| crate::rows::public_key(row.get(0))).collect()
}
