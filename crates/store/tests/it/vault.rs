//! What is in the vault stays as it is, whoever asks.

use deed_store::append::Appender;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::support::{connect, count, create, database, extend, new_record, state, store};

/// Insufficient privilege: the role has no such right.
const NO_RIGHT: &str = "42501";
/// Restrict violation: a trigger stops whoever has the right.
const REFUSED: &str = "23001";

/// The append-only tables, every partition of them.
async fn tables(client: &Client) -> Vec<String> {
    let sql = "SELECT 'vault_entries' UNION ALL SELECT 'settlement_signals'
        UNION ALL SELECT 'installation'
        UNION ALL SELECT inhrelid::regclass::text FROM pg_inherits
        WHERE inhparent IN ('vault_entries'::regclass, 'settlement_signals'::regclass)";
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// Statements that change a table, also when no row matches.
fn changes(table: &str) -> [String; 6] {
    let column = match table {
        "installation" => "issuer",
        signals if signals.starts_with("settlement_signals") => "signal",
        _ => "body",
    };
    [
        format!("UPDATE {table} SET {column} = {column}"),
        format!("UPDATE {table} SET {column} = {column} WHERE false"),
        format!("DELETE FROM {table}"),
        format!("DELETE FROM {table} WHERE false"),
        format!("TRUNCATE {table}"),
        format!("TRUNCATE {table} CASCADE"),
    ]
}

/// A database with one record of two entries.
async fn filled() -> (deed_testkit::TestDatabase, Uuid) {
    let database = database().await;
    let store = store(&database).await;
    let appender = Appender::start(&store, 16);
    let org = Uuid::from_u128(1);
    let new = new_record(&store, org);
    let id = new.record.id;
    appender.create(create(vec![new], None)).await.unwrap();
    appender.extend(extend(id, org, None)).await.unwrap();
    (database, id)
}

async fn fingerprint(client: &Client) -> String {
    let sql = "SELECT md5(string_agg(v::text, '' ORDER BY record_id, position)) ||
        (SELECT md5(i::text) FROM installation i) FROM vault_entries v";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn neither_the_application_nor_the_owner_changes_the_vault() {
    let (database, _) = filled().await;
    let owner = connect(&database.urls().owner).await;
    let app = connect(&database.urls().app).await;
    // New partitions are guarded like the first ones.
    let made = count(&app, "SELECT ensure_partitions(15)::int8").await;
    assert_eq!(made, 21, "three months more of seven tables");
    let before = fingerprint(&owner).await;
    let tables = tables(&owner).await;
    assert!(tables.len() >= 37, "{tables:?}");
    for table in &tables {
        for sql in changes(table) {
            assert_eq!(state(app.batch_execute(&sql).await), NO_RIGHT, "as the application: {sql}");
            assert_eq!(state(owner.batch_execute(&sql).await), REFUSED, "as the owner: {sql}");
        }
    }
    assert_eq!(fingerprint(&owner).await, before);
    assert_eq!(count(&owner, "SELECT count(*) FROM vault_entries").await, 2);
}

#[tokio::test]
async fn an_entry_is_not_replaced_by_the_back_door_either() {
    let (database, id) = filled().await;
    let owner = connect(&database.urls().owner).await;
    let app = connect(&database.urls().app).await;
    let upsert = format!(
        "INSERT INTO vault_entries SELECT record_id, position, hash, previous, entry, body
         FROM vault_entries WHERE record_id = '{id}'
         ON CONFLICT (record_id, position) DO UPDATE SET body = ''"
    );
    let merge = "MERGE INTO vault_entries v USING (SELECT) s ON true
                 WHEN MATCHED THEN UPDATE SET body = ''";
    for sql in [upsert.as_str(), merge] {
        assert_eq!(state(app.batch_execute(sql).await), NO_RIGHT, "{sql}");
        assert_eq!(state(owner.batch_execute(sql).await), REFUSED, "{sql}");
    }
    for sql in [
        "DROP TABLE vault_entries",
        "ALTER TABLE vault_entries DISABLE TRIGGER ALL",
        "ALTER TABLE vault_entries DETACH PARTITION vault_entries_default",
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN RETURN NULL; END'",
        "CREATE TABLE mine (n int)",
        "SET ROLE deed_owner",
        "SET session_replication_role = replica",
        "SELECT make_append_only('events')",
        "DO 'BEGIN LOCK TABLE vault_entries IN ACCESS EXCLUSIVE MODE; END'",
        "COPY vault_entries FROM PROGRAM 'echo'",
    ] {
        assert_eq!(state(app.batch_execute(sql).await), NO_RIGHT, "{sql}");
    }
}

#[tokio::test]
async fn a_chain_has_one_entry_a_position_and_one_successor_a_hash() {
    let (database, id) = filled().await;
    let app = connect(&database.urls().app).await;
    let copy = |position: &str, hash: &str, previous: &str| {
        format!(
            "INSERT INTO vault_entries SELECT record_id, {position}, {hash}, {previous}, entry, body
             FROM vault_entries WHERE record_id = '{id}' AND position = 1"
        )
    };
    let other = "decode(repeat('ab', 32), 'hex')";
    for (sql, expected) in [
        (copy("1", other, other), "23505"),
        (copy("2", other, "previous"), "23505"),
        (copy("-1", other, other), "23514"),
        (copy("2", "'short'", other), "23514"),
        (copy("2", other, "'short'"), "23514"),
    ] {
        assert_eq!(state(app.batch_execute(&sql).await), expected, "{sql}");
    }
}

#[tokio::test]
async fn a_signing_key_is_only_ever_retired() {
    let database = database().await;
    let owner = connect(&database.urls().owner).await;
    let app = connect(&database.urls().app).await;
    let altered = [
        "UPDATE signing_keys SET thumbprint = decode(repeat('ab', 32), 'hex')",
        "UPDATE signing_keys SET public_key = decode(repeat('ab', 32), 'hex')",
        "UPDATE signing_keys SET not_before = not_before - interval '1 day'",
        "DELETE FROM signing_keys",
        "TRUNCATE signing_keys",
    ];
    for sql in altered {
        assert_eq!(state(app.batch_execute(sql).await), NO_RIGHT, "{sql}");
        assert_eq!(state(owner.batch_execute(sql).await), REFUSED, "{sql}");
    }
    let retire = "UPDATE signing_keys SET status = 'retired', not_after = now()";
    assert_eq!(state(app.batch_execute(retire).await), NO_RIGHT);
    owner.batch_execute(retire).await.unwrap();
    let again = "UPDATE signing_keys SET status = 'active'";
    assert_eq!(state(owner.batch_execute(again).await), REFUSED);
}
