//! Vault checkpoints: each chain that advanced, none skipped, each one verifiable.

use deed_chain::entry::Entry;
use deed_chain::{json, sha256};
use deed_store::Store;
use deed_store::append::Appender;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::support::{connect, count, create, database, extend, new_record, signer, state, store};

/// What a sweep does, and the one after it, which signs what the first one found.
async fn two_sweeps(store: &Store) {
    for _ in 0..2 {
        while store.sign_checkpoints(2).await.unwrap() > 0 {}
    }
}

/// Sweeps until every event is done. A horizon is settled when the transactions of the whole server
/// have ended that ran when it was taken, those of other tests among them.
pub(crate) async fn all_signed(store: &Store, client: &Client) {
    let behind = "SELECT (SELECT max(seq) FROM events) - done FROM event_consumers, pg_sleep(0.02)
        WHERE name = 'checkpoints'";
    while count(client, behind).await > 0 {
        two_sweeps(store).await;
    }
}

async fn sizes(client: &Client, record: Uuid) -> Vec<i64> {
    let sql = "SELECT size FROM checkpoints WHERE record_id = $1 ORDER BY size";
    client.query(sql, &[&record]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn every_chain_that_advanced_is_signed_once_a_state() {
    let database = database().await;
    let store = store(&database).await;
    let client = connect(&database.urls().superuser).await;
    let appender = Appender::start(&store, 16);
    let org = Uuid::new_v4();
    let records: Vec<_> = (0..5).map(|_| new_record(&store, org)).collect();
    let ids: Vec<Uuid> = records.iter().map(|new| new.record.id).collect();
    appender.create(create(records, None)).await.unwrap();
    all_signed(&store, &client).await;
    for id in &ids {
        assert_eq!(sizes(&client, *id).await, [1]);
    }
    appender.extend(extend(ids[3], org, None)).await.unwrap();
    all_signed(&store, &client).await;
    two_sweeps(&store).await;
    assert_eq!(sizes(&client, ids[3]).await, [1, 2]);
    assert_eq!(count(&client, "SELECT count(*) FROM checkpoints").await, 6);

    let sql = "SELECT c.statement, c.body, c.size, v.hash FROM checkpoints c
        JOIN vault_entries v ON v.record_id = c.record_id AND v.position = c.size - 1
        WHERE c.record_id = $1 AND c.size = 2 AND c.head = v.hash";
    let row = client.query_one(sql, &[&ids[3]]).await.unwrap();
    let statement = Entry::from_bytes(row.get(0)).decode().unwrap();
    let body: &[u8] = row.get(1);
    statement.verify(signer().public()).unwrap();
    assert_eq!(statement.body_hash, sha256(body));
    assert_eq!((statement.claims.subject, statement.claims.link), (ids[3], None));
    let said = json::parse(body, 8).unwrap();
    assert_eq!(said["checkpoint"]["size"], row.get::<_, i64>(2));
    assert_eq!(said["checkpoint"]["recordId"], ids[3].to_string());
}

#[tokio::test]
async fn an_event_that_is_committed_late_is_not_passed_over() {
    let database = database().await;
    let store = store(&database).await;
    let client = connect(&database.urls().superuser).await;
    let late = connect(&database.urls().superuser).await;
    let appender = Appender::start(&store, 16);
    let org = Uuid::new_v4();
    two_sweeps(&store).await;
    // The first record's transaction is open with a lower sequence number than the second one's.
    let (first, second) = (new_record(&store, org), new_record(&store, org));
    let ids = (first.record.id, second.record.id);
    late.batch_execute("BEGIN").await.unwrap();
    let sql = "INSERT INTO events (org_id, kind, record_id, position) VALUES ($1, 'k', $2, 0)";
    late.execute(sql, &[&org, &ids.0]).await.unwrap();
    let insert = "INSERT INTO records (id, org_id, type_name, type_version, status, created_by,
        root_id, depth, created_at, head_position, head_hash)
        VALUES ($1, $2, 't', 1, 'RECORDED', $2, $1, 0, now(), 0, $3::bytea)";
    let head = first.record.head_hash.0.as_slice();
    late.execute(insert, &[&ids.0, &org, &head]).await.unwrap();
    appender.create(create(vec![second], None)).await.unwrap();
    two_sweeps(&store).await;
    assert_eq!(sizes(&client, ids.1).await, [] as [i64; 0], "not before the older one is there");
    late.batch_execute("COMMIT").await.unwrap();
    all_signed(&store, &client).await;
    assert_eq!((sizes(&client, ids.0).await, sizes(&client, ids.1).await), (vec![1], vec![1]));
}

#[tokio::test]
async fn two_sweeps_at_once_sign_nothing_twice() {
    let database = database().await;
    let store = store(&database).await;
    let client = connect(&database.urls().superuser).await;
    let appender = Appender::start(&store, 16);
    let records = (0..20).map(|_| new_record(&store, Uuid::nil())).collect();
    appender.create(create(records, None)).await.unwrap();
    futures::join!(
        all_signed(&store, &client),
        two_sweeps(&store),
        two_sweeps(&store),
        all_signed(&store, &client)
    );
    assert_eq!(count(&client, "SELECT count(*) FROM checkpoints").await, 20);
}

#[tokio::test]
async fn a_checkpoint_is_never_changed() {
    let database = database().await;
    let owner = connect(&database.urls().owner).await;
    for sql in
        ["UPDATE checkpoints SET size = 9", "DELETE FROM checkpoints", "TRUNCATE checkpoints"]
    {
        assert_eq!(state(owner.batch_execute(sql).await), "23001", "{sql}");
    }
    let app = connect(&database.urls().app).await;
    assert_eq!(state(app.batch_execute("DELETE FROM checkpoints").await), "42501");
}
