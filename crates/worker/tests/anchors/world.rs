//! A database with some records, a folder as its anchor, and a worker that is run step by step.

use std::path::PathBuf;
use std::time::Duration;

use deed_anchor::{Directory, Place};
use deed_audit::{Event, Finding, Options, Outcome, Verdict};
use deed_chain::checkpoint::Checkpoint;
use deed_chain::entry::{Claims, Entry, Link};
use deed_chain::hash::Hash;
use deed_chain::{anchor, body, sha256};
use deed_store::append::{Appender, Content, Create, Extend, NewRecord};
use deed_store::audit::Reader;
use deed_store::migrate::{Migration, migrate};
use deed_store::queue::{ClaimedJob, NewJob, Wanted};
use deed_store::records::{Record, Status};
use deed_store::{Clock, Signer, Store, StoreConfig, random};
use deed_testkit::{APP_ROLE, Template, TestDatabase};
use deed_worker::{Anchors, JobError, kinds};
use serde_json::{Map, json};
use tokio::sync::mpsc;
use tokio_postgres::{Client, NoTls};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const ISSUER: &str = "https://deed.test";
/// An Ed25519 key for tests alone: PKCS#8 DER (RFC 8410) in base64.
const SIGNING_KEY: &str = "MC4CAQAwBQYDK2VwBCIEIEJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJC";

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) client: Client,
    pub(crate) folder: tempfile::TempDir,
    appender: Appender,
    _database: TestDatabase,
}

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
        application_name: "deed-anchors-test".to_owned(),
        tls_ca_file: None,
    }
}

async fn database() -> TestDatabase {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../store/migrations");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let all: Vec<u8> = files.iter().flat_map(|path| std::fs::read(path).unwrap()).collect();
    let template = Template::prepare("deed-anchors", &sha256(all).to_string(), async |urls| {
        let (owner, signer) = (config(&urls.owner), signer());
        let now = Clock::System.now();
        let (app_role, issuer) = (APP_ROLE, ISSUER);
        let plan = Migration { owner: &owner, app_role, signer: &signer, issuer, now };
        migrate(&plan).await.unwrap();
    })
    .await;
    TestDatabase::from_template(&template).await
}

impl World {
    /// With this many records of one entry.
    pub(crate) async fn new(records: usize) -> (Self, Vec<Uuid>) {
        let database = database().await;
        let config = config(&database.urls().app);
        let store = Store::connect(&config, signer(), ISSUER, Clock::System).await.unwrap();
        let url = &database.urls().superuser;
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let appender = Appender::start(&store, 16);
        let folder = tempfile::tempdir().unwrap();
        let world = Self { store, client, folder, appender, _database: database };
        let new: Vec<NewRecord> = (0..records).map(|_| world.new_record()).collect();
        let mut ids: Vec<Uuid> = new.iter().map(|new| new.record.id).collect();
        ids.sort_unstable();
        world.appender.create(Create::new(new, None, 201, b"{}")).await.unwrap();
        (world, ids)
    }

    fn new_record(&self) -> NewRecord {
        let now = self.store.clock().now();
        let id = random::uuid_v7(now);
        let previous = self.store.installation().genesis_hash;
        let (entry, body) = self.entry(id, 0, previous);
        let record = Record {
            id,
            org_id: Uuid::from_u128(1),
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
        let (references, entry, event) = (Vec::new(), entry.into_bytes(), "record.recorded");
        NewRecord { record, references, previous, entry, body, event }
    }

    /// An entry signed with the server's own key, as whoever has that key makes it.
    pub(crate) fn entry(&self, record: Uuid, position: u64, previous: Hash) -> (Entry, Vec<u8>) {
        let body = body::salted("note.added", &random::bytes(), Map::new());
        let (body, hash) = body::body_hash(&body);
        let claims = Claims {
            issuer: ISSUER.to_owned(),
            subject: record,
            issued_at: self.store.clock().now().timestamp(),
            link: Some(Link { position, previous, epoch: 0 }),
        };
        (self.store.signer().sign(&claims, &hash), body)
    }

    /// The same for a checkpoint.
    pub(crate) fn checkpoint(&self, checkpoint: Checkpoint) -> (Vec<u8>, Vec<u8>) {
        let (kid, salt) = (self.store.signer().thumbprint(), random::bytes());
        let now = self.store.clock().now().timestamp();
        let (unsigned, body) = checkpoint.unsigned(ISSUER, kid, now, &salt);
        (self.store.signer().complete(unsigned).into_bytes(), body)
    }

    pub(crate) async fn append(&self, record: Uuid) {
        let body = body::salted("note.added", &random::bytes(), Map::new());
        let extend = Extend {
            record,
            content: Content::Note {
                org: Some(Uuid::from_u128(1)),
                body: body::body_hash(&body),
                event: "record.note-added",
            },
            issued_at: self.store.clock().now().timestamp(),
            idempotency: None,
            status: 201,
            render: Box::new(|_| b"{}".to_vec()),
        };
        self.appender.extend(extend).await.unwrap();
    }

    pub(crate) fn place(&self) -> Place {
        Place::Directory(Directory::new(self.folder.path().to_owned()))
    }

    pub(crate) fn anchors(&self) -> Anchors {
        Anchors::new(vec![self.place()])
    }

    /// The file of an object.
    pub(crate) fn object(&self, number: u64) -> PathBuf {
        self.folder.path().join(anchor::key(self.store.installation().id, number))
    }

    /// Signs every chain that has advanced, cuts the checkpoints and enqueues the uploads. A horizon
    /// waits for the transactions of the whole server, those of other tests among them.
    pub(crate) async fn sweep(&self) {
        let behind = "SELECT (SELECT coalesce(max(seq), 0) FROM events) - done
            FROM checkpoint_progress, pg_sleep(0.02)";
        loop {
            self.step("sweep.checkpoints", json!({})).await.unwrap();
            if self.number(behind).await == 0 {
                break;
            }
        }
        // One more, for what the last one signed.
        self.step("sweep.checkpoints", json!({})).await.unwrap();
    }

    /// Enqueues one job and does it.
    pub(crate) async fn step(
        &self,
        kind: &'static str,
        payload: serde_json::Value,
    ) -> Result<(), JobError> {
        let (org_id, record_id, unique_key) = (None, None, None);
        let (priority, delay) = (0, Duration::ZERO);
        let job = NewJob { kind, org_id, record_id, unique_key, payload, priority, delay };
        self.store.enqueue_jobs(vec![job]).await.unwrap();
        let job = self.claim(kind, 1).await.remove(0);
        let held = job.held;
        let done = self.work(kind, job).await;
        self.store.finish_jobs(&[held]).await.unwrap();
        done
    }

    pub(crate) async fn claim(&self, kind: &str, limit: usize) -> Vec<ClaimedJob> {
        let wanted = Wanted { kind: kind.to_owned(), limit, after: None };
        let lease = Duration::from_secs(60);
        let claimed = self.store.claim_jobs(Uuid::new_v4(), vec![wanted], lease).await;
        claimed.unwrap().remove(0).jobs
    }

    pub(crate) async fn work(&self, kind: &str, job: ClaimedJob) -> Result<(), JobError> {
        let kinds = kinds(&self.anchors());
        let kind = kinds.iter().find(|one| one.name == kind).unwrap();
        (kind.handler)(self.store.clone(), job).await
    }

    /// Sweeps, and does the uploads.
    pub(crate) async fn anchor(&self) {
        self.sweep().await;
        for job in self.claim("anchor.upload", 100).await {
            self.work("anchor.upload", job).await.unwrap();
        }
    }

    pub(crate) async fn audit(&self, with_anchors: bool) -> (Outcome, Vec<Finding>) {
        let anchors = if with_anchors { vec![self.place()] } else { Vec::new() };
        let options = Options { lanes: 2, after: Uuid::nil(), anchors, keys: None };
        self.audit_with(options, CancellationToken::new()).await
    }

    pub(crate) async fn audit_with(
        &self,
        options: Options,
        stop: CancellationToken,
    ) -> (Outcome, Vec<Finding>) {
        let (events, mut happening) = mpsc::channel(4);
        let running = deed_audit::run(Reader::of(&self.store), options, events, stop);
        let gathering = async {
            let mut findings = Vec::new();
            while let Some(event) = happening.recv().await {
                if let Event::Found(finding) = event {
                    findings.push(finding);
                }
            }
            findings
        };
        tokio::join!(running, gathering)
    }

    /// Asserts that an audit finds nothing wrong.
    pub(crate) async fn assert_intact(&self, with_anchors: bool) {
        let (outcome, findings) = self.audit(with_anchors).await;
        assert_eq!(outcome.verdict, Verdict::Intact, "{findings:?} {outcome:?}");
    }

    /// The faults that an audit finds, as kinds and records.
    pub(crate) async fn faults(&self, with_anchors: bool) -> Vec<(&'static str, Option<Uuid>)> {
        let (outcome, findings) = self.audit(with_anchors).await;
        let faults: Vec<_> = findings
            .iter()
            .filter(|finding| finding.fault)
            .map(|finding| (finding.kind, finding.record))
            .collect();
        assert_eq!(outcome.faults, faults.len() as u64, "{outcome:?}");
        assert_eq!(outcome.verdict == Verdict::Tampered, !faults.is_empty());
        faults
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.client.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Does what only a superuser can: triggers are off.
    pub(crate) async fn tamper(&self, sql: &str) {
        let all = format!(
            "SET session_replication_role = replica; {sql}; RESET session_replication_role"
        );
        self.client.batch_execute(&all).await.unwrap();
    }
}
