//! A database that goes away: what was refused, what is unknown, and how a retry settles it.

use std::time::Duration;

use deed_store::Error;
use deed_store::append::{Appended, Appender};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::support::{
    config, connect, count, create, database, extend, new_record, once, store, store_with,
};

const ORG: Uuid = Uuid::from_u128(1);

/// Holds the idempotency key `k` in a transaction of its own.
async fn hold_key(client: &Client) {
    let sql = format!(
        "BEGIN; INSERT INTO idempotency_keys (scope, key, request_hash, status, response)
         VALUES ('{ORG}', 'k', decode(repeat('00', 32), 'hex'), 201, '')"
    );
    client.batch_execute(&sql).await.unwrap();
}

/// Returns when a backend of the store waits for a lock; gives its process id.
async fn waiting(watcher: &Client) -> i32 {
    let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()
        AND wait_event_type = 'Lock' AND application_name = 'deed-store-test'";
    loop {
        if let Some(row) = watcher.query_opt(sql, &[]).await.unwrap() {
            return row.get(0);
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_deadline_during_the_commit_leaves_the_outcome_unknown_and_a_retry_settles_it() {
    let database = database().await;
    let mut brief = config(&database.urls().app);
    brief.transaction_deadline = Duration::from_secs(2);
    let slow = store_with(&brief).await;
    let holder = connect(&database.urls().superuser).await;
    let watcher = connect(&database.urls().superuser).await;
    let appender = Appender::start(&slow, 16);
    // The connection and the statement are ready: the deadline covers only the write.
    appender.create(create(vec![new_record(&slow, ORG)], None)).await.unwrap();
    hold_key(&holder).await;
    let item = create(vec![new_record(&slow, ORG)], Some(once(ORG, "k", "request")));
    let unknown = appender.create(item).await;
    assert!(matches!(unknown, Err(Error::OutcomeUnknown)), "{unknown:?}");
    // The server goes on with what was sent, as it may after any lost connection.
    holder.batch_execute("ROLLBACK").await.unwrap();
    let running = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND application_name = 'deed-store-test' AND state = 'active'";
    while count(&watcher, running).await > 0 {
        tokio::task::yield_now().await;
    }
    let patient = Appender::start(&store(&database).await, 16);
    let item = create(vec![new_record(&slow, ORG)], Some(once(ORG, "k", "request")));
    patient.create(item).await.unwrap();
    assert_eq!(count(&watcher, "SELECT count(*) FROM records").await, 2, "one for the key");
}

#[tokio::test]
async fn a_connection_lost_in_the_middle_is_unknown_for_creates_and_notes() {
    let database = database().await;
    let store = store(&database).await;
    let appender = Appender::start(&store, 16);
    let new = new_record(&store, ORG);
    let id = new.record.id;
    appender.create(create(vec![new], None)).await.unwrap();
    let watcher = connect(&database.urls().superuser).await;
    let kill = async {
        let pid = waiting(&watcher).await;
        watcher.execute("SELECT pg_terminate_backend($1)", &[&pid]).await.unwrap();
    };
    let holder = connect(&database.urls().superuser).await;
    hold_key(&holder).await;
    let item = create(vec![new_record(&store, ORG)], Some(once(ORG, "k", "request")));
    let (lost, ()) = tokio::join!(appender.create(item), kill);
    assert!(matches!(lost, Err(Error::OutcomeUnknown)), "{lost:?}");

    let kill = async {
        let pid = waiting(&watcher).await;
        watcher.execute("SELECT pg_terminate_backend($1)", &[&pid]).await.unwrap();
    };
    let note = appender.extend(extend(id, ORG, Some(once(ORG, "k", "note"))));
    let (lost, ()) = tokio::join!(note, kill);
    assert!(matches!(lost, Err(Error::OutcomeUnknown)), "{lost:?}");

    // Nothing is lost but the connection: the next requests have a fresh one.
    holder.batch_execute("ROLLBACK").await.unwrap();
    let note = appender.extend(extend(id, ORG, Some(once(ORG, "k", "note")))).await;
    assert!(matches!(note, Ok(Appended::Written(position)) if position == b"1"));
    assert_eq!(count(&watcher, "SELECT count(*) FROM vault_entries").await, 2);
}

#[tokio::test]
async fn without_a_database_requests_are_refused_and_nothing_is_promised() {
    let database = database().await;
    let store = store(&database).await;
    let appender = Appender::start(&store, 16);
    store.close();
    let refused = appender.create(create(vec![new_record(&store, ORG)], None)).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    let refused = appender.extend(extend(Uuid::nil(), ORG, None)).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    assert!(matches!(store.health().await, Err(Error::Unavailable(_))));
}
