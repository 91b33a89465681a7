//! Whatever changes something leaves its event in the outbox, by the same transaction; and every event that
//! is told has the form that the catalogue says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use deed_lifecycle::{Action, Role, VerdictMode};
use deed_notify::EventType;
use deed_notify::circuit::{Circuit, Health};
use deed_store::webhooks::{Attempt, Outcome, PendingDelivery};
use http::Method;
use serde_json::{Value, json};

use crate::parties::Parties;
use crate::support::{Answer, record, text};

const DEAD: &str =
    "INSERT INTO jobs (id, kind, org_id, payload, priority, state, run_at, attempt, fence)
    VALUES ('0196f000-0000-7000-8000-000000000001', 'probe', '00000000-0000-0000-0000-000000000000',
        '{}', 0, 'dead', now(), 5, 5)";

/// Kinds of the events that were written by the transaction that stored this idempotency key.
const CAUSED: &str = "SELECT coalesce(string_agg(kind, ' ' ORDER BY seq), '') FROM events
    WHERE xmin = (SELECT xmin FROM idempotency_keys WHERE key = $1)";

struct Walk {
    parties: Parties,
    /// What each operation that was called has caused.
    caused: BTreeMap<String, BTreeSet<String>>,
    calls: usize,
}

impl Walk {
    async fn call(&mut self, key: &str, route: &str, path: &str, body: Value) -> Value {
        self.send(Method::POST, key, route, path, body).await
    }

    /// Calls an operation with an idempotency key, and notes what events came with it.
    async fn send(
        &mut self,
        method: Method,
        key: &str,
        route: &str,
        path: &str,
        body: Value,
    ) -> Value {
        self.calls += 1;
        let once = format!("call-{}", self.calls);
        let call = self.parties.app.call(method, path).key(key).once(&once).json(&body);
        let answer: Answer = call.send().await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text());
        let row = self.parties.app.superuser().await.query_one(CAUSED, &[&once]).await.unwrap();
        self.caused.entry(route.to_owned()).or_default().insert(row.get(0));
        serde_json::from_slice(&answer.bytes).unwrap()
    }

    /// An action of a party on a record.
    async fn act(&mut self, id: &str, role: Role, action: Action) {
        let (path, body) = self.parties.request(action);
        let (route, path) =
            (format!("/v1/records/{{id}}/{path}"), format!("/v1/records/{id}/{path}"));
        let key = self.parties.key(role).to_owned();
        self.call(&key, &route, &path, body).await;
    }

    async fn draft(&mut self, mode: VerdictMode) -> String {
        let (key, wanted) = (self.parties.org.agent.clone(), self.parties.draft(mode));
        text(&self.call(&key, "/v1/records", "/v1/records", wanted).await, "/record/id")
    }

    async fn administration(&mut self) {
        let (platform, admin) = (self.parties.app.platform.clone(), self.parties.org.admin.clone());
        self.call(&platform, "/v1/admin/orgs", "/v1/admin/orgs", json!({ "name": "c" })).await;
        let agents = "/v1/admin/agents";
        let agent = self.call(&admin, agents, agents, json!({ "name": "new" })).await;
        let keys = "/v1/admin/api-keys";
        let wanted = json!({ "role": "agent", "agentId": agent["id"] });
        let key = text(&self.call(&admin, keys, keys, wanted).await, "/apiKey/id");
        let rotate = format!("{keys}/{key}/rotate");
        self.call(&admin, "/v1/admin/api-keys/{id}/rotate", &rotate, json!({})).await;
        let revoke = format!("{keys}/{key}/revoke");
        self.call(&admin, "/v1/admin/api-keys/{id}/revoke", &revoke, json!({})).await;
        let definition = json!({ "name": "own-v1", "recordSchema": {} });
        self.call(&admin, "/v1/types", "/v1/types", definition.clone()).await;
        let versions = "/v1/types/own-v1/versions";
        self.call(&admin, "/v1/types/{name}/versions", versions, definition).await;
        let disable = "/v1/types/own-v1/disable";
        self.call(&admin, "/v1/types/{name}/disable", disable, json!({})).await;
        self.parties.app.superuser().await.batch_execute(DEAD).await.unwrap();
        let replay = "/v1/admin/jobs/0196f000-0000-7000-8000-000000000001/replay";
        self.call(&platform, "/v1/admin/jobs/{id}/replay", replay, json!({})).await;
        self.call(&platform, "/v1/admin/audit", "/v1/admin/audit", json!({})).await;
    }

    /// A webhook from its beginning to its end.
    async fn webhook(&mut self) {
        let (admin, hooks) = (self.parties.org.admin.clone(), "/v1/webhooks");
        let wanted = json!({ "url": "https://example.org/", "eventTypes": ["agent.created"] });
        let id = text(&self.call(&admin, hooks, hooks, wanted).await, "/webhook/id");
        let (route, own) = ("/v1/webhooks/{id}", format!("{hooks}/{id}"));
        let changed = json!({ "url": "https://example.net/" });
        self.send(Method::PATCH, &admin, route, &own, changed).await;
        for action in ["pause", "resume", "rotate-secret", "test"] {
            let (route, path) = (format!("{route}/{action}"), format!("{own}/{action}"));
            self.call(&admin, &route, &path, json!({})).await;
        }
        let delivery = self.circuit().await;
        let path = format!("{own}/deliveries/{delivery}/replay");
        let one = "/v1/webhooks/{id}/deliveries/{deliveryId}/replay";
        self.call(&admin, one, &path, json!({})).await;
        let range = json!({ "from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z" });
        let replay = format!("{route}/replay");
        self.call(&admin, &replay, &format!("{own}/replay"), range).await;
        self.send(Method::DELETE, &admin, route, &own, json!({})).await;
    }

    /// The endpoint fails for good at the one delivery there is, and is well again later.
    async fn circuit(&self) -> String {
        let dead = |delivery: &PendingDelivery| Attempt {
            id: delivery.id,
            outcome: Outcome::Dead,
            status: None,
            error: None,
            response: None,
            took: Duration::ZERO,
        };
        let (app, mut tried) = (&self.parties.app, Vec::new());
        let store = app.app.store();
        for health in [
            Health { circuit: Circuit::Open, failures: 5 },
            Health { circuit: Circuit::Closed, failures: 0 },
        ] {
            let due = "UPDATE webhook_endpoints SET due_at = now()";
            app.superuser().await.batch_execute(due).await.unwrap();
            let claimed = store.claim_webhooks(store.new_replica(), 1, 1, Duration::from_secs(60));
            let claimed = claimed.await.unwrap();
            let attempts: Vec<Attempt> = claimed[0].deliveries.iter().map(dead).collect();
            tried.extend(attempts.iter().map(|attempt| attempt.id));
            assert!(store.settle_webhook(claimed[0].held, health, attempts).await.unwrap());
        }
        tried[0].to_string()
    }

    async fn notarized(&mut self) {
        let agent = self.parties.org.agent.clone();
        let made = self.call(&agent, "/v1/records", "/v1/records", record("one")).await;
        let notes = format!("/v1/records/{}/notes", text(&made, "/record/id"));
        self.call(&agent, "/v1/records/{id}/notes", &notes, json!({ "text": "t" })).await;
        let batch = json!({ "records": [record("two")] });
        self.call(&agent, "/v1/records/batch", "/v1/records/batch", batch).await;
    }

    async fn failed(&mut self) -> String {
        use Action::{Accept, Activate, Amend, Complete, Propose, RequestRevision, VerdictReject};
        let id = self.draft(VerdictMode::Principal).await;
        for (role, action) in [
            (Role::Principal, Amend),
            (Role::Principal, Propose),
            (Role::Performer, Accept),
            (Role::Principal, Activate),
            (Role::Performer, Complete),
            (Role::Principal, RequestRevision),
            (Role::Performer, Complete),
            (Role::Principal, VerdictReject),
            (Role::Performer, Action::Dispute),
        ] {
            self.act(&id, role, action).await;
        }
        id
    }

    async fn lifecycle(&mut self) {
        let overturned = self.failed().await;
        self.act(&overturned, Role::Principal, Action::EscalateToReview).await;
        self.act(&overturned, Role::Accessor, Action::ResolveOverturn).await;
        let withdrawn = self.failed().await;
        self.act(&withdrawn, Role::Performer, Action::WithdrawDispute).await;
        let refused = self.draft(VerdictMode::Principal).await;
        self.act(&refused, Role::Principal, Action::Propose).await;
        self.act(&refused, Role::Performer, Action::Refuse).await;
        let cancelled = self.draft(VerdictMode::Principal).await;
        self.act(&cancelled, Role::Principal, Action::Cancel).await;
    }

    /// What the server does by itself.
    async fn system(&mut self) {
        let judged = self.draft(VerdictMode::Auto).await;
        self.act(&judged, Role::Principal, Action::Activate).await;
        self.act(&judged, Role::Performer, Action::Complete).await;
        assert!(self.parties.system(&judged, Action::EvaluationFailed).await);
        self.act(&judged, Role::Performer, Action::Dispute).await;
        assert!(self.parties.system(&judged, Action::ReevaluationPassed).await);
        let mut wanted = self.parties.draft(VerdictMode::Principal);
        wanted["deadline"] = json!("2026-01-15T13:00:00Z");
        self.parties.create(wanted).await;
        self.parties.app.advance(Duration::from_secs(7200));
        assert_eq!(self.parties.app.app.store().expire_due(10).await.unwrap(), 1);
    }
}

async fn walk() -> Walk {
    let parties = Parties::new().await;
    let mut walk = Walk { parties, caused: BTreeMap::new(), calls: 0 };
    walk.administration().await;
    walk.webhook().await;
    walk.notarized().await;
    walk.lifecycle().await;
    walk.system().await;
    walk
}

#[tokio::test]
async fn every_mutation_writes_its_event_in_its_own_transaction() {
    let walk = walk().await;
    let expected = [
        ("/v1/admin/agents", "agent.created"),
        ("/v1/admin/api-keys", "api-key.minted"),
        ("/v1/admin/api-keys/{id}/revoke", "api-key.revoked"),
        ("/v1/admin/api-keys/{id}/rotate", "api-key.rotated"),
        ("/v1/admin/audit", "audit.requested"),
        ("/v1/admin/jobs/{id}/replay", "job.replayed"),
        ("/v1/admin/orgs", "org.created type.registered"),
        ("/v1/records", "record.created|record.recorded"),
        ("/v1/records/batch", "record.recorded"),
        ("/v1/records/{id}/accept", "record.accepted"),
        ("/v1/records/{id}/activate", "record.activated"),
        ("/v1/records/{id}/amend", "record.amended"),
        ("/v1/records/{id}/cancel", "record.cancelled"),
        ("/v1/records/{id}/completions", "record.completed"),
        ("/v1/records/{id}/dispute", "record.disputed"),
        ("/v1/records/{id}/dispute/escalate", "record.escalated"),
        ("/v1/records/{id}/dispute/resolve", "record.resolved signal.emitted"),
        ("/v1/records/{id}/dispute/withdraw", "record.dispute-withdrawn"),
        ("/v1/records/{id}/notes", "record.note-added"),
        ("/v1/records/{id}/outcome", "record.revision-requested|record.verdict signal.emitted"),
        ("/v1/records/{id}/propose", "record.proposed"),
        ("/v1/records/{id}/refuse", "record.refused"),
        ("/v1/types", "type.registered"),
        ("/v1/types/{name}/disable", "type.disabled"),
        ("/v1/types/{name}/versions", "type.registered"),
        ("/v1/webhooks", "webhook.created"),
        ("/v1/webhooks/{id}", "webhook.changed|webhook.deleted"),
        ("/v1/webhooks/{id}/deliveries/{deliveryId}/replay", "webhook.replayed"),
        ("/v1/webhooks/{id}/pause", "webhook.paused"),
        ("/v1/webhooks/{id}/replay", "webhook.replayed"),
        ("/v1/webhooks/{id}/resume", "webhook.resumed"),
        ("/v1/webhooks/{id}/rotate-secret", "webhook.secret-rotated"),
        ("/v1/webhooks/{id}/test", "webhook.test-requested"),
    ];
    let joined = |kinds: &BTreeSet<String>| kinds.iter().cloned().collect::<Vec<_>>().join("|");
    let caused: Vec<(&str, String)> =
        walk.caused.iter().map(|(route, kinds)| (route.as_str(), joined(kinds))).collect();
    let expected: Vec<(&str, String)> =
        expected.map(|(route, kinds)| (route, kinds.to_owned())).to_vec();
    assert_eq!(caused, expected);
    // Nothing that changes something is missing in this test; a preview changes nothing.
    let paths = walk.parties.app.openapi["paths"].as_object().unwrap();
    let changing = paths.iter().filter(|(_, item)| {
        ["post", "put", "patch", "delete"].iter().any(|method| item.get(method).is_some())
    });
    let changing: BTreeSet<&str> = changing.map(|(path, _)| path.as_str()).collect();
    let known = walk.caused.keys().map(String::as_str).chain(["/v1/types/preview"]);
    assert_eq!(changing, known.collect(), "add the new route here");
}

/// The schema, with every member that it does not describe forbidden.
fn closed(mut schema: Value) -> Value {
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for property in properties.values_mut() {
            *property = closed(property.take());
        }
        schema["additionalProperties"] = false.into();
    }
    schema
}

#[tokio::test]
async fn every_event_is_told_as_the_catalogue_says() {
    let walk = walk().await;
    let app = &walk.parties.app;
    let last = "SELECT max(seq) FROM events";
    let last: i64 = app.superuser().await.query_one(last, &[]).await.unwrap().get(0);
    while app.app.store().event_horizon().await.unwrap() < last {
        tokio::task::yield_now().await;
    }
    let (mut seen, mut ids, mut cursor) = (BTreeSet::new(), BTreeSet::new(), String::new());
    loop {
        let page = app.get(&app.platform, format!("/v1/events?limit=7{cursor}")).await.ok(200);
        for event in page["items"].as_array().unwrap() {
            let kind = EventType::parse(event["type"].as_str().unwrap()).expect("a known type");
            let strict = closed(kind.data_schema());
            if let Err(error) = jsonschema::draft202012::validate(&strict, &event["data"]) {
                panic!("{error}: {event}");
            }
            assert!(ids.insert(event["id"].to_string()), "told twice: {event}");
            assert_eq!(kind.is_about_a_record(), event["position"].is_i64(), "{event}");
            seen.insert(kind);
        }
        cursor = format!("&cursor={}", text(&page, "/nextCursor"));
        if page["more"] == false {
            break;
        }
    }
    let count = "SELECT count(*) FROM events";
    let count: i64 = app.superuser().await.query_one(count, &[]).await.unwrap().get(0);
    assert_eq!(i64::try_from(ids.len()).unwrap(), count);
    let missing: Vec<_> = EventType::ALL.iter().filter(|kind| !seen.contains(kind)).collect();
    assert_eq!(missing, [&EventType::WebhookTest], "events that nothing here causes");
}
