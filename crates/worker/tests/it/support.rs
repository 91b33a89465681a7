//! Databases, workers and kinds of these tests.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use deed_chain::sha256;
use deed_store::migrate::{Migration, migrate};
use deed_store::queue::{ClaimedJob, JobState, NewJob};
use deed_store::{Clock, Signer, Store, StoreConfig};
use deed_testkit::{APP_ROLE, Template, TestDatabase};
use deed_worker::{Backoff, JobError, Kind, Worker, WorkerConfig};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const ISSUER: &str = "https://deed.test";
/// An Ed25519 key for tests alone: PKCS#8 DER (RFC 8410) in base64.
const SIGNING_KEY: &str = "MC4CAQAwBQYDK2VwBCIEIEJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJC";

fn signer() -> Signer {
    Signer::from_pkcs8_text(SIGNING_KEY).unwrap()
}

fn config(url: &str) -> StoreConfig {
    StoreConfig {
        url: url.to_owned(),
        pool_size: 8,
        connect_timeout: Duration::from_secs(20),
        acquire_timeout: Duration::from_secs(20),
        transaction_deadline: Duration::from_secs(30),
        lock_timeout: Duration::from_secs(20),
        application_name: "deed-worker-test".to_owned(),
        tls_ca_file: None,
    }
}

pub(crate) struct Scene {
    pub(crate) database: TestDatabase,
    pub(crate) store: Store,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../store/migrations");
        let mut files: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        let all: Vec<u8> = files.iter().flat_map(|path| std::fs::read(path).unwrap()).collect();
        let template = Template::prepare("deed-worker", &sha256(all).to_string(), async |urls| {
            let (owner, signer) = (config(&urls.owner), signer());
            let now = Clock::System.now();
            let plan = Migration {
                owner: &owner,
                app_role: APP_ROLE,
                signer: &signer,
                issuer: ISSUER,
                now,
            };
            migrate(&plan).await.unwrap();
        })
        .await;
        let database = TestDatabase::from_template(&template).await;
        let store = Self::connect(&database).await;
        Self { database, store }
    }

    /// A store with a pool of its own, as another process has.
    pub(crate) async fn connect(database: &TestDatabase) -> Store {
        let config = config(&database.urls().app);
        Store::connect(&config, signer(), ISSUER, Clock::System).await.unwrap()
    }

    pub(crate) async fn client(&self) -> Client {
        let url = &self.database.urls().superuser;
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    pub(crate) async fn add(&self, jobs: usize) {
        self.store.enqueue_jobs((0..jobs).map(|_| job("test")).collect()).await.unwrap();
    }

    /// How many jobs of kind `test` there are in a state, with their attempts and last errors.
    pub(crate) async fn jobs(&self, state: JobState) -> Vec<(u32, Option<String>)> {
        let kind = Some("test".to_owned());
        let page = self.store.jobs(state, kind, None, 1000).await.unwrap();
        page.items.into_iter().map(|job| (job.attempt, job.last_error)).collect()
    }
}

pub(crate) fn job(kind: &'static str) -> NewJob {
    NewJob {
        kind,
        org_id: Some(Uuid::from_u128(1)),
        record_id: None,
        unique_key: None,
        payload: json!({}),
        priority: 0,
        delay: Duration::ZERO,
    }
}

/// A kind `test` with three attempts that follow at once.
pub(crate) fn kind<F>(handler: impl Fn(ClaimedJob) -> F + Send + Sync + 'static) -> Kind
where
    F: Future<Output = Result<(), JobError>> + Send + 'static,
{
    let at_once = Duration::from_millis(1);
    Kind {
        name: "test",
        handler: Arc::new(move |_, job| Box::pin(handler(job))),
        concurrency: None,
        limit: Duration::from_secs(60),
        attempts: 3,
        backoff: Backoff { first: at_once, most: at_once },
    }
}

/// A worker that runs.
pub(crate) struct Running {
    pub(crate) draining: Arc<AtomicBool>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

pub(crate) fn start(store: &Store, kind: Kind, config: WorkerConfig) -> Running {
    let (draining, stop) = (Arc::new(AtomicBool::new(false)), CancellationToken::new());
    let worker = Worker::new(store.clone(), store.new_replica(), vec![kind], config);
    let task = tokio::spawn(worker.run(Arc::clone(&draining), stop.clone()));
    Running { draining, stop, task }
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// Eight places, a lease of a minute, a minute to drain.
pub(crate) fn usual() -> WorkerConfig {
    let minute = Duration::from_secs(60);
    WorkerConfig { concurrency: 8, lease: minute, drain_timeout: minute }
}
