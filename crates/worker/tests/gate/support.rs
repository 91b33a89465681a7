//! A database with one organisation, its records, and a worker that is run step by step.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use deed_chain::entry::{Claims, Link};
use deed_chain::{body, sha256};
use deed_lifecycle::{Action, State, VerdictMode};
use deed_notify::EventType;
use deed_store::append::{Appended, Appender, Content, Create, Extend, NewRecord};
use deed_store::migrate::{Migration, migrate};
use deed_store::queue::{ClaimedJob, Failure, NewJob, Wanted};
use deed_store::records::{Actor, Record, SettlementSignal, Work};
use deed_store::transition::{EVALUATE, Set, Transition};
use deed_store::{Clock, Error, Signer, Store, StoreConfig, random};
use deed_testkit::{APP_ROLE, Template, TestDatabase};
use deed_worker::{Handler, kinds};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// 2026-01-15T12:00:00Z in milliseconds.
const START: i64 = 1_768_478_400_000;
/// An Ed25519 key for tests alone: PKCS#8 DER (RFC 8410) in base64.
const SIGNING_KEY: &str = "MC4CAQAwBQYDK2VwBCIEIEJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJC";
const ISSUER: &str = "https://deed.test";
/// What each record asks for, within 5 per cent, in a dispute 10: see [`World::new`].
pub(crate) const WANTED: i64 = 100;

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) appender: Appender,
    pub(crate) org: Uuid,
    pub(crate) principal: Actor,
    pub(crate) performer: Actor,
    pub(crate) handler: Handler,
    database: TestDatabase,
}

fn signer() -> Signer {
    Signer::from_pkcs8_text(SIGNING_KEY).expect("the test key")
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

fn migrations_hash() -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../store/migrations");
    let files = std::fs::read_dir(folder).expect("the migrations");
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    let contents = paths.iter().flat_map(|path| std::fs::read(path).expect("a migration"));
    sha256(contents.collect::<Vec<u8>>()).to_string()
}

async fn database() -> TestDatabase {
    let template = Template::prepare("deed-gate", &migrations_hash(), async |urls| {
        let owner = config(&urls.owner);
        let clock = Clock::Manual(Arc::new(AtomicI64::new(START)));
        let signer = signer();
        let run = Migration {
            owner: &owner,
            app_role: APP_ROLE,
            signer: &signer,
            issuer: ISSUER,
            now: clock.now(),
        };
        migrate(&run).await.expect("the template is migrated");
    })
    .await;
    TestDatabase::from_template(&template).await
}

impl World {
    /// An organisation with a Type of each mode with rules: `n` within 5 per cent of what was asked
    /// for, in a dispute within 10.
    pub(crate) async fn new() -> Self {
        let database = database().await;
        let clock = Clock::Manual(Arc::new(AtomicI64::new(START)));
        let store = Store::connect(&config(&database.urls().app), signer(), ISSUER, clock).await;
        let store = store.expect("the store");
        let org = Uuid::now_v7();
        let rules = json!({
            "mappings": [{ "name": "n", "type": "number", "criteria": "/n", "evidence": "/n",
                "tolerance": { "percent": "5" } }],
            "disputeTolerance": { "factor": "2" }
        });
        let world = Self {
            appender: Appender::start(&store, 64),
            org,
            principal: agent(org),
            performer: agent(org),
            handler: evaluate(),
            store,
            database,
        };
        world.sql(&format!("INSERT INTO orgs (id, name) VALUES ('{org}', 'o')")).await;
        for mode in ["auto", "auto-then-principal"] {
            world
                .sql(&format!(
                    "INSERT INTO record_types (org_id, name, version, record_schema, completion_schema,
                         verdict_mode, rules_config, digest)
                     VALUES ('{org}', '{mode}', 1, '{{}}', '{{}}', '{mode}', '{rules}', '\\x{}')",
                    "00".repeat(32)
                ))
                .await;
        }
        world
    }

    /// Runs statements as the superuser.
    pub(crate) async fn sql(&self, sql: &str) {
        self.superuser().await.batch_execute(sql).await.expect("the statement");
    }

    pub(crate) async fn superuser(&self) -> tokio_postgres::Client {
        let url = &self.database.urls().superuser;
        let connecting = tokio_postgres::connect(url, tokio_postgres::NoTls);
        let (client, connection) = connecting.await.expect("a connection");
        tokio::spawn(connection);
        client
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.superuser().await.query_one(sql, &[]).await.expect("a number").get(0)
    }

    /// An active record of the Type with this mode; gives its id.
    pub(crate) async fn active(&self, mode: VerdictMode) -> Uuid {
        let now = self.store.clock().now();
        let id = random::uuid_v7(now);
        let mut fields = Map::new();
        fields.insert("criteria".to_owned(), json!({ "n": WANTED }));
        let value = body::salted("record.activated", &random::bytes(), fields);
        let (body, body_hash) = body::body_hash(&value);
        let genesis = self.store.installation().genesis_hash;
        let claims = Claims {
            issuer: ISSUER.to_owned(),
            subject: id,
            issued_at: now.timestamp(),
            link: Some(Link { position: 0, previous: genesis, epoch: 0 }),
        };
        let entry = self.store.signer().sign(&claims, &body_hash);
        let id_of = |actor| match actor {
            Actor::Agent { agent, .. } => Some(agent),
            _ => None,
        };
        let record = Record {
            id,
            org_id: self.org,
            type_name: mode.as_str().to_owned(),
            type_version: 1,
            status: State::Active,
            principal_agent_id: id_of(self.principal),
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
            work: Some(Work::new(mode, id_of(self.performer))),
        };
        let new = NewRecord {
            record,
            references: Vec::new(),
            previous: genesis,
            entry: entry.into_bytes(),
            body,
            event: EventType::RecordActivated,
        };
        self.appender.create(Create::new(vec![new], None, 201, b"")).await.expect("created");
        id
    }

    /// One step of the state machine.
    pub(crate) async fn act(
        &self,
        record: Uuid,
        actor: Actor,
        action: Action,
        fields: Value,
    ) -> Result<(), Error> {
        let at = self.store.clock().now();
        let Value::Object(fields) = fields else { panic!("fields are an object") };
        let set = Set::default();
        let transition = Transition { actor, action, fields, set, concerning: None, at };
        let item = Extend {
            record,
            content: Content::Transition(Box::new(transition)),
            issued_at: at.timestamp(),
            idempotency: None,
            status: 200,
            render: Box::new(|_| Vec::new()),
        };
        match self.appender.extend(item).await? {
            Appended::Written(_) => Ok(()),
            Appended::Replayed(_) => panic!("nothing to replay"),
        }
    }

    /// Hands in `n`.
    pub(crate) async fn complete(&self, record: Uuid, n: i64) {
        let fields = json!({ "completion": { "n": n } });
        self.act(record, self.performer, Action::Complete, fields).await.expect("completed");
    }

    /// Claims every job that waits.
    pub(crate) async fn claim(&self) -> Vec<ClaimedJob> {
        let wanted = vec![Wanted { kind: EVALUATE.to_owned(), limit: 100, after: None }];
        let lease = Duration::from_secs(600);
        let claimed = self.store.claim_jobs(Uuid::now_v7(), wanted, lease).await.expect("a claim");
        claimed.into_iter().flat_map(|one| one.jobs).collect()
    }

    /// Does every job that waits, as a worker does.
    pub(crate) async fn work(&self) -> usize {
        let jobs = self.claim().await;
        for job in &jobs {
            (self.handler)(self.store.clone(), job.clone()).await.expect("the job");
            let refused = self.store.finish_jobs(&[job.held]).await.expect("settled");
            assert!(refused.is_empty());
        }
        jobs.len()
    }

    /// The same job once more, as after the death of the worker that had done it.
    pub(crate) async fn again(&self, job: &ClaimedJob) {
        let job = NewJob {
            kind: EVALUATE,
            org_id: job.org_id,
            record_id: job.record_id,
            unique_key: None,
            payload: job.payload.clone(),
            priority: 0,
            delay: Duration::ZERO,
        };
        self.store.enqueue_jobs(vec![job]).await.expect("enqueued");
    }

    /// Fails the last attempt of a job.
    pub(crate) async fn bury(&self, job: &ClaimedJob) {
        let failure = Failure { held: job.held, error: "no use".to_owned(), retry_in: None };
        assert!(self.store.fail_jobs(&[failure]).await.expect("settled").is_empty());
    }

    pub(crate) async fn record(&self, id: Uuid) -> Record {
        self.store.record(id, None).await.expect("the record")
    }

    pub(crate) async fn status(&self, id: Uuid) -> &'static str {
        self.record(id).await.status.as_str()
    }

    /// The signals' names, after checking that each is about the entry that it names.
    pub(crate) async fn signals(&self, id: Uuid) -> Vec<String> {
        let signals = self.store.signals(id).await.expect("signals");
        for signal in &signals {
            self.check(signal).await;
        }
        let events = self
            .count(&format!(
                "SELECT count(*) FROM events WHERE kind = 'signal.emitted' AND record_id = '{id}'"
            ))
            .await;
        assert_eq!(usize::try_from(events), Ok(signals.len()), "an event each");
        signals.into_iter().map(|signal| signal.signal).collect()
    }

    async fn check(&self, signal: &SettlementSignal) {
        let verdict = &signal.verdict;
        let found = self.store.entries(verdict.record_id, verdict.position - 1, 1).await;
        let entry = found.expect("entries").remove(0);
        assert_eq!((entry.position, entry.hash), (verdict.position, verdict.hash));
        assert_eq!(signal.key_thumbprint, *self.store.signer().thumbprint());
        let body: Value = serde_json::from_slice(&entry.body).expect("a body");
        assert_eq!(body["signal"], json!(signal.signal));
    }

    /// Body of the newest entry.
    pub(crate) async fn newest(&self, id: Uuid) -> Value {
        let position = self.record(id).await.head_position;
        let body = self.store.body_at(id, position).await.expect("a body");
        serde_json::from_slice(&body).expect("JSON")
    }
}

fn agent(org: Uuid) -> Actor {
    Actor::Agent { org, agent: Uuid::now_v7(), key: Uuid::nil() }
}

/// The handler as a new worker process has it.
pub(crate) fn evaluate() -> Handler {
    handler(EVALUATE)
}

pub(crate) fn handler(kind: &str) -> Handler {
    kinds(&deed_worker::Anchors::default())
        .into_iter()
        .find(|one| one.name == kind)
        .expect("the kind")
        .handler
}
