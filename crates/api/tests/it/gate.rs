//! Work under the gate, over the API with a worker in this process: the rules judge, signals are
//! emitted once a verdict, and the export of it all verifies.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use deed_chain::{KeySet, Verdict, verify};
use deed_store::queue::{NewJob, Wanted};
use deed_worker::{Worker, WorkerConfig, kinds};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{Org, TestApp, text};

const EVALUATE: &str = "gate.evaluate";
/// Short, so that a dead worker's jobs are soon taken over.
const LEASE: Duration = Duration::from_secs(1);

/// A worker on the store of a process.
struct Working {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Working {
    fn start(app: &TestApp) -> Self {
        let store = app.app.store().clone();
        let config =
            WorkerConfig { concurrency: 8, lease: LEASE, drain_timeout: Duration::from_secs(20) };
        let worker =
            Worker::new(store, Uuid::now_v7(), kinds(&deed_worker::Anchors::default()), config);
        let stop = CancellationToken::new();
        let task = tokio::spawn(worker.run(Arc::new(AtomicBool::new(false)), stop.clone()));
        Self { stop, task }
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.expect("the worker ended");
    }
}

/// Two agents of one organisation, and a Type whose rules ask for `n` within 5 per cent, in a
/// dispute within 10.
struct Scene {
    app: TestApp,
    org: Org,
    performer: String,
    performer_id: String,
}

impl Scene {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let org = app.org("a").await;
        let performer_id = app.agent(&org.id, "performer").await;
        let key = json!({ "role": "agent", "orgId": org.id, "agentId": performer_id });
        let performer = app.mint(key).await;
        for mode in ["auto", "auto-then-principal"] {
            let number = json!({ "type": "object", "required": ["n"],
                "properties": { "n": { "type": "number" } } });
            let definition = json!({
                "name": mode, "recordSchema": number, "completionSchema": number, "verdictMode": mode,
                "rulesConfig": {
                    "mappings": [{ "name": "n", "type": "number", "criteria": "/n", "evidence": "/n",
                        "tolerance": { "percent": 5 } }],
                    "disputeTolerance": { "factor": 2 }
                }
            });
            app.post(&org.admin, "/v1/types", definition).await.ok(201);
        }
        Self { app, org, performer, performer_id }
    }

    /// Work of this mode that asks for 100, active; gives the record's id.
    async fn active(&self, mode: &str) -> String {
        let wanted = json!({ "type": mode, "criteria": { "n": 100 }, "autoActivate": true,
            "performerAgentId": self.performer_id });
        let made = self.app.post(&self.org.agent, "/v1/records", wanted).await.ok(201);
        assert_eq!(made["record"]["status"], "ACTIVE");
        text(&made, "/record/id")
    }

    async fn act(&self, key: &str, id: &str, action: &str, body: Value) -> Value {
        self.app.post(key, format!("/v1/records/{id}/{action}"), body).await.ok(200)
    }

    async fn complete(&self, id: &str, n: Value) {
        let body = json!({ "completion": { "n": n } });
        let done = self.act(&self.performer, id, "completions", body).await;
        assert_eq!(done["record"]["status"], "EVALUATING");
    }

    async fn read(&self, id: &str) -> Value {
        self.app.get(&self.org.agent, format!("/v1/records/{id}")).await.ok(200)
    }

    /// The record once `done` holds of it: as long as the test may take.
    async fn until(&self, id: &str, done: impl Fn(&Value) -> bool) -> Value {
        loop {
            let record = self.read(id).await;
            if done(&record) {
                return record;
            }
        }
    }

    async fn judged(&self, id: &str) -> Value {
        self.until(id, |record| record["status"] != "EVALUATING").await
    }

    /// Signals of a record, oldest first, after checking them against the signed entries.
    async fn signals(&self, id: &str) -> Vec<String> {
        let entries = self.app.all(&self.org.agent, &format!("/v1/records/{id}/entries")).await;
        let signals =
            self.app.get(&self.org.agent, format!("/v1/records/{id}/signals")).await.ok(200);
        let signals = signals["items"].as_array().expect("items").clone();
        let keys = self.app.get("", "/.well-known/deed-vault-keys.json").await;
        let keys: Value = serde_json::from_slice(&keys.bytes).expect("JSON");
        for signal in &signals {
            let position = usize::try_from(signal["position"].as_u64().expect("a position"));
            let entry = &entries[position.expect("small")];
            assert_eq!(signal["verdict"], *entry);
            assert_eq!(signal["entryHash"], entry["hash"]);
            assert_eq!(signal["signal"], entry["body"]["signal"]);
            assert_eq!(signal["keyThumbprint"], keys["keys"][0]["kid"]);
        }
        // The view of the record shows the same ones.
        let shown = self.read(id).await["signals"].as_array().expect("signals").clone();
        assert_eq!(shown.len(), signals.len());
        for (one, other) in shown.iter().zip(&signals) {
            assert_eq!(
                (&one["signal"], &one["entryHash"]),
                (&other["signal"], &other["entryHash"])
            );
        }
        // Each was announced once.
        let sql = format!(
            "SELECT count(*) FROM events WHERE kind = 'signal.emitted' AND record_id = '{id}'"
        );
        let announced: i64 = self.app.superuser().await.query_one(&sql, &[]).await.unwrap().get(0);
        assert_eq!(usize::try_from(announced), Ok(signals.len()));
        signals.iter().map(|signal| text(signal, "/signal")).collect()
    }

    async fn verifies(&self, id: &str) {
        let export = self.app.get(&self.org.agent, format!("/v1/records/{id}/audit-export")).await;
        let keys = self.app.get("", "/.well-known/deed-vault-keys.json").await;
        let keys = KeySet::parse(&keys.bytes).expect("a key set");
        assert_eq!(verify(&export.bytes, Some(&keys)).verdict, Verdict::Valid, "{}", export.text());
    }
}

fn actions(record: &Value) -> Vec<String> {
    let steps = record["nextSteps"].as_array().expect("nextSteps");
    steps.iter().map(|step| text(step, "/action")).collect()
}

#[tokio::test]
async fn the_rules_accept_and_reject_by_themselves() {
    let scene = Scene::new().await;
    let worker = Working::start(&scene.app);
    for (delivered, status, signal) in
        [(json!(95), "FULFILLED", "SETTLE"), (json!(94.99), "FAILED", "HOLD")]
    {
        let id = scene.active("auto").await;
        assert!(scene.signals(&id).await.is_empty());
        assert!(!actions(&scene.read(&id).await).contains(&"signals".to_owned()));
        scene.complete(&id, delivered).await;
        let record = scene.judged(&id).await;
        assert_eq!(record["status"], status);
        assert!(actions(&record).contains(&"signals".to_owned()), "{record}");
        assert_eq!(scene.signals(&id).await, [signal]);
        scene.verifies(&id).await;
    }
    worker.end().await;
}

#[tokio::test]
async fn the_principal_sees_what_the_rules_found_asks_for_a_revision_and_confirms() {
    let scene = Scene::new().await;
    let worker = Working::start(&scene.app);
    let id = scene.active("auto-then-principal").await;
    scene.complete(&id, json!(1)).await;
    let record = scene.judged(&id).await;
    assert_eq!(record["status"], "AWAITING_CONFIRMATION");
    let entries = scene.app.all(&scene.org.agent, &format!("/v1/records/{id}/entries")).await;
    assert_eq!(entries.last().unwrap()["body"]["evaluation"]["mappings"][0]["result"], "FAIL");
    for wanted in ["verdict-accept", "verdict-reject", "request-revision"] {
        assert!(actions(&record).contains(&wanted.to_owned()), "{record}");
    }
    let revise = json!({ "outcome": "request-revision", "reason": "99 are missing" });
    scene.act(&scene.org.agent, &id, "outcome", revise).await;
    scene.complete(&id, json!(100)).await;
    let record = scene.judged(&id).await;
    assert_eq!(record["status"], "AWAITING_CONFIRMATION");
    assert!(scene.signals(&id).await.is_empty(), "nothing is decided before the principal");
    scene.act(&scene.org.agent, &id, "outcome", json!({ "outcome": "accept" })).await;
    assert_eq!(scene.signals(&id).await, ["SETTLE"]);
    assert_eq!(scene.read(&id).await["status"], "FULFILLED");
    scene.verifies(&id).await;
    worker.end().await;
}

#[tokio::test]
async fn a_dispute_is_judged_again_with_wider_tolerance_and_releases() {
    let scene = Scene::new().await;
    let worker = Working::start(&scene.app);
    for (delivered, status, signals) in
        [(110, "FULFILLED", &["HOLD", "RELEASE"][..]), (111, "DISPUTED_TIER_1", &["HOLD"][..])]
    {
        let id = scene.active("auto").await;
        scene.complete(&id, json!(delivered)).await;
        assert_eq!(scene.judged(&id).await["status"], "FAILED");
        let dispute = json!({ "reason": "within what was usual" });
        let disputed = scene.act(&scene.performer, &id, "dispute", dispute).await;
        assert_eq!(disputed["record"]["status"], "DISPUTED_TIER_1");
        // Five entries: created, completed, judged, disputed, judged again.
        let record = scene.until(&id, |record| record["head"]["position"] == 4).await;
        assert_eq!(record["status"], status);
        assert_eq!(scene.signals(&id).await, signals);
        scene.verifies(&id).await;
    }
    worker.end().await;
}

#[tokio::test]
async fn a_job_of_a_dead_worker_and_its_repetitions_give_one_verdict() {
    let scene = Scene::new().await;
    let store = scene.app.app.store().clone();
    let id = scene.active("auto").await;
    scene.complete(&id, json!(100)).await;
    // A worker claims the job and stops.
    let wanted = vec![Wanted { kind: EVALUATE.to_owned(), limit: 10, after: None }];
    let claimed = store.claim_jobs(Uuid::now_v7(), wanted, LEASE).await.unwrap();
    let held = claimed[0].jobs[0].clone();
    // Two more processes with workers, and the same job ten times more.
    let siblings = [scene.app.sibling().await, scene.app.sibling().await];
    let repeated = (0..10).map(|_| NewJob {
        kind: EVALUATE,
        org_id: held.org_id,
        record_id: held.record_id,
        unique_key: None,
        payload: held.payload.clone(),
        priority: 0,
        delay: Duration::ZERO,
    });
    store.enqueue_jobs(repeated.collect()).await.unwrap();
    let workers = siblings.each_ref().map(Working::start);
    assert_eq!(scene.judged(&id).await["status"], "FULFILLED");
    let none_left = async || {
        let sql = format!("SELECT count(*) FROM jobs WHERE kind = '{EVALUATE}'");
        scene.app.superuser().await.query_one(&sql, &[]).await.unwrap().get::<_, i64>(0) == 0
    };
    while !none_left().await {}
    // The one that had stopped resumes: it is fenced off, and what it would write is there already.
    let kind = kinds(&deed_worker::Anchors::default())
        .into_iter()
        .find(|kind| kind.name == EVALUATE)
        .expect("the kind");
    (kind.handler)(store.clone(), held.clone()).await.unwrap();
    assert_eq!(store.finish_jobs(&[held.held]).await.unwrap(), [held.held], "refused");
    assert_eq!(scene.signals(&id).await, ["SETTLE"]);
    assert_eq!(scene.read(&id).await["head"]["position"], 2);
    scene.verifies(&id).await;
    for worker in workers {
        worker.end().await;
    }
}

#[tokio::test]
async fn a_signal_is_read_by_those_who_may_read_the_record() {
    let scene = Scene::new().await;
    let worker = Working::start(&scene.app);
    let id = scene.active("auto").await;
    scene.complete(&id, json!(100)).await;
    scene.judged(&id).await;
    let path = format!("/v1/records/{id}/signals");
    for key in [&scene.org.admin, &scene.performer, &scene.app.platform] {
        let signals = scene.app.get(key, &path).await.ok(200);
        assert_eq!(signals["items"][0]["signal"], "SETTLE");
    }
    let other = scene.app.org("b").await;
    scene.app.get(&other.agent, &path).await.problem(404, "not-found");
    worker.end().await;
}
