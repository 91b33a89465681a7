//! What a superuser of the database does who has the signing key too. Afterwards the database verifies
//! by itself again.

use anyhow::{Context, Result};
use deed_chain::entry::{Claims, Link};
use deed_chain::{body, checkpoint::Checkpoint};
use deed_store::{Signer, random};
use tokio_postgres::Client;
use uuid::Uuid;

/// What is done to a record.
#[derive(Debug, Clone, Copy)]
pub(super) enum Forgery {
    /// Its entry is written anew and signed with the server's own key.
    Rewritten,
    /// Its last entry is cut off.
    Truncated,
    /// It is gone.
    Removed,
}

impl Forgery {
    pub(super) const ALL: [Self; 3] = [Self::Rewritten, Self::Truncated, Self::Removed];

    /// The finding that must name the record.
    pub(super) fn finding(self) -> &'static str {
        match self {
            Self::Rewritten => "different",
            Self::Truncated => "behind",
            Self::Removed => "removed",
        }
    }
}

/// Tables that a forgery changes.
const TABLES: [&str; 4] = ["records", "vault_entries", "checkpoints", "events"];

/// Does it to one record.
pub(super) async fn forge(
    sql: &Client,
    signer: &Signer,
    issuer: &str,
    record: Uuid,
    forgery: Forgery,
) -> Result<()> {
    sql.batch_execute("SET session_replication_role = replica").await?;
    for table in TABLES {
        let column = if table == "records" { "id" } else { "record_id" };
        let keep = format!(
            "CREATE TABLE kept_{table} AS SELECT * FROM {table} WHERE {column} = '{record}'"
        );
        sql.batch_execute(&keep).await?;
    }
    match forgery {
        Forgery::Rewritten => rewrite(sql, signer, issuer, record).await,
        Forgery::Truncated => Ok(sql
            .batch_execute(&format!(
                "DELETE FROM vault_entries WHERE record_id = '{record}' AND position > 0;
             DELETE FROM checkpoints WHERE record_id = '{record}' AND size > 1;
             UPDATE records SET head_position = 0, head_hash = (SELECT hash FROM vault_entries
                 WHERE record_id = '{record}' AND position = 0) WHERE id = '{record}'"
            ))
            .await?),
        Forgery::Removed => remove(sql, record).await,
    }
}

async fn remove(sql: &Client, record: Uuid) -> Result<()> {
    let all = format!(
        "DELETE FROM records WHERE id = '{record}'; DELETE FROM vault_entries WHERE record_id = '{record}';
         DELETE FROM checkpoints WHERE record_id = '{record}'; DELETE FROM events WHERE record_id = '{record}'"
    );
    Ok(sql.batch_execute(&all).await?)
}

/// One entry and one checkpoint in the place of all that the record has.
async fn rewrite(sql: &Client, signer: &Signer, issuer: &str, record: Uuid) -> Result<()> {
    let previous = sql.query_one("SELECT genesis_hash FROM installation", &[]).await?;
    let previous: &[u8] = previous.get(0);
    let previous = previous.try_into().context("the genesis hash")?;
    let body = body::salted("record.recorded", &random::bytes(), serde_json::Map::new());
    let (body, hash) = body::body_hash(&body);
    let link = Some(Link { position: 0, previous, epoch: 0 });
    let claims = Claims { issuer: issuer.to_owned(), subject: record, issued_at: 1, link };
    let entry = signer.sign(&claims, &hash);
    let head = entry.hash();
    let checkpoint = Checkpoint { record, size: 1, head };
    let (unsigned, said) = checkpoint.unsigned(issuer, signer.thumbprint(), 1, &random::bytes());
    let statement = signer.complete(unsigned).into_bytes();
    let (head, entry) = (head.0.as_slice(), entry.as_bytes());
    for (change, values) in [
        ("DELETE FROM vault_entries WHERE record_id = $1 AND position > 0", vec![]),
        ("DELETE FROM checkpoints WHERE record_id = $1 AND size > 1", vec![]),
        (
            "UPDATE vault_entries SET hash = $2::bytea, entry = $3, body = $4 WHERE record_id = $1",
            vec![head, entry, &body],
        ),
        (
            "UPDATE checkpoints SET head = $2::bytea, statement = $3, body = $4 WHERE record_id = $1",
            vec![head, &statement, &said],
        ),
        ("UPDATE records SET head_position = 0, head_hash = $2::bytea WHERE id = $1", vec![head]),
    ] {
        let mut all: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = vec![&record];
        all.extend(values.iter().map(|v| v as &(dyn tokio_postgres::types::ToSql + Sync)));
        sql.execute(change, &all).await.with_context(|| change.to_owned())?;
    }
    Ok(())
}

/// Puts back what was there.
pub(super) async fn undo(sql: &Client, record: Uuid) -> Result<()> {
    remove(sql, record).await?;
    for table in TABLES {
        let back = format!(
            "INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM kept_{table};
             DROP TABLE kept_{table}"
        );
        sql.batch_execute(&back).await?;
    }
    Ok(sql.batch_execute("RESET session_replication_role").await?)
}
