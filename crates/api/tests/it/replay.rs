//! A retry gets the original answer also when the same request would be refused by now.

use std::time::Duration;

use serde_json::{Value, json};

use crate::idempotency::assert_replayed;
use crate::support::{TestApp, record, text};

#[tokio::test]
async fn every_mutation_is_replayed() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let id = app.record_id(&org.agent, "x").await;
    let spare = json!({ "role": "admin", "orgId": org.id });
    let spare = app.post(&app.platform, "/v1/admin/api-keys", spare).await.ok(201);
    let spare = text(&spare, "/apiKey/id");
    let definition = |name: &str| json!({ "name": name, "recordSchema": { "type": "object" } });
    for (key, path, body) in [
        (&org.agent, "/v1/records".to_owned(), record("x")),
        (&org.agent, "/v1/records/batch".to_owned(), json!({ "records": [record("x"), 1] })),
        (&org.agent, "/v1/records/batch".to_owned(), json!({ "records": [1] })),
        (&org.agent, format!("/v1/records/{id}/notes"), json!({ "text": "note" })),
        (&org.admin, "/v1/types".to_owned(), definition("t-v1")),
        (&org.admin, "/v1/types/t-v1/versions".to_owned(), definition("t-v1")),
        (&org.admin, "/v1/types/t-v1/disable".to_owned(), json!({})),
        (&app.platform, "/v1/admin/orgs".to_owned(), json!({ "name": "b" })),
        (&org.admin, "/v1/admin/agents".to_owned(), json!({ "name": "second" })),
        (&org.admin, "/v1/admin/api-keys".to_owned(), json!({ "role": "admin" })),
        (&org.admin, format!("/v1/admin/api-keys/{spare}/rotate"), json!({ "graceSeconds": 0 })),
        (&org.admin, format!("/v1/admin/api-keys/{spare}/revoke"), json!({})),
    ] {
        let once = format!("k-{path}-{body}").replace(' ', "-");
        let first = app.post_once(key, &path, &once, body.clone()).await;
        app.advance(Duration::from_secs(5));
        let again = app.post_once(key, &path, &once, body).await;
        assert_replayed(&first, &again);
        let other = app.post_once(key, &path, &once, json!({ "another": "body" })).await;
        let code = text(&serde_json::from_slice(&other.bytes).unwrap(), "/type");
        // Some bodies are refused for their shape before the key is looked at.
        assert_eq!(other.status, 422, "{}: {}", other.asked, other.text());
        assert!(code.ends_with("request-invalid") || code.ends_with("idempotency-key-reused"));
    }
}

#[tokio::test]
async fn a_retry_after_the_type_was_disabled_gets_the_original_answer() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let batch = json!({ "records": [record("x"), record("y")] });
    let single = app.post_once(&org.agent, "/v1/records", "one", record("x")).await;
    let many = app.post_once(&org.agent, "/v1/records/batch", "many", batch.clone()).await;
    let path = "/v1/types/notarize-generic-v1/disable";
    app.post(&org.admin, path, json!({})).await.ok(200);
    app.post(&org.agent, "/v1/records", record("x")).await.problem(422, "type-disabled");
    assert_replayed(&single, &app.post_once(&org.agent, "/v1/records", "one", record("x")).await);
    assert_replayed(&many, &app.post_once(&org.agent, "/v1/records/batch", "many", batch).await);
    let other = app.post_once(&org.agent, "/v1/records", "one", record("z")).await;
    other.problem(422, "idempotency-key-reused");
    let other = json!({ "records": [record("z")] });
    let other = app.post_once(&org.agent, "/v1/records/batch", "many", other).await;
    other.problem(422, "idempotency-key-reused");
    assert_eq!(app.all(&org.agent, "/v1/records").await.len(), 3);
}

#[tokio::test]
async fn a_retry_after_the_world_changed_gets_the_original_answer() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let spare = json!({ "role": "admin", "orgId": org.id });
    let spare = app.post(&app.platform, "/v1/admin/api-keys", spare).await.ok(201);
    let definition = json!({ "name": "t-v1", "recordSchema": {} });
    app.post(&org.admin, "/v1/types", definition.clone()).await.ok(201);

    let brief = json!({ "role": "admin", "expiresAt": "2026-01-15T12:00:10Z" });
    let minted = app.post_once(&org.admin, "/v1/admin/api-keys", "m", brief.clone()).await;
    let rotate = format!("/v1/admin/api-keys/{}/rotate", text(&spare, "/apiKey/id"));
    let at_once = json!({ "graceSeconds": 0 });
    let rotated = app.post_once(&org.admin, &rotate, "r", at_once.clone()).await;
    let versions = "/v1/types/t-v1/versions";
    let version = app.post_once(&org.admin, versions, "v", definition.clone()).await;

    app.advance(Duration::from_secs(60));
    app.post(&org.admin, "/v1/types/t-v1/disable", json!({})).await.ok(200);
    let again = app.post_once(&org.admin, "/v1/admin/api-keys", "m", brief).await;
    assert_replayed(&minted, &again);
    assert_replayed(&rotated, &app.post_once(&org.admin, &rotate, "r", at_once).await);
    assert_replayed(&version, &app.post_once(&org.admin, versions, "v", definition.clone()).await);

    // Without the key the world as it is now counts.
    app.post(&org.admin, &rotate, json!({})).await.problem(409, "api-key-ended");
    app.post(&org.admin, versions, definition).await.problem(409, "type-disabled");
}

#[tokio::test]
async fn a_secret_is_replayed_but_lies_nowhere_in_the_clear() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let wanted = json!({ "role": "admin" });
    let first = app.post_once(&org.admin, "/v1/admin/api-keys", "k", wanted.clone()).await;
    let again = app.post_once(&org.admin, "/v1/admin/api-keys", "k", wanted).await;
    assert_replayed(&first, &again);
    let minted = first.ok(201);
    let secret = text(&minted, "/secret");
    let rotate = format!("/v1/admin/api-keys/{}/rotate", text(&minted, "/apiKey/id"));
    let rotated = app.post_once(&org.admin, rotate, "r", json!({})).await.ok(201);
    let replacement = text(&rotated, "/secret");
    app.get(&secret, "/v1/auth/me").await.ok(200);
    app.get(&replacement, "/v1/auth/me").await.ok(200);

    let client = app.superuser().await;
    let sql = "SELECT key, response, sealed FROM idempotency_keys ORDER BY key";
    let rows = client.query(sql, &[]).await.unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        let (response, sealed): (Vec<u8>, bool) = (row.get(1), row.get(2));
        assert!(sealed);
        let readable = serde_json::from_slice::<Value>(&response).is_ok();
        assert!(!readable, "the stored answer can be read");
        for part in [&secret, &replacement].map(|secret| &secret[9..]) {
            let found = response.windows(part.len()).any(|window| window == part.as_bytes());
            assert!(!found, "the stored answer shows the secret");
        }
    }
}

#[tokio::test]
async fn a_stored_secret_cannot_be_moved_to_another_key() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let wanted = json!({ "role": "admin" });
    app.post_once(&org.admin, "/v1/admin/api-keys", "k", wanted.clone()).await.ok(201);
    let client = app.superuser().await;
    client.batch_execute("UPDATE idempotency_keys SET key = 'other'").await.unwrap();
    let moved = app.post_once(&org.admin, "/v1/admin/api-keys", "other", wanted).await;
    moved.problem(422, "answer-sealed");
}
