//! The operational audit log: who leaves an entry, in which form, and what happens when it cannot be written.

use std::time::Duration;

use deed_api::AuditFailure;
use deed_testkit::APP_ROLE;
use http::Method;
use serde_json::{Value, json};

use crate::support::{TestApp, api_config, record, text};

/// Every entry that requests have left so far.
async fn entries(app: &TestApp, format: &str) -> Vec<Value> {
    app.app.flush_audit_log().await;
    let count = "SELECT count(*) FROM system_audit_log";
    let count: i64 = app.superuser().await.query_one(count, &[]).await.unwrap().get(0);
    let (mut all, mut cursor) = (Vec::new(), String::new());
    // The newest ones are shown once all older transactions of the server have ended.
    while all.len() < usize::try_from(count).unwrap() {
        let path = format!("/v1/siem/stream?format={format}&limit=3{cursor}");
        let page = app.get(&app.platform, path).await.ok(200);
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        cursor = format!("&cursor={}", text(&page, "/nextCursor"));
    }
    all
}

fn of<'a>(entries: &'a [Value], method: &str, route: &str) -> Vec<&'a Value> {
    entries.iter().filter(|e| e["method"] == method && e["route"] == route).collect()
}

#[tokio::test]
async fn administrators_and_refusals_leave_entries_and_agents_do_not() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let id = app.record_id(&org.agent, "secret-criteria").await;
    app.get(&org.agent, format!("/v1/records/{id}")).await.ok(200);
    app.get(&org.admin, format!("/v1/records/{id}")).await.ok(200);
    app.get(&org.admin, "/v1/admin/orgs?limit=1&cursor=secret-query")
        .await
        .problem(403, "scope-missing");
    app.get(&org.agent, "/v1/admin/agents").await.problem(403, "scope-missing");
    let guess = "deed_adm_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    app.get(guess, "/v1/records").await.problem(401, "unauthorized");
    let missing = json!({ "name": "x", "orgId": "0196f000-0000-7000-8000-000000000000" });
    let call = app.call(Method::POST, "/v1/admin/agents").key(&app.platform).json(&missing);
    let answer = call.header("x-request-id", "job-17").send().await;
    answer.problem(404, "not-found");

    let all = entries(&app, "raw").await;
    let read = of(&all, "GET", "/v1/records/{id}");
    assert_eq!(read.len(), 1, "the agent's read leaves none: {read:?}");
    assert_eq!((&read[0]["status"], &read[0]["role"]), (&json!(200), &json!("admin")));
    assert_eq!((&read[0]["orgId"], &read[0]["phase"]), (&json!(org.id), &json!("outcome")));
    assert_eq!(read[0]["path"], format!("/v1/records/{id}"));
    let key = text(&app.get(&org.admin, "/v1/auth/me").await.ok(200), "/apiKeyId");
    assert_eq!(read[0]["keyId"], key.as_str());
    assert!(of(&all, "POST", "/v1/records").is_empty(), "an append is in the vault");
    let refused = of(&all, "GET", "/v1/admin/orgs");
    assert_eq!(refused[0]["problem"], "urn:deed:problem:scope-missing");
    assert_eq!(of(&all, "GET", "/v1/admin/agents")[0]["agentId"], org.agent_id.as_str());
    let unknown = of(&all, "GET", "/v1/records");
    assert_eq!((&unknown[0]["status"], &unknown[0]["keyId"]), (&json!(401), &Value::Null));
    let failed = all.iter().find(|e| e["requestId"] == "job-17").unwrap();
    assert_eq!(
        (&failed["status"], &failed["problem"]),
        (&json!(404), &json!("urn:deed:problem:not-found"))
    );

    let dump = serde_json::to_string(&all).unwrap();
    for secret in [&org.admin, &org.agent, &app.platform, guess, "secret-criteria", "secret-query"]
    {
        assert!(!dump.contains(secret), "{secret} is in the log");
    }
    let now = "/v1/siem/stream?since=2999-01-01T00:00:00Z";
    assert_eq!(app.get(&app.platform, now).await.ok(200)["items"], json!([]));
    let both = format!("{now}&cursor=MA");
    app.get(&app.platform, both).await.problem(400, "query-invalid");
    app.get(&app.platform, "/v1/siem/stream?limit=1001").await.problem(400, "limit-invalid");
    app.get(&app.platform, "/v1/siem/stream?cursor=MTx").await.problem(400, "cursor-invalid");
    app.get(&org.admin, "/v1/siem/stream").await.problem(403, "scope-missing");
}

#[tokio::test]
async fn since_holds_for_each_entry_and_on_the_pages_that_follow() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    app.get(&org.admin, "/v1/admin/agents").await.ok(200);
    app.advance(Duration::from_secs(60));
    app.get(&org.admin, "/v1/records").await.ok(200);
    app.app.flush_audit_log().await;
    // Between the two; both were written just now.
    let since = "2026-01-15T12:00:30Z";
    let (mut all, mut place) = (Vec::new(), format!("since={since}"));
    while of(&all, "GET", "/v1/records").is_empty() {
        let page = app.get(&app.platform, format!("/v1/siem/stream?format=raw&limit=1&{place}"));
        let page = page.await.ok(200);
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        place = format!("cursor={}", text(&page, "/nextCursor"));
    }
    assert!(all.iter().all(|entry| entry["time"].as_str().unwrap() >= since), "{all:?}");
    for forged in ["1 -5", "1 x", "1 2 3", " 1"] {
        let path = format!("/v1/siem/stream?cursor={}", deed_chain::base64url::encode(forged));
        app.get(&app.platform, path).await.problem(400, "cursor-invalid");
    }
}

/// The attributes that OCSF 1.5.0 requires of the base event, API Activity and Authentication.
fn required() -> Value {
    let endpoint = json!({ "anyOf": [{ "required": ["ip"] }, { "required": ["name"] }] });
    let user =
        json!({ "type": "object", "anyOf": [{ "required": ["uid"] }, { "required": ["name"] }] });
    json!({
        "type": "object",
        "required": ["activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"],
        "properties": {
            "severity_id": { "enum": [0, 1, 2, 3, 4, 5, 6, 99] },
            "status_id": { "enum": [0, 1, 2, 99] },
            "time": { "type": "integer", "minimum": 1_000_000_000_000_i64 },
            "metadata": { "type": "object", "required": ["product", "version"], "properties": {
                "version": { "const": "1.5.0" },
                "product": { "type": "object", "required": ["name", "vendor_name"] } } },
            "src_endpoint": endpoint, "user": user,
        },
        "oneOf": [
            {
                "required": ["actor", "api", "src_endpoint"],
                "properties": {
                    "class_uid": { "const": 6003 }, "category_uid": { "const": 6 },
                    "activity_id": { "enum": [0, 1, 2, 3, 4, 99] },
                    "actor": { "type": "object", "required": ["user"], "properties": { "user": user } },
                    "api": { "type": "object", "required": ["operation"] },
                },
            },
            {
                "required": ["user", "service"],
                "properties": {
                    "class_uid": { "const": 3002 }, "category_uid": { "const": 3 },
                    "activity_id": { "const": 1 },
                },
            },
        ],
    })
}

#[tokio::test]
async fn every_entry_is_an_event_of_ocsf() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    app.get(&org.agent, "/v1/admin/agents").await.problem(403, "scope-missing");
    app.get("", "/v1/records").await.problem(401, "unauthorized");
    let strict = app.sibling_with(refusing()).await;
    strict.get(&org.admin, "/v1/records").await.ok(200);
    strict.app.flush_audit_log().await;
    let all = entries(&app, "ocsf").await;
    let schema = jsonschema::draft202012::new(&required()).unwrap();
    for event in &all {
        if let Some(error) = schema.iter_errors(event).next() {
            panic!("{error}: {event}");
        }
        let (class, activity) = (event["class_uid"].as_i64(), event["activity_id"].as_i64());
        assert_eq!(event["type_uid"].as_i64(), class.zip(activity).map(|(c, a)| c * 100 + a));
    }
    for (class, status) in [(6003, 0), (6003, 1), (6003, 2), (3002, 2)] {
        let some = |e: &&Value| e["class_uid"] == class && e["status_id"] == status;
        assert!(all.iter().any(|e| some(&e)), "no {class} with status {status}");
    }
}

fn refusing() -> deed_api::ApiConfig {
    deed_api::ApiConfig { audit_failure: AuditFailure::Refuse, ..api_config() }
}

#[tokio::test]
async fn what_happens_when_it_cannot_be_written_is_configured() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let strict = app.sibling_with(refusing()).await;
    let owner = app.superuser().await;
    let revoke = format!("REVOKE INSERT ON system_audit_log FROM {APP_ROLE}");
    owner.batch_execute(&revoke).await.unwrap();
    for (key, path) in [(&strict.platform, "/v1/admin/orgs"), (&org.admin, "/v1/records")] {
        let answer = strict.get(key, path).await;
        assert_eq!(answer.problem(503, "audit-log-unavailable")["retryable"], true);
        assert_eq!(answer.header("retry-after"), "5");
    }
    let orgs = "SELECT count(*) FROM orgs";
    let before: i64 = owner.query_one(orgs, &[]).await.unwrap().get(0);
    let refused = strict.post(&strict.platform, "/v1/admin/orgs", json!({ "name": "b" })).await;
    refused.problem(503, "audit-log-unavailable");
    assert_eq!(owner.query_one(orgs, &[]).await.unwrap().get::<_, i64>(0), before);
    // Agents go on, and so do administrators where that is what was asked for.
    strict.post(&org.agent, "/v1/records", record("x")).await.ok(201);
    app.get(&org.admin, "/v1/agents-that-are-not-there").await.problem(404, "not-found");
    app.get(&org.admin, "/v1/records?limit=7").await.ok(200);

    let grant = format!("GRANT INSERT ON system_audit_log TO {APP_ROLE}");
    owner.batch_execute(&grant).await.unwrap();
    strict.get(&org.admin, "/v1/admin/api-keys").await.ok(200);
    // What waited in memory is written when that is next tried, each process's in its order.
    let all = loop {
        let all = entries(&app, "raw").await;
        let outcome = |e: &&Value| e["phase"] == "outcome";
        let last = of(&all, "GET", "/v1/admin/api-keys").iter().any(outcome);
        if last && of(&all, "GET", "/v1/records").iter().any(|e| e["status"] == 200) {
            break all;
        }
    };
    let phases: Vec<_> =
        of(&all, "GET", "/v1/admin/api-keys").iter().map(|e| e["phase"].clone()).collect();
    assert_eq!(phases, ["attempt", "outcome"]);
    // Those that were refused are there as well as the read that went on.
    let waited: Vec<_> =
        of(&all, "GET", "/v1/records").iter().map(|e| e["status"].clone()).collect();
    assert!(waited.contains(&json!(503)), "{waited:?}");
}

#[tokio::test]
async fn no_entry_can_be_changed_and_months_are_dropped_whole() {
    let app = TestApp::new().await;
    app.org("a").await;
    app.app.flush_audit_log().await;
    let client = app.superuser().await;
    for sql in ["UPDATE system_audit_log SET status = 200", "DELETE FROM system_audit_log"] {
        assert!(client.batch_execute(sql).await.is_err(), "{sql}");
    }
    let old = "CREATE TABLE system_audit_log_2020_01 PARTITION OF system_audit_log
            FOR VALUES FROM ('2020-01-01T00:00:00Z') TO ('2020-02-01T00:00:00Z');
        CREATE TABLE system_audit_log_2020_02 PARTITION OF system_audit_log
            FOR VALUES FROM ('2020-02-01T00:00:00Z') TO ('2020-03-01T00:00:00Z');
        ALTER TABLE system_audit_log_2020_01 OWNER TO deed_owner;
        ALTER TABLE system_audit_log_2020_02 OWNER TO deed_owner";
    let old = old.replace("deed_owner", &owner_of(&client).await);
    client.batch_execute(&old).await.unwrap();
    assert!(app.app.store().sweep_audit(89).await.is_err(), "90 days at least");
    let mut dropped = 0;
    while app.app.store().sweep_audit(400).await.unwrap() > 0 {
        dropped += 1;
    }
    assert_eq!(dropped, 2);
    assert!(!entries(&app, "raw").await.is_empty());
}

async fn owner_of(client: &tokio_postgres::Client) -> String {
    let sql = "SELECT relowner::regrole::text FROM pg_class WHERE relname = 'system_audit_log'";
    client.query_one(sql, &[]).await.unwrap().get(0)
}
