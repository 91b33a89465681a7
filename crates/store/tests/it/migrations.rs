//! `deed migrate`: repeatable, one at a time, and nothing is overwritten.

use deed_chain::Entry;
use deed_store::{Error, Signer, Store};
use deed_testkit::TestDatabase;

use crate::support::{
    ISSUER, clock, config, connect, count, database, run_migrations, signer, store,
};

#[track_caller]
fn unfit<T>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Unfit(message)) => message,
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("it was accepted"),
    }
}

async fn open(database: &TestDatabase, issuer: &str, signer: Signer) -> Result<Store, Error> {
    Store::connect(&config(&database.urls().app), signer, issuer, clock()).await
}

#[tokio::test]
async fn the_first_run_writes_the_genesis_statement_and_the_second_does_nothing() {
    let database = TestDatabase::create().await;
    let url = &database.urls().owner;
    let first = run_migrations(url, ISSUER, &signer()).await.unwrap();
    assert!(first.genesis_written);
    assert!(!first.applied.is_empty());
    assert_eq!(first.schema_version, deed_store::migrate::expected_version());
    let client = connect(url).await;
    let everything = "SELECT concat(
        (SELECT string_agg(i::text, '') FROM installation i),
        (SELECT string_agg(k::text, '') FROM signing_keys k),
        (SELECT string_agg(h::text, '' ORDER BY version) FROM refinery_schema_history h),
        (SELECT string_agg(c.relname || coalesce(c.relacl::text, ''), ',' ORDER BY c.relname)
         FROM pg_class c WHERE relnamespace = 'public'::regnamespace))";
    let before: String = client.query_one(everything, &[]).await.unwrap().get(0);
    let second = run_migrations(url, ISSUER, &signer()).await.unwrap();
    assert!(!second.genesis_written);
    assert_eq!(second.applied, [""; 0]);
    assert_eq!(second.schema_version, first.schema_version);
    let after: String = client.query_one(everything, &[]).await.unwrap().get(0);
    assert_eq!(before, after);
}

#[tokio::test]
async fn the_genesis_statement_is_signed_by_the_first_key() {
    let database = database().await;
    let store = store(&database).await;
    let installation = store.installation();
    let entry = Entry::from_bytes(installation.genesis_entry.clone());
    let decoded = entry.decode().unwrap();
    decoded.verify(signer().public()).unwrap();
    assert_eq!(decoded.claims.issuer, ISSUER);
    assert_eq!(decoded.claims.subject, installation.id);
    assert_eq!(entry.hash(), installation.genesis_hash);
    assert_eq!(deed_chain::sha256(&installation.genesis_body), decoded.body_hash);
}

#[tokio::test]
async fn of_two_runners_at_the_same_time_one_migrates_and_one_finds_it_done() {
    let database = TestDatabase::create().await;
    let url = &database.urls().owner;
    let signer = signer();
    let (one, two) =
        tokio::join!(run_migrations(url, ISSUER, &signer), run_migrations(url, ISSUER, &signer));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.genesis_written, two.genesis_written);
    let (first, second) = if one.genesis_written { (one, two) } else { (two, one) };
    assert!(!first.applied.is_empty());
    assert!(second.applied.is_empty());
    let client = connect(url).await;
    assert_eq!(count(&client, "SELECT count(*) FROM installation").await, 1);
    assert_eq!(count(&client, "SELECT count(*) FROM signing_keys").await, 1);
    // The lock of both is free again.
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database =
        (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(count(&client, locks).await, 0);
}

#[tokio::test]
async fn an_edited_migration_is_refused() {
    let database = database().await;
    let client = connect(&database.urls().owner).await;
    let tamper = "UPDATE refinery_schema_history SET checksum = '17' WHERE version = 1";
    client.batch_execute(tamper).await.unwrap();
    let message = unfit(run_migrations(&database.urls().owner, ISSUER, &signer()).await);
    assert!(message.contains("must not be edited"), "{message}");
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_not_migrated_but_served() {
    let database = database().await;
    let client = connect(&database.urls().owner).await;
    let newer = "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
        VALUES (999, 'future', '2030-01-01T00:00:00Z', '1')";
    client.batch_execute(newer).await.unwrap();
    let message = unfit(run_migrations(&database.urls().owner, ISSUER, &signer()).await);
    assert!(message.contains("newer"), "{message}");
    let store = open(&database, ISSUER, signer()).await.unwrap();
    assert!(store.health().await.unwrap().is_ready());
}

#[tokio::test]
async fn a_database_that_was_never_or_not_fully_migrated_is_not_served() {
    let database = TestDatabase::create().await;
    let message = unfit(open(&database, ISSUER, signer()).await);
    assert!(message.contains("deed migrate"), "{message}");
    run_migrations(&database.urls().owner, ISSUER, &signer()).await.unwrap();
    let client = connect(&database.urls().owner).await;
    let unmigrate = "DELETE FROM refinery_schema_history WHERE version > 1;
        UPDATE refinery_schema_history SET version = 0";
    client.batch_execute(unmigrate).await.unwrap();
    let message = unfit(open(&database, ISSUER, signer()).await);
    assert!(message.contains("schema version 0") && message.contains("deed migrate"), "{message}");
}

#[tokio::test]
async fn another_issuer_is_refused_with_both_names() {
    let database = database().await;
    let other = "https://other.test";
    let message = unfit(run_migrations(&database.urls().owner, other, &signer()).await);
    assert!(message.contains(other) && message.contains(ISSUER), "{message}");
    let message = unfit(open(&database, other, signer()).await);
    assert!(message.contains(other) && message.contains(ISSUER), "{message}");
}

#[tokio::test]
async fn another_signing_key_is_served_once_it_is_registered_and_the_old_one_stays_known() {
    let database = database().await;
    let pem = Signer::generate_pem().unwrap();
    let new = || Signer::from_pkcs8_text(&pem).unwrap();
    let genesis = store(&database).await.installation().genesis_hash;
    let message = unfit(open(&database, ISSUER, new()).await);
    assert!(message.contains("VAULT_SIGNING_KEY"), "{message}");
    assert!(!message.contains("BEGIN"), "no key in a message");
    let outcome = run_migrations(&database.urls().owner, ISSUER, &new()).await.unwrap();
    assert!(!outcome.genesis_written);
    let store = open(&database, ISSUER, new()).await.unwrap();
    assert_eq!(store.installation().genesis_hash, genesis);
    let keys = store.signing_keys().await.unwrap();
    assert_eq!(keys.len(), 2);
    assert!(keys.contains(signer().thumbprint()) && keys.contains(new().thumbprint()));
}

#[tokio::test]
async fn partitions_exist_from_last_month_to_a_year_ahead() {
    let database = database().await;
    let app = connect(&database.urls().app).await;
    let missing = "SELECT count(*) FROM
        unnest(ARRAY['records', 'record_references', 'vault_entries', 'events']) AS base,
        generate_series(-1, 12) AS step WHERE to_regclass(base || to_char(date_trunc('month',
        now() AT TIME ZONE 'UTC') + make_interval(months => step), '_YYYY_MM')) IS NULL";
    assert_eq!(count(&app, missing).await, 0);
    assert_eq!(count(&app, "SELECT ensure_partitions(12)::int8").await, 0, "safe to repeat");
    for months in [-1, 121] {
        let refused = app.batch_execute(&format!("SELECT ensure_partitions({months})")).await;
        assert_eq!(crate::support::state(refused), "P0001");
    }
    // A row of now lies in the partition of this month, one of a far year in the default.
    let insert = "INSERT INTO records (id, org_id, type_name, type_version, status, created_by,
        root_id, depth, created_at, head_position, head_hash)
        SELECT uuid_floor(at), gen_random_uuid(), 't', 1, 'RECORDED', gen_random_uuid(),
        gen_random_uuid(), 0, at, 0, decode(repeat('00', 32), 'hex')
        FROM unnest(ARRAY[now(), '2003-01-01T00:00:00Z']) AS at";
    app.batch_execute(insert).await.unwrap();
    let misplaced = "SELECT count(*) FROM records WHERE tableoid::regclass::text <> CASE
        WHEN created_at < '2010-01-01' THEN 'records_default'
        ELSE 'records' || to_char(created_at AT TIME ZONE 'UTC', '_YYYY_MM') END";
    assert_eq!(count(&app, misplaced).await, 0);
    assert_eq!(count(&app, "SELECT count(*) FROM records").await, 2);
}

#[tokio::test]
async fn a_store_tells_nothing_of_its_password() {
    let database = database().await;
    let config = config(&database.urls().app);
    let shown = format!("{config:?} {:?} {:?}", store(&database).await, signer());
    let password = database.urls().app.split(':').nth(2).unwrap().split('@').next().unwrap();
    assert!(!password.is_empty() && !shown.contains(password), "{shown}");
    assert!(!shown.contains("QkJC"), "{shown}");
}
