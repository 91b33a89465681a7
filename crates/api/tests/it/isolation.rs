//! One organisation never sees, and never touches, what belongs to another.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use crate::scopes::operations;
use crate::support::{Org, TestApp, record, text};

/// Every read route with parameters, as a list of requests that would show A's things if the
/// server let them; `{...}` is filled in from [`Things`].
const READS: [(&str, &[&str]); 30] = [
    ("/.well-known/deed-vault-keys.json", &["/.well-known/deed-vault-keys.json"]),
    ("/.well-known/scitt-keys", &["/.well-known/scitt-keys"]),
    ("/health", &["/health"]),
    ("/livez", &["/livez"]),
    ("/metrics", &["/metrics"]),
    ("/readyz", &["/readyz"]),
    ("/v1/agents", &["/v1/agents"]),
    ("/v1/admin/agents", &["/v1/admin/agents", "/v1/admin/agents?orgId={org}"]),
    ("/v1/admin/api-keys", &["/v1/admin/api-keys", "/v1/admin/api-keys?orgId={org}"]),
    ("/v1/admin/orgs", &["/v1/admin/orgs"]),
    ("/v1/admin/scope-profiles", &["/v1/admin/scope-profiles"]),
    ("/v1/admin/audit", &["/v1/admin/audit"]),
    ("/v1/admin/audit/{id}", &["/v1/admin/audit/{record}"]),
    ("/v1/admin/jobs", &["/v1/admin/jobs", "/v1/admin/jobs?state=waiting"]),
    ("/v1/admin/replicas", &["/v1/admin/replicas"]),
    ("/v1/admin/schedules", &["/v1/admin/schedules"]),
    ("/v1/admin/system-health", &["/v1/admin/system-health"]),
    ("/v1/auth/me", &["/v1/auth/me"]),
    (
        "/v1/events",
        &["/v1/events", "/v1/events?orgId={org}&wait=60", "/v1/events?since=2020-01-01T00:00:00Z"],
    ),
    (
        "/v1/records",
        &[
            "/v1/records",
            "/v1/records?orgId={org}",
            "/v1/records?type=own-type-v1",
            "/v1/records?parentRecordId={record}",
            "/v1/records?principalAgentId={agent}",
            "/v1/records?performerAgentId={agent}",
            "/v1/records?referenceKey=ticket&referenceValue=secret-17",
            "/v1/records?status=RECORDED&from=2020-01-01T00:00:00Z",
        ],
    ),
    ("/v1/records/{id}", &["/v1/records/{record}", "/v1/records/{gated}"]),
    ("/v1/records/{id}/entries", &["/v1/records/{record}/entries"]),
    ("/v1/records/{id}/signals", &["/v1/records/{record}/signals"]),
    ("/v1/records/{id}/tree", &["/v1/records/{record}/tree"]),
    (
        "/v1/records/{id}/audit-export",
        &["/v1/records/{record}/audit-export", "/v1/records/{record}/audit-export?scope=tree"],
    ),
    ("/v1/siem/stream", &["/v1/siem/stream", "/v1/siem/stream?format=raw"]),
    ("/v1/types", &["/v1/types", "/v1/types?orgId={org}"]),
    ("/v1/webhooks", &["/v1/webhooks", "/v1/webhooks?orgId={org}"]),
    ("/v1/webhooks/{id}", &["/v1/webhooks/{hook}"]),
    (
        "/v1/webhooks/{id}/deliveries",
        &["/v1/webhooks/{hook}/deliveries", "/v1/webhooks/{hook}/deliveries?status=pending"],
    ),
];
/// What only the platform reads.
const PLATFORM_READS: [&str; 8] = [
    "/v1/admin/audit",
    "/v1/admin/audit/{id}",
    "/v1/admin/jobs",
    "/v1/admin/orgs",
    "/v1/admin/replicas",
    "/v1/admin/schedules",
    "/v1/admin/system-health",
    "/v1/siem/stream",
];
/// The read routes of Types by name.
const TYPE_READS: [(&str, &[&str]); 2] = [
    (
        "/v1/types/{name}",
        &[
            "/v1/types/own-type-v1",
            "/v1/types/own-type-v1?version=1",
            "/v1/types/own-type-v1?orgId={org}",
            "/v1/types/notarize-generic-v1?orgId={org}",
        ],
    ),
    ("/v1/types/_blank", &["/v1/types/_blank"]),
];
/// What every mutation would do to A's things.
const MUTATIONS: [(&str, &str, &str); 31] = [
    ("/v1/records/{id}/notes", "/v1/records/{record}/notes", r#"{"text":"not mine"}"#),
    ("/v1/records/{id}/amend", "/v1/records/{gated}/amend", r#"{"criteria":{}}"#),
    ("/v1/records/{id}/propose", "/v1/records/{gated}/propose", "{}"),
    ("/v1/records/{id}/accept", "/v1/records/{gated}/accept", "{}"),
    ("/v1/records/{id}/refuse", "/v1/records/{gated}/refuse", "{}"),
    ("/v1/records/{id}/activate", "/v1/records/{gated}/activate", "{}"),
    ("/v1/records/{id}/completions", "/v1/records/{gated}/completions", r#"{"completion":{}}"#),
    ("/v1/records/{id}/outcome", "/v1/records/{gated}/outcome", r#"{"outcome":"accept"}"#),
    ("/v1/records/{id}/cancel", "/v1/records/{gated}/cancel", "{}"),
    ("/v1/records/{id}/dispute", "/v1/records/{gated}/dispute", r#"{"reason":"not mine"}"#),
    (
        "/v1/records/{id}/dispute/escalate",
        "/v1/records/{gated}/dispute/escalate",
        r#"{"tier":2,"accessorAgentId":"{agent}"}"#,
    ),
    (
        "/v1/records/{id}/dispute/resolve",
        "/v1/records/{gated}/dispute/resolve",
        r#"{"resolution":"overturn"}"#,
    ),
    ("/v1/records/{id}/dispute/withdraw", "/v1/records/{gated}/dispute/withdraw", "{}"),
    ("/v1/types", "/v1/types", r#"{"name":"x","recordSchema":{},"orgId":"{org}"}"#),
    ("/v1/types/preview", "/v1/types/preview", r#"{"name":"x","recordSchema":{},"orgId":"{org}"}"#),
    (
        "/v1/types/{name}/versions",
        "/v1/types/own-type-v1/versions",
        r#"{"name":"own-type-v1","recordSchema":{}}"#,
    ),
    ("/v1/types/{name}/disable", "/v1/types/own-type-v1/disable", "{}"),
    ("/v1/types/{name}/disable", "/v1/types/notarize-generic-v1/disable", r#"{"orgId":"{org}"}"#),
    ("/v1/admin/agents", "/v1/admin/agents", r#"{"name":"x","orgId":"{org}"}"#),
    ("/v1/admin/api-keys", "/v1/admin/api-keys", r#"{"role":"agent","agentId":"{agent}"}"#),
    ("/v1/admin/api-keys/{id}/revoke", "/v1/admin/api-keys/{key}/revoke", "{}"),
    ("/v1/admin/api-keys/{id}/rotate", "/v1/admin/api-keys/{key}/rotate", "{}"),
    (
        "/v1/webhooks",
        "/v1/webhooks",
        r#"{"url":"https://example.org/","eventTypes":["*"],"orgId":"{org}"}"#,
    ),
    ("/v1/webhooks/{id}", "/v1/webhooks/{hook}", "{}"),
    ("/v1/webhooks/{id}/rotate-secret", "/v1/webhooks/{hook}/rotate-secret", "{}"),
    ("/v1/webhooks/{id}/pause", "/v1/webhooks/{hook}/pause", "{}"),
    ("/v1/webhooks/{id}/resume", "/v1/webhooks/{hook}/resume", "{}"),
    ("/v1/webhooks/{id}/test", "/v1/webhooks/{hook}/test", "{}"),
    (
        "/v1/webhooks/{id}/replay",
        "/v1/webhooks/{hook}/replay",
        r#"{"from":"2020-01-01T00:00:00Z","to":"2030-01-01T00:00:00Z"}"#,
    ),
    (
        "/v1/webhooks/{id}/deliveries/{deliveryId}/replay",
        "/v1/webhooks/{hook}/deliveries/{delivery}/replay",
        "{}",
    ),
    (
        "/v1/webhooks/{id}/deliveries/{deliveryId}/replay",
        "/v1/webhooks/{own}/deliveries/{delivery}/replay",
        "{}",
    ),
];
/// Mutations that name nothing of another organisation, or are the platform's; records are tested
/// by themselves because they are refused with 422.
const OTHER_MUTATIONS: [&str; 5] = [
    "/v1/records",
    "/v1/records/batch",
    "/v1/admin/orgs",
    "/v1/admin/jobs/{id}/replay",
    "/v1/admin/audit",
];

/// What organisation A has.
struct Things {
    org: Org,
    record: String,
    child: String,
    gated: String,
    key: String,
    hook: String,
    delivery: String,
}

impl Things {
    async fn make(app: &TestApp) -> Self {
        let org = app.org("a").await;
        let schema = json!({ "name": "own-type-v1", "recordSchema": { "type": "object" } });
        app.post(&org.admin, "/v1/types", schema).await.ok(201);
        let wanted = json!({ "type": "own-type-v1", "criteria": { "what": "secret-criteria" },
            "references": { "ticket": "secret-17" }, "requestedBy": "secret-person" });
        let made = app.post(&org.agent, "/v1/records", wanted).await.ok(201);
        let root = text(&made, "/record/id");
        let mut wanted = record("secret-child");
        wanted["parentRecordId"] = json!(root);
        let child = text(&app.post(&org.agent, "/v1/records", wanted).await.ok(201), "/record/id");
        app.note(&org.agent, &root, "secret-note").await;
        let work = json!({ "name": "own-work-v1", "recordSchema": {}, "completionSchema": {} });
        app.post(&org.admin, "/v1/types", work).await.ok(201);
        let work = json!({ "type": "own-work-v1", "criteria": { "what": "secret-work" } });
        let gated = text(&app.post(&org.agent, "/v1/records", work).await.ok(201), "/record/id");
        let key = text(&app.get(&org.agent, "/v1/auth/me").await.ok(200), "/apiKeyId");
        let wanted = json!({ "url": "https://secret-hook.example/", "eventTypes": ["*"] });
        let made = app.post(&org.admin, "/v1/webhooks", wanted).await.ok(201);
        let hook = text(&made, "/webhook/id");
        let tested = app.post(&org.admin, format!("/v1/webhooks/{hook}/test"), json!({})).await;
        let delivery = text(&tested.ok(202), "/deliveryId");
        Self { org, record: root, child, gated, key, hook, delivery }
    }

    fn fill(&self, template: &str) -> String {
        template
            .replace("{org}", &self.org.id)
            .replace("{agent}", &self.org.agent_id)
            .replace("{record}", &self.record)
            .replace("{gated}", &self.gated)
            .replace("{key}", &self.key)
            .replace("{hook}", &self.hook)
            .replace("{delivery}", &self.delivery)
    }

    /// Whether a text shows anything of A, apart from what the request itself said.
    fn shown_in(&self, text: &str) -> bool {
        let of_org = [&self.org.id, &self.org.agent_id, &self.key, &self.hook, &self.delivery];
        let records = [&self.record, &self.child, &self.gated];
        let words = [
            "own-type-v1",
            "own-work-v1",
            "secret-criteria",
            "secret-17",
            "secret-note",
            "secret-child",
            "secret-work",
            "secret-hook",
        ];
        of_org.into_iter().chain(records).any(|id| text.contains(id.as_str()))
            || words.into_iter().any(|word| text.contains(word))
    }
}

#[tokio::test]
async fn no_read_route_shows_another_organisation() {
    let app = TestApp::new().await;
    let a = Things::make(&app).await;
    let b = app.org("b").await;
    app.record_id(&b.agent, "of b").await;
    let auditor = app.with_profile(&b, "admin-auditor").await;
    let reads: Vec<_> = READS.iter().chain(&TYPE_READS).collect();
    let known: BTreeSet<&str> = reads.iter().map(|(route, _)| *route).collect();
    let gets = operations(&app.openapi).into_iter().filter(|o| o.method == Method::GET);
    let generated: BTreeSet<String> = gets.map(|o| o.path).collect();
    assert_eq!(
        generated,
        known.iter().map(|r| (*r).to_owned()).collect(),
        "add the new route here"
    );
    for (route, requests) in reads {
        for request in *requests {
            for key in [&b.admin, &b.agent, &auditor] {
                let answer = app.get(key, a.fill(request)).await;
                let body = answer.text();
                assert!(!a.shown_in(&body), "{route}: {} shows {body}", answer.asked);
                // A's ids in the path are not found; other routes answer with what is B's.
                let fails = matches!(answer.status.as_u16(), 403 | 404);
                let names_a = ["{record}", "{hook}"]
                    .iter()
                    .any(|id| request.contains(&format!("{id}/")) || request.ends_with(id));
                if names_a && !request.contains('=') && !fails {
                    panic!("{} is {}", answer.asked, answer.status);
                }
                if request.contains("orgId") && !fails {
                    panic!("{} is {}", answer.asked, answer.status);
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_hidden_from_others_is_shown_to_its_owner() {
    let app = TestApp::new().await;
    let a = Things::make(&app).await;
    for (route, requests) in READS.iter().chain(&TYPE_READS) {
        for request in *requests {
            let answer = app.get(&a.org.admin, a.fill(request)).await;
            if PLATFORM_READS.contains(route) {
                answer.problem(403, "scope-missing");
                continue;
            }
            assert_eq!(answer.status, 200, "{}: {}", answer.asked, answer.text());
            if request.contains('{') && !request.contains("notarize-generic") {
                assert!(a.shown_in(&answer.text()), "{}: {}", answer.asked, answer.text());
            }
        }
    }
}

#[tokio::test]
async fn no_mutation_touches_another_organisation() {
    let app = TestApp::new().await;
    let a = Things::make(&app).await;
    let b = app.org("b").await;
    let mutations = operations(&app.openapi).into_iter().filter(|o| o.method != Method::GET);
    let mutations: Vec<_> = mutations.collect();
    let generated: BTreeSet<String> = mutations.iter().map(|o| o.path.clone()).collect();
    let known = MUTATIONS.iter().map(|(route, ..)| *route).chain(OTHER_MUTATIONS);
    assert_eq!(generated, known.map(str::to_owned).collect(), "add the new route here");
    let wanted = json!({ "url": "https://example.org/", "eventTypes": ["*"] });
    let own = app.post(&b.admin, "/v1/webhooks", wanted).await.ok(201);
    let own = text(&own, "/webhook/id");
    let before = state(&app).await;
    for (route, path, body) in MUTATIONS {
        let body: Value = serde_json::from_str(&a.fill(body)).unwrap();
        for operation in &mutations {
            if operation.path != route {
                continue;
            }
            let path = a.fill(path).replace("{own}", &own);
            let call = app.call(operation.method.clone(), path).key(&b.admin).json(&body);
            let answer = call.send().await;
            answer.problem(404, "not-found");
            assert!(!a.shown_in(&answer.text()), "{}", answer.text());
        }
    }
    let mut delegated = record("x");
    delegated["parentRecordId"] = json!(a.record);
    let mut answered_for = record("x");
    answered_for["principalAgentId"] = json!(a.org.agent_id);
    let mut of_type = record("x");
    of_type["type"] = json!("own-type-v1");
    for (wanted, status, code) in [
        (delegated, 422, "parent-unknown"),
        (answered_for, 422, "principal-unknown"),
        (of_type, 404, "not-found"),
    ] {
        app.post(&b.agent, "/v1/records", wanted.clone()).await.problem(status, code);
        let batch = json!({ "records": [wanted] });
        let results = app.post(&b.agent, "/v1/records/batch", batch).await.ok(200);
        crate::support::assert_problem(&results["results"][0]["problem"], status, code);
    }
    assert_eq!(state(&app).await, before);
    app.get(&a.org.agent, "/v1/auth/me").await.ok(200);
}

/// How many rows there are of what mutations write, and what of it can change.
async fn state(app: &TestApp) -> String {
    let sql = "SELECT concat_ws(' ', (SELECT count(*) FROM records),
        (SELECT count(*) FROM vault_entries), (SELECT count(*) FROM agents),
        (SELECT count(*) FROM record_types), (SELECT count(*) FROM api_keys),
        (SELECT count(*) FROM record_types WHERE disabled_at IS NOT NULL),
        (SELECT count(*) FROM api_keys WHERE revoked_at IS NOT NULL OR expires_at IS NOT NULL),
        (SELECT jsonb_agg(w ORDER BY id) FROM webhooks w),
        (SELECT jsonb_agg(e ORDER BY webhook_id) FROM webhook_endpoints e),
        (SELECT jsonb_agg(d ORDER BY id) FROM webhook_deliveries d))";
    app.superuser().await.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn the_platform_reads_all_but_must_name_whose_types() {
    let app = TestApp::new().await;
    let a = Things::make(&app).await;
    app.get(&app.platform, format!("/v1/records/{}", a.record)).await.ok(200);
    assert_eq!(app.all(&app.platform, "/v1/records").await.len(), 3);
    app.get(&app.platform, "/v1/types").await.problem(422, "org-required");
    let types = app.all(&app.platform, &format!("/v1/types?orgId={}", a.org.id)).await;
    assert_eq!(types.len(), 3);
    // It may not notarize: who acts is an agent or an organisation.
    app.post(&app.platform, "/v1/records", record("x")).await.problem(403, "scope-missing");
}
