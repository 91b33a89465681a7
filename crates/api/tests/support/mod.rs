//! One API process of a test: a fresh database, a clock that is set by hand, the router called in
//! process. Not every test binary uses all of it.

#![allow(dead_code, unused_imports, unreachable_pub)]

mod call;
mod scene;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use deed_api::{ApiConfig, App, AuditFailure, HttpLimits, Secret};
use deed_notify::address::Guard;
use deed_store::migrate::{Migration, migrate};
use deed_store::{Clock, Signer, Store, StoreConfig};
use deed_testkit::{APP_ROLE, Template, TestDatabase};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub use call::{Answer, Call, assert_problem};
pub use scene::{Org, record, text};

/// Issuer of the test installation.
pub const ISSUER: &str = "https://deed.test";
/// 2026-01-15T12:00:00Z in milliseconds: the time that every test begins at.
pub const START: i64 = 1_768_478_400_000;
/// An Ed25519 key for tests alone: PKCS#8 DER (RFC 8410) in base64.
const SIGNING_KEY: &str = "MC4CAQAwBQYDK2VwBCIEIEJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJC";

/// One API process with its database.
pub struct TestApp {
    pub app: App,
    pub router: Router,
    /// The generated OpenAPI document.
    pub openapi: Value,
    /// A key of the platform.
    pub platform: String,
    clock: Arc<AtomicI64>,
    pub database: Arc<TestDatabase>,
}

/// The fixed key that signs in tests.
pub fn signer() -> Signer {
    Signer::from_pkcs8_text(SIGNING_KEY).expect("the test key is an Ed25519 key")
}

/// How to reach a test database.
pub fn store_config(url: &str) -> StoreConfig {
    StoreConfig {
        url: url.to_owned(),
        pool_size: 8,
        connect_timeout: Duration::from_secs(20),
        acquire_timeout: Duration::from_secs(20),
        transaction_deadline: Duration::from_secs(30),
        lock_timeout: Duration::from_secs(20),
        application_name: "deed-api-test".to_owned(),
        tls_ca_file: None,
    }
}

/// Settings with nothing that a test has to wait for.
pub fn api_config() -> ApiConfig {
    ApiConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        api_key_secret: Secret(vec![7; 32]),
        limits: HttpLimits {
            max_connections: 64,
            max_in_flight: 64,
            max_body_bytes: 1024 * 1024,
            header_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(60),
            drain_delay: Duration::ZERO,
            shutdown_timeout: Duration::from_secs(30),
        },
        append_queue: 1024,
        // Longer than any test: what a process changes itself must be seen at once nevertheless.
        cache_max_age: Duration::from_secs(3600),
        webhook_guard: Guard::new(vec!["10.7.0.0/16".parse().expect("a network")]),
        audit_failure: AuditFailure::Continue,
    }
}

/// A migrated template, made once for each state of the migrations.
async fn template() -> Template {
    Template::prepare("deed-api", &migrations_hash(), async |urls| {
        let owner = store_config(&urls.owner);
        let run = Migration {
            owner: &owner,
            app_role: APP_ROLE,
            signer: &signer(),
            issuer: ISSUER,
            now: Clock::Manual(Arc::new(AtomicI64::new(START))).now(),
        };
        migrate(&run).await.expect("the template is migrated");
    })
    .await
}

fn migrations_hash() -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../store/migrations");
    let files = std::fs::read_dir(folder).expect("the migrations");
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    let mut hash = Sha256::new();
    for path in paths {
        hash.update(std::fs::read(path).expect("a migration"));
    }
    hex::encode(hash.finalize())
}

/// The recorder is one for the process, and `cargo test` runs many tests in one.
fn metrics() -> PrometheusHandle {
    static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();
    METRICS.get_or_init(|| deed_api::install_metrics().expect("one recorder")).clone()
}

impl TestApp {
    pub async fn new() -> Self {
        let database = Arc::new(TestDatabase::from_template(&template().await).await);
        Self::on(database, Arc::new(AtomicI64::new(START)), api_config()).await
    }

    /// Another process on the same database, with the same clock.
    pub async fn sibling(&self) -> Self {
        self.sibling_with(api_config()).await
    }

    /// Another process with other settings.
    pub async fn sibling_with(&self, config: ApiConfig) -> Self {
        Self::on(Arc::clone(&self.database), Arc::clone(&self.clock), config).await
    }

    async fn on(database: Arc<TestDatabase>, clock: Arc<AtomicI64>, config: ApiConfig) -> Self {
        let url = store_config(&database.urls().app);
        let manual = Clock::Manual(Arc::clone(&clock));
        let store = Store::connect(&url, signer(), ISSUER, manual).await.expect("the store");
        let secret = config.api_key_secret.clone();
        let platform =
            deed_api::platform_key(&store, &secret, "test").await.expect("a platform key");
        let app = App::new(store, config, metrics());
        let (router, document) = app.router();
        let openapi = serde_json::to_value(&document).expect("the document is JSON");
        Self { app, router, openapi, platform, clock, database }
    }

    /// Moves the clock.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).expect("a duration of a test");
        self.clock.fetch_add(millis, Ordering::SeqCst);
    }

    /// A connection of the superuser to this database.
    pub async fn superuser(&self) -> tokio_postgres::Client {
        connect(&self.database.urls().superuser).await
    }
}

/// A plain connection.
pub async fn connect(url: &str) -> tokio_postgres::Client {
    let connecting = tokio_postgres::connect(url, tokio_postgres::NoTls);
    let (client, connection) = connecting.await.expect("a connection");
    tokio::spawn(connection);
    client
}
