//! What somebody does who owns the database and the signing key: chains verify by themselves again,
//! only the anchors show it.

use deed_chain::checkpoint::Checkpoint;
use deed_chain::hash::Hash;
use uuid::Uuid;

use crate::world::World;

fn bytes(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("'\\x{hex}'::bytea")
}

/// Puts one entry and one checkpoint in the place of all that a record has.
fn written_anew(world: &World, record: Uuid) -> String {
    let genesis = world.store.installation().genesis_hash;
    let (entry, body) = world.entry(record, 0, genesis);
    let head = entry.hash();
    let (statement, said) = world.checkpoint(Checkpoint { record, size: 1, head });
    let (hash, entry, body) = (bytes(&head.0), bytes(entry.as_bytes()), bytes(&body));
    let (statement, said) = (bytes(&statement), bytes(&said));
    format!(
        "UPDATE vault_entries SET hash = {hash}, entry = {entry}, body = {body}
             WHERE record_id = '{record}' AND position = 0;
         UPDATE checkpoints SET head = {hash}, statement = {statement}, body = {said}
             WHERE record_id = '{record}' AND size = 1;
         UPDATE records SET head_hash = {hash} WHERE id = '{record}'"
    )
}

#[tokio::test]
async fn a_record_that_was_written_anew_with_the_servers_own_key() {
    let (world, records) = World::new(5).await;
    world.anchor().await;
    world.assert_intact(true).await;
    world.tamper(&written_anew(&world, records[2])).await;
    world.assert_intact(false).await;
    assert_eq!(world.faults(true).await, [("different", Some(records[2]))]);
}

#[tokio::test]
async fn a_tail_that_was_cut_off() {
    let (world, records) = World::new(5).await;
    world.anchor().await;
    world.append(records[1]).await;
    world.append(records[1]).await;
    world.anchor().await;
    world.assert_intact(true).await;
    let id = records[1];
    let cut = format!(
        "DELETE FROM vault_entries WHERE record_id = '{id}' AND position > 0;
         DELETE FROM checkpoints WHERE record_id = '{id}' AND size > 1;
         UPDATE records SET head_position = 0, head_hash = (SELECT hash FROM vault_entries
             WHERE record_id = '{id}' AND position = 0) WHERE id = '{id}'"
    );
    world.tamper(&cut).await;
    world.assert_intact(false).await;
    let faults = world.faults(true).await;
    assert!(faults.contains(&("behind", Some(id))), "{faults:?}");
    assert!(faults.iter().all(|(_, record)| record.is_none_or(|one| one == id)), "{faults:?}");
}

#[tokio::test]
async fn a_record_that_was_removed() {
    let (world, records) = World::new(5).await;
    world.anchor().await;
    let id = records[4];
    let remove = format!(
        "DELETE FROM records WHERE id = '{id}'; DELETE FROM vault_entries WHERE record_id = '{id}';
         DELETE FROM checkpoints WHERE record_id = '{id}'; DELETE FROM events WHERE record_id = '{id}'"
    );
    world.tamper(&remove).await;
    world.assert_intact(false).await;
    assert_eq!(world.faults(true).await, [("removed", Some(id))]);
}

#[tokio::test]
async fn all_traces_of_the_anchoring_removed_with_the_record() {
    let (world, records) = World::new(2).await;
    world.anchor().await;
    let id = records[0];
    let remove = format!(
        "DELETE FROM records WHERE id = '{id}'; DELETE FROM vault_entries WHERE record_id = '{id}';
         DELETE FROM checkpoints; DELETE FROM anchored; DELETE FROM anchor_batches; DELETE FROM anchors"
    );
    world.tamper(&remove).await;
    world.assert_intact(false).await;
    let faults = world.faults(true).await;
    assert!(faults.contains(&("removed", Some(id))), "{faults:?}");
    assert!(faults.contains(&("checkpoint-lost", Some(records[1]))), "{faults:?}");
}

#[tokio::test]
async fn every_damage_to_the_database_alone_is_named_with_its_record() {
    let (world, records) = World::new(2).await;
    world.append(records[0]).await;
    world.anchor().await;
    let id = records[0];
    let of = |table: &str, change: &str| match table {
        "records" => format!("UPDATE records SET {change} WHERE id = '{id}'"),
        _ => format!("UPDATE {table} SET {change} WHERE record_id = '{id}'"),
    };
    let other = bytes(&Hash([7; 32]).0);
    for (damage, kind) in [
        (of("vault_entries", "body = body || ' '::bytea"), "body-hash-mismatch"),
        (of("vault_entries", "entry = set_byte(entry, 200, 1)"), "statement-malformed"),
        (
            of("vault_entries", "entry = set_byte(entry, octet_length(entry) - 9, 1)"),
            "signature-invalid",
        ),
        (of("records", "head_position = 0"), "head-columns"),
        (of("records", &format!("head_hash = {other}")), "head-columns"),
        (of("checkpoints", "size = size + 7"), "checkpoint-columns"),
        (of("checkpoints", &format!("head = {other}")), "checkpoint-columns"),
        (of("checkpoints", "body = body || ' '::bytea"), "body-hash-mismatch"),
        (
            format!("DELETE FROM vault_entries WHERE record_id = '{id}' AND position = 0"),
            "position-sequence",
        ),
        (format!("DELETE FROM vault_entries WHERE record_id = '{id}' AND position = 1"), "behind"),
        (format!("DELETE FROM vault_entries WHERE record_id = '{id}'"), "chain-missing"),
        (format!("DELETE FROM records WHERE id = '{id}'"), "record-missing"),
    ] {
        // What is done is undone for the next one.
        keep(&world).await;
        world.tamper(&damage).await;
        let faults = world.faults(false).await;
        assert!(faults.contains(&(kind, Some(id))), "{damage}: {faults:?}");
        let elsewhere = |(_, record): &(_, Option<Uuid>)| *record != Some(id);
        assert!(!faults.iter().any(elsewhere), "{damage}: {faults:?}");
        restore(&world).await;
        world.assert_intact(true).await;
    }
}

const TABLES: [&str; 3] = ["records", "vault_entries", "checkpoints"];

async fn keep(world: &World) {
    for table in TABLES {
        let sql = format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}");
        world.tamper(&sql).await;
    }
}

async fn restore(world: &World) {
    for table in TABLES {
        let sql = format!(
            "DELETE FROM {table}; INSERT INTO {table} OVERRIDING SYSTEM VALUE
                 SELECT * FROM kept_{table}; DROP TABLE kept_{table}"
        );
        world.tamper(&sql).await;
    }
}
