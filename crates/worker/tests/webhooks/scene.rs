//! A database with an organisation, webhooks, events, and a worker that delivers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use deed_notify::EventType;
use deed_notify::address::Guard;
use deed_notify::circuit::{Circuit, Health};
use deed_notify::signature::standard::Secret;
use deed_store::events::{NewEvent, tell};
use deed_store::idempotency::Answer;
use deed_store::webhooks::{
    self, Delivery, DeliveryState, Format, SecretSealer, SigningAlg, Webhook,
};
use deed_store::{Body, Store, Tx, random};
use deed_worker::{WebhookConfig, Webhooks, Worker, WorkerConfig};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{Scene, usual};
use deed_testkit::endpoint::ca_pem;

pub(crate) const SERVER_SECRET: [u8; 32] = [5; 32];

pub(crate) struct Hooks {
    pub(crate) scene: Scene,
    pub(crate) client: Client,
    pub(crate) org: Uuid,
    pub(crate) secret: Secret,
}

impl Hooks {
    pub(crate) async fn new() -> Self {
        let scene = Scene::new().await;
        let client = scene.client().await;
        let org = Uuid::now_v7();
        let sql = "INSERT INTO orgs (id, name) VALUES ($1, 'hooks')";
        client.execute(sql, &[&org]).await.unwrap();
        let sql = "INSERT INTO api_keys (id, role, org_id, label, scope_profile, key_hash, hint)
            VALUES ($1, 'admin', $1, 'test', 'admin-standard', decode(repeat('ab', 32), 'hex'), 'x')";
        client.execute(sql, &[&org]).await.unwrap();
        Self { scene, client, org, secret: Secret::from_bytes([7; 32]).unwrap() }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.scene.store
    }

    /// Runs a mutation.
    pub(crate) async fn mutate<F>(&self, body: F)
    where
        F: for<'a> Fn(Tx<'a>) -> Body<'a, ()> + Send + Sync + 'static,
    {
        let body = Arc::new(body);
        let done = self.store().mutate("test", None, move |tx| {
            let body = Arc::clone(&body);
            Box::pin(async move {
                body(tx).await?;
                Ok(Answer { status: 200, body: Vec::new(), sealed: None })
            })
        });
        done.await.unwrap();
    }

    pub(crate) fn described(&self, url: &str) -> Webhook {
        let now = self.store().clock().now();
        Webhook {
            id: random::uuid_v7(now),
            org_id: self.org,
            created_by: self.org,
            description: String::new(),
            url: url.to_owned(),
            // Not all: webhooks of one organisation are told of one another.
            event_types: vec![EventType::RecordNoteAdded.as_str().to_owned()],
            format: Format::Standard,
            signing_alg: SigningAlg::Hmac,
            previous_until: None,
            created_at: now,
            paused_at: None,
            health: Health { circuit: Circuit::Closed, failures: 0 },
            probe_at: None,
            last_success_at: None,
            last_failure_at: None,
        }
    }

    /// Makes a webhook; one with HMAC has the secret of the scene.
    pub(crate) async fn make(&self, webhook: Webhook) -> Uuid {
        let id = webhook.id;
        let sealed = SecretSealer::new(&SERVER_SECRET).seal(id, &self.secret).unwrap();
        self.mutate(move |tx| {
            let (webhook, sealed) = (webhook.clone(), sealed.clone());
            Box::pin(async move {
                let sealed = (webhook.signing_alg == SigningAlg::Hmac).then_some(sealed);
                webhooks::create(tx, &webhook, sealed.as_deref()).await
            })
        })
        .await;
        id
    }

    pub(crate) async fn hook(&self, url: &str) -> Uuid {
        self.make(self.described(url)).await
    }

    /// Tells of something about a record.
    pub(crate) async fn tell(&self, record: Uuid, data: Value) {
        let org_id = Some(self.org);
        let event = EventType::RecordNoteAdded;
        let new = NewEvent { event, org_id, record_id: Some(record), data };
        self.mutate(move |tx| {
            let new = new.clone();
            Box::pin(async move { tell(tx, &new).await })
        })
        .await;
    }

    /// Tells of `count` things about as many records.
    pub(crate) async fn tell_many(&self, count: usize) {
        for n in 0..count {
            self.tell(Uuid::now_v7(), json!({ "n": n })).await;
        }
    }

    /// A backlog that is there already, as it is after an endpoint has hung for a while.
    pub(crate) async fn pile_up(&self, webhook: Uuid, count: i32) {
        let sql = "INSERT INTO webhook_deliveries
                (id, webhook_id, seq, event_id, event_type, record_id, body)
            SELECT gen_random_uuid(), $1, -n, gen_random_uuid(), 'record.recorded',
                gen_random_uuid(), '{}' FROM generate_series(1, $2) n";
        self.client.execute(sql, &[&webhook, &count]).await.unwrap();
        self.due(webhook).await;
    }

    /// As if the time had come: of retries and of an open circuit.
    pub(crate) async fn due(&self, webhook: Uuid) {
        let sql = "UPDATE webhook_deliveries SET next_at = now()
            WHERE webhook_id = $1 AND next_at IS NOT NULL AND state = 'pending'";
        self.client.execute(sql, &[&webhook]).await.unwrap();
        let sql =
            "UPDATE webhook_endpoints SET due_at = now() WHERE webhook_id = $1 AND NOT leased";
        self.client.execute(sql, &[&webhook]).await.unwrap();
    }

    pub(crate) async fn webhook(&self, id: Uuid) -> Webhook {
        self.store().webhook(id, None).await.unwrap()
    }

    pub(crate) async fn log(&self, webhook: Uuid, state: DeliveryState) -> Vec<Delivery> {
        self.store().webhook_deliveries(webhook, &[state], None, 1000).await.unwrap().items
    }

    /// Waits until a delivery is in this state, and gives all that are.
    pub(crate) async fn until(
        &self,
        webhook: Uuid,
        state: DeliveryState,
        done: impl Fn(&[Delivery]) -> bool,
    ) -> Vec<Delivery> {
        loop {
            let log = self.log(webhook, state).await;
            if done(&log) {
                return log;
            }
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn deliver(&self) -> Delivering {
        self.deliver_with(&["127.0.0.1/32"], &[], usual())
    }

    pub(crate) fn deliver_with(
        &self,
        networks: &[&str],
        name_servers: &[SocketAddr],
        config: WorkerConfig,
    ) -> Delivering {
        start(self.store().clone(), networks, name_servers, config)
    }
}

pub(crate) fn start(
    store: Store,
    networks: &[&str],
    name_servers: &[SocketAddr],
    config: WorkerConfig,
) -> Delivering {
    let webhooks = Webhooks::new(WebhookConfig {
        guard: Guard::new(networks.iter().map(|network| network.parse().unwrap()).collect()),
        extra_ca: Some(ca_pem()),
        name_servers: name_servers.to_vec(),
        concurrency: 16,
        server_secret: SERVER_SECRET.to_vec(),
    });
    let id = store.new_replica();
    let worker = Worker::new(store, id, Vec::new(), config).with_webhooks(webhooks.unwrap());
    let stop = CancellationToken::new();
    let task = tokio::spawn(worker.run(Arc::new(AtomicBool::new(false)), stop.clone()));
    Delivering { stop, task }
}

/// A worker that delivers.
pub(crate) struct Delivering {
    pub(crate) stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Delivering {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}
