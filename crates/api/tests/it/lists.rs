//! Lists: filters, and pages that are complete and stable.

use std::time::Duration;

use serde_json::json;

use crate::support::{Answer, TestApp, record, text};

fn ids(page: &Answer) -> Vec<String> {
    page.ok(200)["items"].as_array().unwrap().iter().map(|item| text(item, "/id")).collect()
}

#[tokio::test]
async fn references_are_searchable() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let other = app.org("b").await;
    for key in [&org.agent, &other.agent] {
        for ticket in ["T-1", "T-2", "T-2"] {
            let mut wanted = record("x");
            wanted["references"] = json!({ "ticket": ticket, "trace:id/x": "a b&c=ü" });
            app.post(key, "/v1/records", wanted).await.ok(201);
        }
        app.record_id(key, "without").await;
    }
    let find = async |key: &str, value: &str| {
        let path = format!("/v1/records?referenceKey={key}&referenceValue={value}");
        app.all(&org.agent, &path).await.len()
    };
    assert_eq!(find("ticket", "T-1").await, 1);
    assert_eq!(find("ticket", "T-2").await, 2);
    assert_eq!(find("ticket", "T-3").await, 0);
    assert_eq!(find("other", "T-1").await, 0);
    assert_eq!(find("trace:id/x", "a%20b%26c%3D%C3%BC").await, 3);
    let half = app.get(&org.agent, "/v1/records?referenceKey=ticket").await;
    half.problem(400, "reference-incomplete");
}

#[tokio::test]
async fn all_conditions_must_hold() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let second = app.agent(&org.id, "second").await;
    let schema = json!({ "name": "other-v1", "recordSchema": {} });
    app.post(&org.admin, "/v1/types", schema).await.ok(201);
    let early = app.record_id(&org.agent, "early").await;
    app.advance(Duration::from_secs(60));
    let mut wanted = record("late");
    wanted["type"] = json!("other-v1");
    wanted["principalAgentId"] = json!(second);
    let late = text(&app.post(&org.agent, "/v1/records", wanted).await.ok(201), "/record/id");

    let (early, late) = (early.as_str(), late.as_str());
    let find = async |query: &str| {
        let found = app.all(&org.agent, &format!("/v1/records?{query}")).await;
        found.iter().map(|item| text(item, "/id")).collect::<Vec<_>>()
    };
    assert_eq!(find("").await, [late, early], "newest first");
    assert_eq!(find("type=other-v1").await, [late]);
    assert_eq!(find("type=nothing-v1").await, [""; 0]);
    assert_eq!(find("status=RECORDED").await.len(), 2);
    assert_eq!(find(&format!("principalAgentId={second}")).await, [late]);
    assert_eq!(find("to=2026-01-15T12:00:30Z").await, [early]);
    assert_eq!(find("from=2026-01-15T12:00:30Z").await, [late]);
    assert_eq!(find("from=2026-01-15T12:00:00Z&to=2026-01-15T12:01:00Z").await, [early]);
    assert_eq!(find("from=2026-01-15T13:01:00%2B01:00").await, [late], "another zone");
    assert_eq!(find("from=2026-01-15T12:00:30Z&type=notarize-generic-v1").await, [""; 0]);
    let both = find(&format!("type=other-v1&principalAgentId={second}&status=RECORDED")).await;
    assert_eq!(both, [late]);
    // Lists leave the content out.
    let listed = app.get(&org.agent, "/v1/records").await;
    assert!(!listed.text().contains("criteria"));
}

#[tokio::test]
async fn times_far_away_are_bounds_like_others() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    app.record_id(&org.agent, "x").await;
    for (query, expected) in [
        ("from=1969-12-31T23:59:59Z", 1),
        ("from=0001-01-01T00:00:00Z", 1),
        ("to=1969-12-31T23:59:59Z", 0),
        ("to=9999-12-31T23:59:59Z", 1),
        ("from=9999-12-31T23:59:59Z", 0),
        ("to=%2B200000-01-01T00:00:00Z", 1),
        ("from=%2B200000-01-01T00:00:00Z", 0),
        ("from=-200000-01-01T00:00:00Z", 1),
    ] {
        let found = app.all(&org.agent, &format!("/v1/records?{query}")).await;
        assert_eq!(found.len(), expected, "{query}");
    }
}

#[tokio::test]
async fn bad_queries_are_problems() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    for (query, code) in [
        ("limit=0", "limit-invalid"),
        ("limit=201", "limit-invalid"),
        ("limit=x", "query-invalid"),
        ("limit=-1", "query-invalid"),
        ("cursor=%21", "cursor-invalid"),
        ("cursor=AAAA", "cursor-invalid"),
        ("status=DONE", "status-unknown"),
        ("from=yesterday", "query-invalid"),
        ("parentRecordId=17", "query-invalid"),
        ("unknown=1", "query-invalid"),
        ("type=a&type=b", "query-invalid"),
    ] {
        app.get(&org.admin, format!("/v1/records?{query}")).await.problem(400, code);
    }
    for path in
        ["/v1/types?cursor=AA", "/v1/admin/agents?cursor=AA", "/v1/admin/api-keys?cursor=AA"]
    {
        app.get(&org.admin, path).await.problem(400, "cursor-invalid");
    }
    app.get(&org.admin, "/v1/types/%FF").await.problem(400, "path-invalid");
}

#[tokio::test]
async fn pages_are_complete_and_stable_while_records_are_added() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let mut expected = Vec::new();
    for n in 0..23 {
        app.advance(Duration::from_millis(1));
        expected.insert(0, app.record_id(&org.agent, &n.to_string()).await);
    }
    for limit in [1, 5, 23, 24, 200] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = app.get(&org.agent, format!("/v1/records?limit={limit}{cursor}")).await;
            let items = ids(&page);
            assert!(items.len() <= limit);
            seen.extend(items);
            let Some(next) = page.ok(200)["nextCursor"].as_str().map(str::to_owned) else { break };
            cursor = format!("&cursor={next}");
            // A newer record belongs to an earlier page: it moves nothing.
            app.advance(Duration::from_millis(1));
            app.record_id(&org.agent, "newer").await;
        }
        assert_eq!(seen, expected, "limit {limit}");
        // What was added meanwhile is on the first page of the next round.
        expected = app
            .all(&org.agent, "/v1/records?limit=200")
            .await
            .iter()
            .map(|r| text(r, "/id"))
            .collect();
    }
}

#[tokio::test]
async fn other_lists_have_pages_too() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    app.org("b").await;
    for n in 0..5 {
        app.agent(&org.id, &format!("agent-{n}")).await;
        app.mint(json!({ "role": "admin", "orgId": org.id, "label": format!("key-{n}") })).await;
        let definition = json!({ "name": format!("type-{n}"), "recordSchema": {} });
        app.post(&org.admin, "/v1/types", definition).await.ok(201);
    }
    for (key, path, expected, id) in [
        (&org.admin, "/v1/admin/agents", 6, "/id"),
        (&org.admin, "/v1/admin/api-keys", 7, "/id"),
        (&org.admin, "/v1/types", 6, "/name"),
        (&app.platform, "/v1/admin/orgs", 2, "/id"),
    ] {
        let whole: Vec<String> = app.all(key, path).await.iter().map(|i| text(i, id)).collect();
        assert_eq!(whole.len(), expected, "{path}");
        let paged = app.all(key, &format!("{path}?limit=2")).await;
        assert_eq!(paged.iter().map(|i| text(i, id)).collect::<Vec<_>>(), whole, "{path}");
    }
}
