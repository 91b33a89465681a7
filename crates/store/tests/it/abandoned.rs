//! Requests whose client goes away in the middle, and callers that plant objects of their own.

use std::sync::Arc;

use deed_store::append::Appender;
use deed_store::idempotency::{Answer, Mutated};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::support::{config, connect, count, create, database, new_record, once, store_with};

const ORG: Uuid = Uuid::from_u128(1);

#[tokio::test]
async fn a_request_dropped_inside_its_transaction_leaves_nothing_open_for_the_next_one() {
    let database = database().await;
    let mut single = config(&database.urls().app);
    single.pool_size = 1;
    let store = store_with(&single).await;
    let inside = Arc::new(Notify::new());
    let signal = Arc::clone(&inside);
    let abandoned = store.mutate("test", Some(once(ORG, "k", "request")), move |_| {
        let signal = Arc::clone(&signal);
        Box::pin(async move {
            signal.notify_one();
            std::future::pending().await
        })
    });
    tokio::select! {
        biased;
        _ = abandoned => unreachable!("it waits for ever"),
        () = inside.notified() => {}
    }
    // The dropped transaction held the pool's only connection.
    let appender = Appender::start(&store, 16);
    let new = new_record(&store, ORG);
    appender.create(create(vec![new], None)).await.unwrap();
    let other = connect(&database.urls().superuser).await;
    assert_eq!(count(&other, "SELECT count(*) FROM records").await, 1, "it is committed");
    assert_eq!(count(&other, "SELECT count(*) FROM idempotency_keys").await, 0, "and only it");
    let again = store.mutate("test", Some(once(ORG, "k", "request")), |_| {
        Box::pin(async { Ok(Answer { status: 200, body: b"{}".to_vec(), sealed: None }) })
    });
    assert!(matches!(again.await, Ok(Mutated::Done(_))), "the key is free");
}

#[tokio::test]
async fn the_application_role_cannot_stand_in_for_a_type_of_the_owners_function() {
    let database = database().await;
    let superuser = connect(&database.urls().superuser).await;
    // A cloned database has PUBLIC's default rights again: here the fixed search path alone counts.
    let allow = format!("GRANT TEMPORARY ON DATABASE \"{}\" TO PUBLIC", database.name());
    superuser.batch_execute(&allow).await.unwrap();
    let app = connect(&database.urls().app).await;
    let plant = "
        CREATE TEMPORARY TABLE caught (who text);
        GRANT INSERT ON caught TO PUBLIC;
        CREATE FUNCTION pg_temp.evil(v pg_catalog.text) RETURNS boolean LANGUAGE plpgsql AS
            $f$ BEGIN INSERT INTO caught VALUES (current_user); RETURN true; END $f$;
        CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (pg_temp.evil(VALUE));
        CREATE DOMAIN pg_temp.date AS pg_catalog.date
            CHECK (pg_temp.evil(VALUE::pg_catalog.text));";
    app.batch_execute(plant).await.unwrap();
    // Months that exist are skipped: one more makes the function do all its work.
    app.batch_execute("SELECT ensure_partitions(14)").await.unwrap();
    let caught = "SELECT count(*) FROM caught WHERE who <> session_user";
    assert_eq!(count(&app, caught).await, 0, "nothing of the caller's ran as the owner");
}

#[tokio::test]
async fn a_month_whose_rows_came_before_its_partition_does_not_stop_the_upkeep() {
    let database = database().await;
    let owner = connect(&database.urls().owner).await;
    let early = "INSERT INTO record_references (record_id, org_id, key, value)
        VALUES (uuid_floor(now() + interval '20 months'), uuid_floor(now()), 'k', 'v')";
    owner.batch_execute(early).await.unwrap();
    owner.batch_execute("SELECT ensure_partitions(24)").await.unwrap();
    let rows = "SELECT count(*) FROM record_references_default";
    assert_eq!(count(&owner, rows).await, 1, "the early row stays where it is");
    let made = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'vault_entries'::regclass";
    assert_eq!(
        count(&owner, made).await,
        27,
        "24 months ahead, this and the last one, the default"
    );
}
