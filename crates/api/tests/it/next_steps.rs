//! Whatever an answer suggests, the caller can do.

use http::Method;
use serde_json::{Value, json};

use crate::scopes::operations;
use crate::support::{Answer, TestApp, record, text};

/// Whether a concrete path is one of this template's.
fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(&path).all(|(t, p)| t.starts_with('{') || t == p)
}

/// Follows every step of an answer with the key that got it; gives the names of the actions.
async fn follow(app: &TestApp, key: &str, answer: &Value) -> Vec<String> {
    let me = app.get(key, "/v1/auth/me").await.ok(200);
    let scopes: Vec<&str> =
        me["scopes"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let steps = answer["nextSteps"].as_array().unwrap_or_else(|| panic!("no nextSteps: {answer}"));
    let mut actions = Vec::new();
    for step in steps {
        for member in ["action", "method", "href", "description"] {
            assert!(step[member].as_str().is_some_and(|s| !s.is_empty()), "{step}");
        }
        let method: Method = text(step, "/method").parse().unwrap();
        let href = text(step, "/href");
        let path = href.split('?').next().unwrap();
        let all = operations(&app.openapi);
        // A path without parameters is preferred, as the router does.
        let operation = all
            .iter()
            .filter(|o| o.method == method && fits(&o.path, path))
            .min_by_key(|o| o.path.matches('{').count())
            .unwrap_or_else(|| panic!("there is no {method} {path}"));
        assert!(scopes.contains(&operation.access.as_str()), "{step} needs {}", operation.access);
        if method == Method::GET {
            let followed = app.get(key, &href).await;
            assert_eq!(followed.status, 200, "{step}: {}", followed.text());
        }
        actions.push(text(step, "/action"));
    }
    actions
}

async fn check(app: &TestApp, key: &str, answer: Answer, expected: &[&str]) -> Value {
    assert!(answer.status.is_success(), "{}: {}", answer.asked, answer.text());
    let body: Value = serde_json::from_slice(&answer.bytes).unwrap();
    assert_eq!(follow(app, key, &body).await, expected, "{}", answer.asked);
    body
}

#[tokio::test]
async fn after_notarizing() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let writer = app.with_profile(&org, "agent-writer").await;
    let whole = ["read", "entries", "add-note", "delegate", "export"];
    let blind = ["add-note", "delegate"];
    for (key, expected, listed) in [
        (&org.agent, whole.as_slice(), ["list", "notarize"].as_slice()),
        (&org.admin, &whole, &["list", "notarize"]),
        (&writer, &blind, &["notarize"]),
    ] {
        let answer = app.post(key, "/v1/records", record("x")).await;
        let id = text(&check(&app, key, answer, expected).await, "/record/id");
        let notes = format!("/v1/records/{id}/notes");
        let answer = app.post(key, notes, json!({ "text": "note" })).await;
        check(&app, key, answer, expected).await;
        let mut child = record("child");
        child["parentRecordId"] = json!(id);
        check(&app, key, app.post(key, "/v1/records", child).await, expected).await;
        let batch = json!({ "records": [record("x"), 1] });
        check(&app, key, app.post(key, "/v1/records/batch", batch).await, listed).await;
        let refused = json!({ "records": [1] });
        check(&app, key, app.post(key, "/v1/records/batch", refused).await, listed).await;
    }
}

#[tokio::test]
async fn after_work_on_types() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let keeper = app.with_profile(&org, "admin-types").await;
    for (n, (key, registered)) in [
        (&org.admin, ["read", "notarize", "version"].as_slice()),
        (&keeper, &["read", "version"]),
        (&app.platform, &["read", "version"]),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("t-{n}");
        let mut wanted = json!({ "name": name, "recordSchema": {} });
        let mut whose = json!({});
        if key == &app.platform {
            wanted["orgId"] = json!(org.id);
            whose["orgId"] = json!(org.id);
        }
        let answer = app.post(key, "/v1/types/preview", wanted.clone()).await;
        check(&app, key, answer, &["register"]).await;
        let answer = app.post(key, "/v1/types", wanted.clone()).await;
        check(&app, key, answer, registered).await;
        let answer = app.post(key, format!("/v1/types/{name}/versions"), wanted.clone()).await;
        check(&app, key, answer, registered).await;
        // A disabled Type takes neither records nor versions.
        let answer = app.post(key, format!("/v1/types/{name}/disable"), whose).await;
        check(&app, key, answer, &["read"]).await;
        wanted["name"] = json!(format!("gated-{n}"));
        wanted["completionSchema"] = json!({});
        let answer = app.post(key, "/v1/types", wanted).await;
        let begun: Vec<&str> =
            registered.iter().map(|s| if *s == "notarize" { "create" } else { s }).collect();
        check(&app, key, answer, &begun).await;
    }
    let reader = json!({ "name": "x", "recordSchema": {} });
    let answer = app.post(&org.agent, "/v1/types/preview", reader).await;
    check(&app, &org.agent, answer, &[]).await;
}

#[tokio::test]
async fn after_work_on_access() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let answer = app.post(&app.platform, "/v1/admin/orgs", json!({ "name": "b" })).await;
    check(&app, &app.platform, answer, &["create-agent", "mint-key"]).await;
    for key in [&org.admin, &app.platform] {
        let name = &key[..12];
        let wanted = json!({ "name": name, "orgId": org.id });
        let answer = app.post(key, "/v1/admin/agents", wanted).await;
        check(&app, key, answer, &["mint-key"]).await;
        let wanted = json!({ "role": "admin", "orgId": org.id });
        let answer = app.post(key, "/v1/admin/api-keys", wanted).await;
        let minted = check(&app, key, answer, &["rotate", "revoke"]).await;
        let base = format!("/v1/admin/api-keys/{}", text(&minted, "/apiKey/id"));
        let answer = app.post(key, format!("{base}/rotate"), json!({})).await;
        let rotated = check(&app, key, answer, &["rotate", "revoke"]).await;
        assert!(text(&rotated, "/nextSteps/0/href").contains(&text(&rotated, "/apiKey/id")));
        let answer = app.post(key, format!("{base}/revoke"), json!({})).await;
        check(&app, key, answer, &["mint-key"]).await;
    }
    // A key that ended itself can do nothing more.
    let id = text(&app.get(&org.admin, "/v1/auth/me").await.ok(200), "/apiKeyId");
    let path = format!("/v1/admin/api-keys/{id}/revoke");
    let answer = app.post(&org.admin, path, json!({})).await.ok(200);
    assert_eq!(answer["nextSteps"], json!([]));
}
