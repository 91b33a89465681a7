//! Making, changing and looking at webhooks.

use http::Method;
use serde_json::{Value, json};

use crate::support::{Org, TestApp, text};

const URL: &str = "https://example.org/hook";

async fn make(app: &TestApp, org: &Org, wanted: Value) -> Value {
    app.post(&org.admin, "/v1/webhooks", wanted).await.ok(201)
}

async fn hook(app: &TestApp, org: &Org) -> String {
    let made = make(app, org, json!({ "url": URL, "eventTypes": ["record.recorded"] })).await;
    text(&made, "/webhook/id")
}

async fn change(app: &TestApp, key: &str, path: String, body: Value) -> crate::support::Answer {
    app.call(Method::PATCH, path).key(key).json(&body).send().await
}

#[tokio::test]
async fn a_secret_is_shown_once_and_the_same_again_to_a_retry() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let wanted = json!({ "url": URL, "eventTypes": ["record.recorded"], "description": "ours" });
    let made = app.post_once(&org.admin, "/v1/webhooks", "once", wanted.clone()).await.ok(201);
    let secret = text(&made, "/secret");
    assert!(secret.starts_with("whsec_") && secret.len() == 6 + 44, "{secret}");
    assert!(!made["nextSteps"].as_array().unwrap().is_empty());
    let again = app.post_once(&org.admin, "/v1/webhooks", "once", wanted).await.ok(201);
    assert_eq!(again, made);
    let id = text(&made, "/webhook/id");
    let read = app.get(&org.agent, format!("/v1/webhooks/{id}")).await;
    assert!(!read.text().contains(&secret[6..]));
    let read = read.ok(200);
    assert_eq!((&read["signingAlg"], &read["format"]), (&json!("hmac"), &json!("standard")));
    assert_eq!((&read["circuit"], &read["status"]), (&json!("closed"), &json!("active")));
    assert_eq!(read["backlog"], json!({ "pending": 0, "dead": 0 }));
    assert_eq!(app.all(&org.admin, "/v1/webhooks").await.len(), 1);
    // Neither the secret nor its text lies in the database in the clear.
    let dump = "SELECT coalesce(string_agg(w::text, ''), '') || (SELECT string_agg(i::text, '')
        FROM idempotency_keys i) FROM webhooks w";
    let dump: String = app.superuser().await.query_one(dump, &[]).await.unwrap().get(0);
    let raw = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, &secret[6..]);
    let hex = hex::encode(raw.unwrap());
    assert!(!dump.contains(&secret[6..]) && !dump.contains(&hex));
    assert!(!dump.contains(&hex::encode(&secret[6..])));
}

#[tokio::test]
async fn settlement_events_are_signed_with_the_servers_key_unless_asked_otherwise() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    for (wanted, alg) in [
        (json!({ "url": URL, "eventTypes": ["record.recorded"] }), "hmac"),
        (json!({ "url": URL, "eventTypes": ["record.recorded", "signal.emitted"] }), "ed25519"),
        (json!({ "url": URL, "eventTypes": ["*"] }), "ed25519"),
        (json!({ "url": URL, "eventTypes": ["*"], "signingAlg": "hmac" }), "hmac"),
        (
            json!({ "url": URL, "eventTypes": ["agent.created"], "signingAlg": "ed25519" }),
            "ed25519",
        ),
    ] {
        let made = make(&app, &org, wanted).await;
        assert_eq!(made["webhook"]["signingAlg"], alg);
        assert_eq!(made["secret"].is_string(), alg == "hmac");
        assert_eq!(made["webhook"]["keys"].is_string(), alg == "ed25519");
    }
}

#[tokio::test]
async fn what_cannot_be_a_webhook_is_refused() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    for url in [
        "http://example.org/",
        "https://user:password@example.org/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://[::ffff:169.254.169.254]/",
        "https://10.8.0.1/",
        "https://example.org:22/",
        "https://example.org/#x",
        "example.org",
    ] {
        let wanted = json!({ "url": url, "eventTypes": ["*"] });
        app.post(&org.admin, "/v1/webhooks", wanted).await.problem(422, "webhook-url-refused");
    }
    // The allow list of this process has 10.7.0.0/16.
    make(&app, &org, json!({ "url": "https://10.7.0.1/", "eventTypes": ["*"] })).await;
    for types in
        [json!([]), json!(["nothing"]), json!(["*", "record.recorded"]), json!(["webhook.test"])]
    {
        let wanted = json!({ "url": URL, "eventTypes": types });
        app.post(&org.admin, "/v1/webhooks", wanted).await.problem(422, "event-types-invalid");
    }
    for (name, value) in [("format", "xml"), ("signingAlg", "rsa"), ("description", "a\nb")] {
        let mut wanted = json!({ "url": URL, "eventTypes": ["*"] });
        wanted[name] = json!(value);
        app.post(&org.admin, "/v1/webhooks", wanted).await.problem(422, "request-invalid");
    }
    let wanted = json!({ "url": URL, "eventTypes": ["*"] });
    app.post(&app.platform, "/v1/webhooks", wanted.clone()).await.problem(422, "org-required");
    for _ in 1..50 {
        make(&app, &org, wanted.clone()).await;
    }
    app.post(&org.admin, "/v1/webhooks", wanted).await.problem(409, "too-many-webhooks");
}

#[tokio::test]
async fn a_webhook_is_changed_paused_resumed_and_deleted() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let id = hook(&app, &org).await;
    let own = format!("/v1/webhooks/{id}");
    let failing = "UPDATE webhook_endpoints SET circuit = 'open', failures = 9, due_at = now()";
    app.superuser().await.batch_execute(failing).await.unwrap();
    let read = app.get(&org.admin, &own).await.ok(200);
    assert_eq!((&read["circuit"], &read["consecutiveFailures"]), (&json!("open"), &json!(9)));
    assert!(read["probeAt"].is_string());
    let wanted = json!({ "description": "new", "format": "cloudevents" });
    let changed = change(&app, &org.admin, own.clone(), wanted).await.ok(200);
    assert_eq!(changed["webhook"]["circuit"], "open", "the same endpoint");
    let wanted = json!({ "url": "https://example.net/", "eventTypes": ["record.verdict"] });
    let changed = change(&app, &org.admin, own.clone(), wanted).await.ok(200);
    let read = app.get(&org.admin, &own).await.ok(200);
    for member in ["url", "eventTypes", "format", "description", "circuit", "consecutiveFailures"] {
        assert_eq!(read[member], changed["webhook"][member], "{member}");
    }
    assert_eq!(
        (&read["circuit"], &read["url"]),
        (&json!("closed"), &json!("https://example.net/"))
    );
    let refused =
        change(&app, &org.admin, own.clone(), json!({ "url": "https://10.0.0.1/" })).await;
    refused.problem(422, "webhook-url-refused");

    let paused = app.post(&org.admin, format!("{own}/pause"), json!({})).await.ok(200);
    assert_eq!(paused["webhook"]["status"], "paused");
    let test = app.post(&org.admin, format!("{own}/test"), json!({})).await;
    test.problem(409, "webhook-paused");
    let resumed = app.post(&org.admin, format!("{own}/resume"), json!({})).await.ok(200);
    assert_eq!(resumed["webhook"]["status"], "active");
    assert_eq!(app.get(&org.admin, &own).await.ok(200)["status"], "active");

    let call =
        || app.call(Method::DELETE, own.clone()).key(&org.admin).once("gone").json(&json!({}));
    let deleted = call().send().await.ok(200);
    assert_eq!(call().send().await.ok(200), deleted, "a retry gets the first answer");
    app.get(&org.admin, &own).await.problem(404, "not-found");
    app.post(&org.admin, format!("{own}/resume"), json!({})).await.problem(404, "not-found");
    assert!(app.all(&org.admin, "/v1/webhooks").await.is_empty());
}

#[tokio::test]
async fn a_secret_is_rotated_with_grace() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let id = hook(&app, &org).await;
    let path = format!("/v1/webhooks/{id}/rotate-secret");
    let rotated = app.post(&org.admin, &path, json!({ "graceSeconds": 60 })).await.ok(200);
    assert!(text(&rotated, "/secret").starts_with("whsec_"));
    assert_eq!(rotated["webhook"]["previousSecretUntil"], "2026-01-15T12:01:00.000Z");
    let both = "SELECT secret <> previous_secret FROM webhooks";
    assert!(app.superuser().await.query_one(both, &[]).await.unwrap().get::<_, bool>(0));
    let long = app.post(&org.admin, &path, json!({ "graceSeconds": 604_801 })).await;
    long.problem(422, "request-invalid");
    let made = make(&app, &org, json!({ "url": URL, "eventTypes": ["*"] })).await;
    let path = format!("/v1/webhooks/{}/rotate-secret", text(&made, "/webhook/id"));
    app.post(&org.admin, &path, json!({})).await.problem(409, "webhook-without-secret");
}

#[tokio::test]
async fn deliveries_are_listed_by_status_and_replayed() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let id = hook(&app, &org).await;
    let own = format!("/v1/webhooks/{id}");
    let mut tests = Vec::new();
    for _ in 0..5 {
        let tested = app.post(&org.admin, format!("{own}/test"), json!({})).await.ok(202);
        tests.push(text(&tested, "/deliveryId"));
    }
    let dead = "UPDATE webhook_deliveries SET state = 'dead', attempts = 13, last_status = 500
        WHERE id = ANY($1::text[]::uuid[])";
    let client = app.superuser().await;
    client.execute(dead, &[&&tests[..3]]).await.unwrap();
    let all = app.all(&org.agent, &format!("{own}/deliveries?limit=2")).await;
    assert_eq!(all.len(), 5);
    let dead = app.all(&org.agent, &format!("{own}/deliveries?status=dead&limit=2")).await;
    assert_eq!(dead.len(), 3);
    assert_eq!((&dead[0]["attempts"], &dead[0]["responseStatus"]), (&json!(13), &json!(500)));
    app.get(&org.agent, format!("{own}/deliveries?status=lost"))
        .await
        .problem(400, "status-invalid");
    assert_eq!(
        app.get(&org.agent, &own).await.ok(200)["backlog"],
        json!({ "pending": 2, "dead": 3 })
    );

    let one = format!("{own}/deliveries/{}/replay", tests[0]);
    let replayed = app.post(&org.admin, &one, json!({})).await.ok(200);
    assert_eq!(replayed["replayed"], 1);
    app.post(&org.admin, &one, json!({})).await.problem(409, "delivery-pending");
    let unknown = format!("{own}/deliveries/{id}/replay");
    app.post(&org.admin, unknown, json!({})).await.problem(404, "not-found");

    let range = |from: &str, to: &str| json!({ "from": from, "to": to });
    let path = format!("{own}/replay");
    let before = range("2026-01-01T00:00:00Z", "2026-01-15T12:00:00Z");
    assert_eq!(app.post(&org.admin, &path, before).await.ok(200)["replayed"], 0);
    let day = range("2026-01-15T12:00:00Z", "2026-01-16T00:00:00Z");
    let replayed = app.post_once(&org.admin, &path, "range", day.clone()).await.ok(200);
    assert_eq!((&replayed["replayed"], &replayed["more"]), (&json!(2), &json!(false)));
    let again = app.post_once(&org.admin, &path, "range", day).await.ok(200);
    assert_eq!(again["replayed"], 2, "the first answer");
    assert_eq!(
        app.get(&org.agent, &own).await.ok(200)["backlog"],
        json!({ "pending": 5, "dead": 0 })
    );
    for (wanted, code) in [
        (range("2026-01-16T00:00:00Z", "2026-01-15T00:00:00Z"), "range-invalid"),
        (range("1950-01-01T00:00:00Z", "2026-01-15T00:00:00Z"), "range-invalid"),
        (json!({ "from": "x", "to": "y" }), "request-invalid"),
        (
            json!({ "from": "2026-01-15T00:00:00Z", "to": "2026-01-16T00:00:00Z", "status": "pending" }),
            "request-invalid",
        ),
    ] {
        app.post(&org.admin, &path, wanted).await.problem(422, code);
    }
}
