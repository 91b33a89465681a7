//! What an API key is worth: expiry, revocation, rotation, and how it is stored.

use std::time::Duration;

use serde_json::json;

use crate::support::{TestApp, api_config, text};

async fn id_of(app: &TestApp, key: &str) -> String {
    text(&app.get(key, "/v1/auth/me").await.ok(200), "/apiKeyId")
}

#[tokio::test]
async fn a_key_works_until_it_expires() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let wanted =
        json!({ "role": "admin", "orgId": org.id, "expiresAt": "2026-01-15T12:00:10.000Z" });
    let key = app.mint(wanted).await;
    let me = app.get(&key, "/v1/auth/me").await.ok(200);
    assert_eq!(me["expiresAt"], "2026-01-15T12:00:10.000Z");
    app.advance(Duration::from_millis(9_999));
    app.get(&key, "/v1/auth/me").await.ok(200);
    app.advance(Duration::from_millis(1));
    app.get(&key, "/v1/auth/me").await.problem(401, "unauthorized");
    let past = json!({ "role": "admin", "expiresAt": "2026-01-15T12:00:10.000Z" });
    let refused = app.post(&org.admin, "/v1/admin/api-keys", past).await;
    refused.problem(422, "request-invalid");
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once_by_the_process_that_revoked_it() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let id = id_of(&app, &org.agent).await;
    let path = format!("/v1/admin/api-keys/{id}/revoke");
    let revoked = app.post(&org.admin, &path, json!({})).await.ok(200);
    assert_eq!(revoked["apiKey"]["revokedAt"], "2026-01-15T12:00:00.000Z");
    app.get(&org.agent, "/v1/auth/me").await.problem(401, "unauthorized");
    // A second revocation keeps the time of the first.
    app.advance(Duration::from_secs(10));
    let again = app.post(&org.admin, &path, json!({})).await.ok(200);
    assert_eq!(again["apiKey"]["revokedAt"], revoked["apiKey"]["revokedAt"]);
    let listed = app.all(&org.admin, "/v1/admin/api-keys").await;
    let listed = listed.iter().find(|key| key["id"] == json!(id)).expect("the key is listed");
    assert_eq!(listed["revokedAt"], revoked["apiKey"]["revokedAt"]);
    let rotate = app.post(&org.admin, format!("/v1/admin/api-keys/{id}/rotate"), json!({})).await;
    rotate.problem(409, "api-key-ended");
}

#[tokio::test]
async fn a_process_that_has_not_seen_the_key_refuses_it_too() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let id = id_of(&app, &org.agent).await;
    // This one has never seen the key, so it asks the database.
    let sibling = app.sibling().await;
    let path = format!("/v1/admin/api-keys/{id}/revoke");
    app.post(&org.admin, path, json!({})).await.ok(200);
    sibling.get(&org.agent, "/v1/auth/me").await.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_rotated_key_works_through_its_grace() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let id = id_of(&app, &org.agent).await;
    let path = format!("/v1/admin/api-keys/{id}/rotate");
    let rotated = app.post(&org.admin, &path, json!({ "graceSeconds": 60 })).await.ok(201);
    let new = text(&rotated, "/secret");
    assert!(new.starts_with("deed_agt_"));
    let (old_me, new_me) = (
        app.get(&org.agent, "/v1/auth/me").await.ok(200),
        app.get(&new, "/v1/auth/me").await.ok(200),
    );
    for member in ["role", "orgId", "agentId", "label", "scopeProfile", "scopes"] {
        assert_eq!(old_me[member], new_me[member], "{member}");
    }
    assert_eq!(old_me["expiresAt"], "2026-01-15T12:01:00.000Z");
    assert!(new_me["expiresAt"].is_null());
    let again = app.post(&org.admin, &path, json!({})).await;
    again.problem(409, "api-key-replaced");
    app.advance(Duration::from_secs(60));
    app.get(&org.agent, "/v1/auth/me").await.problem(401, "unauthorized");
    app.get(&new, "/v1/auth/me").await.ok(200);
    let listed = app.all(&org.admin, "/v1/admin/api-keys").await;
    let old = listed.iter().find(|key| key["id"] == json!(id)).expect("the old key is listed");
    assert_eq!(old["replacedBy"], rotated["apiKey"]["id"]);
}

#[tokio::test]
async fn grace_is_zero_to_thirty_days_and_one_day_when_not_given() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let id = id_of(&app, &org.agent).await;
    let path = format!("/v1/admin/api-keys/{id}/rotate");
    for bad in [json!(2_592_001), json!(-1), json!("1"), json!(1.5)] {
        let refused = app.post(&org.admin, &path, json!({ "graceSeconds": bad })).await;
        refused.problem(422, "request-invalid");
    }
    // No body at all stands for an empty one.
    let bare = app.call(http::Method::POST, &path).key(&org.admin).send().await;
    let new = text(&bare.ok(201), "/secret");
    let me = app.get(&org.agent, "/v1/auth/me").await.ok(200);
    assert_eq!(me["expiresAt"], "2026-01-16T12:00:00.000Z");
    let next = format!("/v1/admin/api-keys/{}/rotate", id_of(&app, &new).await);
    app.post(&org.admin, next, json!({ "graceSeconds": 0 })).await.ok(201);
    app.get(&new, "/v1/auth/me").await.problem(401, "unauthorized");
}

#[tokio::test]
async fn no_table_holds_a_key_in_the_clear() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let minted = app
        .post_once(&org.admin, "/v1/admin/api-keys", "k", json!({ "role": "admin" }))
        .await
        .ok(201);
    let secrets = [app.platform.clone(), org.admin, org.agent, text(&minted, "/secret")];
    let client = app.superuser().await;
    let tables = client
        .query(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
             WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
            &[],
        )
        .await
        .unwrap();
    assert!(tables.len() > 10);
    let mut dump = String::new();
    for table in tables {
        let table: String = table.get(0);
        // Bytes as text too, so that a secret in a bytea column would be seen.
        let sql = format!("SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM {table} t");
        dump += &client.query_one(&sql, &[]).await.unwrap().get::<_, String>(0);
    }
    assert!(dump.contains("admin-standard"), "the dump has the API keys' rows");
    for secret in secrets {
        // Beyond the hint, the first 13 characters, nothing is there; bytea shows as hex.
        let rest = &secret[13..];
        assert!(!dump.contains(rest), "a key in the clear");
        assert!(!dump.contains(&hex::encode(rest)), "a key in the clear, as bytes");
        assert!(dump.contains(&secret[..13]), "the hint is there");
    }
}

#[tokio::test]
async fn a_key_of_another_secret_is_unknown() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let mut config = api_config();
    config.api_key_secret = deed_api::Secret(vec![8; 32]);
    let other = app.sibling_with(config).await;
    other.get(&org.agent, "/v1/auth/me").await.problem(401, "unauthorized");
    other.get(&other.platform, "/v1/auth/me").await.ok(200);
}
