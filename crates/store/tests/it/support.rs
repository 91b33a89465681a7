//! Databases, stores and appends of these tests.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use deed_chain::entry::{Claims, Link};
use deed_chain::{Hash, body, sha256};
use deed_notify::EventType;
use deed_store::append::{Content, Create, Extend, NewRecord};
use deed_store::idempotency::Idempotency;
use deed_store::migrate::{Migration, Outcome, migrate};
use deed_store::records::{Record, Status};
use deed_store::{Clock, Error, Signer, Store, StoreConfig, random};
use deed_testkit::{APP_ROLE, Template, TestDatabase};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

pub(crate) const ISSUER: &str = "https://deed.test";
/// 2026-01-15T12:00:00Z in milliseconds.
const START: i64 = 1_768_478_400_000;
/// An Ed25519 key for tests alone: PKCS#8 DER (RFC 8410) in base64.
const SIGNING_KEY: &str = "MC4CAQAwBQYDK2VwBCIEIEJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJC";

pub(crate) fn clock() -> Clock {
    Clock::Manual(Arc::new(AtomicI64::new(START)))
}

pub(crate) fn signer() -> Signer {
    Signer::from_pkcs8_text(SIGNING_KEY).expect("the test key")
}

pub(crate) fn config(url: &str) -> StoreConfig {
    StoreConfig {
        url: url.to_owned(),
        pool_size: 8,
        connect_timeout: Duration::from_secs(20),
        acquire_timeout: Duration::from_secs(20),
        transaction_deadline: Duration::from_secs(30),
        lock_timeout: Duration::from_secs(20),
        application_name: "deed-store-test".to_owned(),
        tls_ca_file: None,
    }
}

/// Runs the migrations with this issuer and key.
pub(crate) async fn run_migrations(
    url: &str,
    issuer: &str,
    signer: &Signer,
) -> Result<Outcome, Error> {
    let owner = config(url);
    migrate(&Migration { owner: &owner, app_role: APP_ROLE, signer, issuer, now: clock().now() })
        .await
}

/// A migrated database of its own.
pub(crate) async fn database() -> TestDatabase {
    let template = Template::prepare("deed-store", &migrations_hash(), async |urls| {
        run_migrations(&urls.owner, ISSUER, &signer()).await.expect("the template is migrated");
    })
    .await;
    TestDatabase::from_template(&template).await
}

fn migrations_hash() -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let files = std::fs::read_dir(folder).expect("the migrations");
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    let contents = paths.iter().flat_map(|path| std::fs::read(path).expect("a migration"));
    sha256(contents.collect::<Vec<u8>>()).to_string()
}

pub(crate) async fn store(database: &TestDatabase) -> Store {
    store_with(&config(&database.urls().app)).await
}

pub(crate) async fn store_with(config: &StoreConfig) -> Store {
    Store::connect(config, signer(), ISSUER, clock()).await.expect("the store")
}

/// A plain connection.
pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

/// The SQLSTATE that a statement fails with.
#[track_caller]
pub(crate) fn state(result: Result<(), tokio_postgres::Error>) -> String {
    let error = result.expect_err("the statement is refused");
    error.code().expect("a verdict of the server").code().to_owned()
}

/// One number.
pub(crate) async fn count(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.expect("a number").get(0)
}

/// A signed record of an organisation, ready to create.
pub(crate) fn new_record(store: &Store, org: Uuid) -> NewRecord {
    let now = store.clock().now();
    let id = random::uuid_v7(now);
    let (body, body_hash) =
        body::body_hash(&body::salted("record.recorded", &random::bytes(), serde_json::Map::new()));
    let genesis = store.installation().genesis_hash;
    let claims = Claims {
        issuer: store.installation().issuer.clone(),
        subject: id,
        issued_at: now.timestamp(),
        link: Some(Link { position: 0, previous: genesis, epoch: 0 }),
    };
    let entry = store.signer().sign(&claims, &body_hash);
    let record = Record {
        id,
        org_id: org,
        type_name: "t-v1".to_owned(),
        type_version: 1,
        status: Status::Recorded,
        principal_agent_id: None,
        requested_by: None,
        created_by: Uuid::nil(),
        parent_id: None,
        root_id: id,
        depth: 0,
        created_at: now,
        head_position: 0,
        head_hash: entry.hash(),
        deadline: None,
        limits: None,
        work: None,
    };
    NewRecord {
        record,
        references: vec![("ticket".to_owned(), "T-1".to_owned())],
        previous: genesis,
        entry: entry.into_bytes(),
        body,
        event: EventType::RecordRecorded,
    }
}

/// A use of an idempotency key by a request.
pub(crate) fn once(scope: Uuid, key: &str, request: &str) -> Idempotency {
    Idempotency { scope, key: key.to_owned(), request_hash: sha256(request) }
}

pub(crate) fn create(records: Vec<NewRecord>, idempotency: Option<Idempotency>) -> Create {
    let response = records.first().map(|new| new.record.id.to_string()).unwrap_or_default();
    Create::new(records, idempotency, 201, response.as_bytes())
}

pub(crate) fn extend(record: Uuid, org: Uuid, idempotency: Option<Idempotency>) -> Extend {
    let body = body::salted("note.added", &random::bytes(), serde_json::Map::new());
    let (body, body_hash): (Vec<u8>, Hash) = body::body_hash(&body);
    Extend {
        record,
        content: Content::Note {
            org: Some(org),
            body: (body, body_hash),
            event: EventType::RecordNoteAdded,
        },
        issued_at: START / 1000,
        idempotency,
        status: 201,
        render: Box::new(|extended| extended.record.head_position.to_string().into_bytes()),
    }
}
