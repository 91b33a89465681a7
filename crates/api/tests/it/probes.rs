//! Probes, metrics and the documentation page: for operators, without a key.

use std::sync::atomic::Ordering;

use serde_json::Value;

use crate::support::{Answer, TestApp, record};

/// Status of a probe, and what it says.
fn said(answer: &Answer) -> (u16, String) {
    let body: Value = serde_json::from_slice(&answer.bytes).unwrap();
    (answer.status.as_u16(), body["status"].as_str().unwrap().to_owned())
}

async fn probes(app: &TestApp) -> [(u16, String); 3] {
    let mut all = Vec::new();
    for path in ["/livez", "/readyz", "/health"] {
        all.push(said(&app.get("", path).await));
    }
    all.try_into().unwrap()
}

fn is(status: u16, word: &str) -> (u16, String) {
    (status, word.to_owned())
}

#[tokio::test]
async fn readiness_fails_while_draining_and_liveness_does_not() {
    let app = TestApp::new().await;
    assert_eq!(probes(&app).await, [is(200, "ok"), is(200, "ok"), is(200, "ok")]);
    let health = app.get("", "/health").await.ok(200);
    let database = &health["database"];
    assert_eq!(database["writable"], true);
    assert_eq!(database["schemaVersion"], database["expectedSchemaVersion"]);
    app.app.draining().store(true, Ordering::Relaxed);
    assert_eq!(probes(&app).await, [is(200, "ok"), is(503, "draining"), is(200, "ok")]);
    // What comes in nevertheless is served.
    let org = app.org("a").await;
    app.record_id(&org.agent, "x").await;
}

#[tokio::test]
async fn without_a_database_the_process_lives_and_says_that_it_is_not_ready() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    app.record_id(&org.agent, "x").await;
    app.app.store().close();
    assert_eq!(probes(&app).await, [is(200, "ok"), is(503, "unavailable"), is(200, "unavailable")]);
    // The key and the Type are in memory; the append is refused, and so is a read.
    let append = app.post(&org.agent, "/v1/records", record("y")).await;
    for answer in [append, app.get(&org.agent, "/v1/records").await] {
        let problem = answer.problem(503, "database-unavailable");
        assert_eq!(problem["retryable"], true);
        assert_eq!(answer.header("retry-after"), "2");
        assert!(!answer.text().contains("pool"), "nothing of the server's inside");
    }
}

#[tokio::test]
async fn metrics_count_routes_and_never_ids_or_keys() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let id = app.record_id(&org.agent, "x").await;
    app.get(&org.agent, format!("/v1/records/{id}")).await.ok(200);
    let metrics = app.get("", "/metrics").await;
    assert!(metrics.header("content-type").starts_with("text/plain"));
    let text = metrics.text();
    for wanted in
        ["deed_http_request_seconds", "route=\"/v1/records/{id}\"", "deed_append_batch_items"]
    {
        assert!(text.contains(wanted), "no {wanted} in {text}");
    }
    for hidden in [&id, &org.id, &org.agent] {
        assert!(!text.contains(hidden.as_str()), "{hidden}");
    }
}

#[tokio::test]
async fn the_documentation_page_needs_nothing_from_elsewhere() {
    let app = TestApp::new().await;
    let page = app.get("", "/docs/").await;
    assert_eq!(page.status, 200);
    let html = page.text();
    let mut assets = 0;
    for part in html.split(['"', '\'']) {
        assert!(!part.starts_with("http") && !part.starts_with("//"), "{part}");
        if [".css", ".js", ".png"].iter().any(|end| part.ends_with(end)) {
            let asset = app.get("", format!("/docs/{}", part.trim_start_matches("./"))).await;
            assert_eq!(asset.status, 200, "{part}");
            assets += 1;
        }
    }
    assert!(assets >= 3, "{html}");
}
