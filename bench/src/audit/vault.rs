//! A vault full of signed chains, written straight into the tables.

use anyhow::{Context, Result};
use chrono::DateTime;
use deed_chain::entry::{Claims, Link};
use deed_chain::{Hash, body};
use deed_store::{Signer, random};
use serde_json::{Map, Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

/// Entries of one statement.
const BATCH: usize = 5_000;
/// 2026-11-01T00:00:00Z: the ids are of that time, a second apart.
const START: i64 = 1_793_491_200;

const ENTRIES: &str = "
INSERT INTO vault_entries (record_id, position, hash, previous, entry, body)
SELECT * FROM unnest($1::uuid[], $2::int8[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bytea[])";

const RECORDS: &str = "
INSERT INTO records (id, org_id, type_name, type_version, status, created_by, root_id, depth,
    created_at, head_position, head_hash)
SELECT id, '00000000-0000-0000-0000-000000000001', 't', 1, 'RECORDED',
    '00000000-0000-0000-0000-000000000001', id, 0, now(), position, hash
FROM unnest($1::uuid[], $2::int8[], $3::bytea[]) AS r(id, position, hash)";

#[derive(Default)]
struct Columns {
    record: Vec<Uuid>,
    position: Vec<i64>,
    hash: Vec<Vec<u8>>,
    previous: Vec<Vec<u8>>,
    entry: Vec<Vec<u8>>,
    body: Vec<Vec<u8>>,
    heads: (Vec<Uuid>, Vec<i64>, Vec<Vec<u8>>),
}

/// Signs `chains` chains of `each` entries.
pub(super) async fn fill(sql: &Client, signer: &Signer, chains: usize, each: usize) -> Result<()> {
    let row = sql.query_one("SELECT issuer, genesis_hash FROM installation", &[]).await?;
    let issuer: String = row.get(0);
    let genesis = Hash::try_from(row.get::<_, &[u8]>(1))?;
    let mut columns = Columns::default();
    for chain in 0..chains {
        let seconds = START + i64::try_from(chain)?;
        let at = DateTime::from_timestamp(seconds, 0).context("a time")?;
        let record = random::uuid_v7(at);
        let mut previous = genesis;
        for position in 0..each {
            let (bytes, hash) = body::body_hash(&body_of(position));
            let link = Link { position: position as u64, previous, epoch: 0 };
            let (issuer, issued_at) = (issuer.clone(), seconds);
            let claims = Claims { issuer, subject: record, issued_at, link: Some(link) };
            let entry = signer.sign(&claims, &hash);
            columns.record.push(record);
            columns.position.push(i64::try_from(position)?);
            columns.previous.push(previous.0.to_vec());
            previous = entry.hash();
            columns.hash.push(previous.0.to_vec());
            columns.entry.push(entry.into_bytes());
            columns.body.push(bytes);
        }
        columns.heads.0.push(record);
        columns.heads.1.push(i64::try_from(each)? - 1);
        columns.heads.2.push(previous.0.to_vec());
        if columns.record.len() >= BATCH {
            write(sql, std::mem::take(&mut columns)).await?;
        }
    }
    write(sql, columns).await?;
    Ok(sql.batch_execute("VACUUM ANALYZE records, vault_entries").await?)
}

async fn write(sql: &Client, columns: Columns) -> Result<()> {
    let Columns { record, position, hash, previous, entry, body, heads } = columns;
    sql.execute(ENTRIES, &[&record, &position, &hash, &previous, &entry, &body]).await?;
    sql.execute(RECORDS, &[&heads.0, &heads.1, &heads.2]).await?;
    Ok(())
}

/// A body of about 600 bytes.
fn body_of(position: usize) -> Value {
    let mut fields = Map::new();
    fields.insert("criteria".to_owned(), json!({ "what": "x".repeat(480), "nth": position }));
    body::salted("record.recorded", &random::pooled(), fields)
}
