//! Who may make organisations, agents and keys, and which.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{TestApp, text};

#[tokio::test]
async fn a_key_says_who_it_is_and_what_it_may_do() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let me = app.get(&org.agent, "/v1/auth/me").await.ok(200);
    assert_eq!(me["role"], "agent");
    assert_eq!(me["orgId"], json!(org.id));
    assert_eq!(me["agentId"], json!(org.agent_id));
    assert_eq!(me["scopeProfile"], "agent-full");
    assert_eq!(
        me["scopes"],
        json!([
            "records:read",
            "records:write",
            "records:act",
            "records:export",
            "types:read",
            "events:read"
        ])
    );
    let me = app.get(&org.admin, "/v1/auth/me").await.ok(200);
    assert_eq!((&me["role"], &me["agentId"]), (&json!("admin"), &Value::Null));
    let me = app.get(&app.platform, "/v1/auth/me").await.ok(200);
    assert_eq!((&me["role"], &me["orgId"]), (&json!("platform"), &Value::Null));
}

#[tokio::test]
async fn the_prefix_of_a_key_tells_its_role_and_the_key_is_shown_once() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    for (key, prefix) in
        [(&org.agent, "deed_agt_"), (&org.admin, "deed_adm_"), (&app.platform, "deed_plt_")]
    {
        assert!(key.starts_with(prefix));
        assert_eq!(key.len(), prefix.len() + 43);
    }
    let listed = app.get(&app.platform, "/v1/admin/api-keys").await;
    for key in [&org.agent, &org.admin, &app.platform] {
        assert!(!listed.text().contains(key.as_str()));
        assert!(listed.text().contains(&key[..13]), "the hint tells keys apart");
    }
}

#[tokio::test]
async fn profiles_belong_to_roles_and_scopes_are_declared_by_routes() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let used: BTreeSet<String> =
        crate::scopes::operations(&app.openapi).into_iter().map(|o| o.access).collect();
    for profile in app.all(&org.agent, "/v1/admin/scope-profiles").await {
        let (name, role) = (text(&profile, "/name"), text(&profile, "/role"));
        assert!(name.starts_with(&role), "{name}");
        for scope in profile["scopes"].as_array().unwrap() {
            assert!(used.contains(scope.as_str().unwrap()), "no route asks for {scope}");
        }
        let key = app.with_profile(&org, &name).await;
        let me = app.get(&key, "/v1/auth/me").await.ok(200);
        assert_eq!(me["scopes"], profile["scopes"], "{name}");
        for other in ["agent", "admin", "platform"].into_iter().filter(|other| *other != role) {
            let mut wanted = json!({ "role": other, "scopeProfile": name });
            if other != "platform" {
                wanted["orgId"] = json!(org.id);
            }
            if other == "agent" {
                wanted["agentId"] = json!(org.agent_id);
            }
            let refused = app.post(&app.platform, "/v1/admin/api-keys", wanted).await;
            refused.problem(422, "request-invalid");
        }
    }
}

#[tokio::test]
async fn an_admin_mints_keys_of_its_organisation_and_none_of_the_platform() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let mint = async |key: &str, wanted: Value| app.post(key, "/v1/admin/api-keys", wanted).await;
    for name in ["admin-standard", "admin-types", "admin-observer", "admin-auditor"] {
        let minted = mint(&org.admin, json!({ "role": "admin", "scopeProfile": name })).await;
        assert_eq!(minted.ok(201)["apiKey"]["orgId"], json!(org.id));
    }
    for name in ["agent-full", "agent-writer", "agent-reader"] {
        let wanted = json!({ "role": "agent", "agentId": org.agent_id, "scopeProfile": name });
        mint(&org.admin, wanted).await.ok(201);
    }
    for wanted in [
        json!({ "role": "platform" }),
        json!({ "role": "platform", "scopeProfile": "platform-observer" }),
    ] {
        mint(&org.admin, wanted).await.problem(403, "mint-forbidden");
    }
    for name in ["admin-types", "admin-observer", "admin-auditor", "agent-full"] {
        let lesser = app.with_profile(&org, name).await;
        let refused =
            mint(&lesser, json!({ "role": "admin", "scopeProfile": "admin-types" })).await;
        refused.problem(403, "scope-missing");
    }
    let observer = app.with_profile(&org, "platform-observer").await;
    mint(&observer, json!({ "role": "platform" })).await.problem(403, "scope-missing");
    mint(&app.platform, json!({ "role": "platform" })).await.ok(201);
}

#[tokio::test]
async fn what_cannot_be_a_key_is_refused() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let nobody = "0196f000-0000-7000-8000-000000000000";
    for (wanted, status, code) in [
        (json!({ "role": "root" }), 422, "request-invalid"),
        (json!({ "role": "admin" }), 422, "org-required"),
        (json!({ "role": "admin", "orgId": nobody }), 404, "not-found"),
        (
            json!({ "role": "admin", "orgId": org.id, "agentId": org.agent_id }),
            422,
            "request-invalid",
        ),
        (json!({ "role": "agent", "orgId": org.id }), 422, "request-invalid"),
        (json!({ "role": "agent", "orgId": org.id, "agentId": nobody }), 404, "not-found"),
        (json!({ "role": "platform", "orgId": org.id }), 422, "request-invalid"),
        (json!({ "role": "admin", "orgId": org.id, "label": "" }), 422, "request-invalid"),
        (json!({ "role": "admin", "orgId": org.id, "label": "a\nb" }), 422, "request-invalid"),
        (json!({ "role": "admin", "orgId": org.id, "expiresAt": "soon" }), 422, "request-invalid"),
        (json!({ "role": "admin", "orgId": org.id, "scopes": ["all"] }), 422, "request-invalid"),
    ] {
        app.post(&app.platform, "/v1/admin/api-keys", wanted).await.problem(status, code);
    }
}

#[tokio::test]
async fn names_are_unique_where_they_are_looked_up() {
    let app = TestApp::new().await;
    let (a, b) = (app.org("a").await, app.org("b").await);
    let taken = app.post(&app.platform, "/v1/admin/orgs", json!({ "name": "a" })).await;
    taken.problem(409, "org-exists");
    let taken = app.post(&a.admin, "/v1/admin/agents", json!({ "name": "first" })).await;
    taken.problem(409, "agent-exists");
    app.post(&a.admin, "/v1/admin/agents", json!({ "name": "second" })).await.ok(201);
    app.post(&b.admin, "/v1/admin/agents", json!({ "name": "second" })).await.ok(201);
    for name in ["", "a\u{7}", &"x".repeat(201)] {
        let refused = app.post(&app.platform, "/v1/admin/orgs", json!({ "name": name })).await;
        refused.problem(422, "request-invalid");
        let refused = app.post(&a.admin, "/v1/admin/agents", json!({ "name": name })).await;
        refused.problem(422, "request-invalid");
    }
    let nobody = json!({ "name": "x", "orgId": "0196f000-0000-7000-8000-000000000000" });
    app.post(&app.platform, "/v1/admin/agents", nobody).await.problem(404, "not-found");
}

#[tokio::test]
async fn lists_are_narrowed_to_an_organisation_on_the_platforms_wish() {
    let app = TestApp::new().await;
    let (a, _) = (app.org("a").await, app.org("b").await);
    for (path, all, of_a) in
        [("/v1/admin/agents", 2, 1), ("/v1/admin/api-keys", 5, 2), ("/v1/records", 0, 0)]
    {
        assert_eq!(app.all(&app.platform, path).await.len(), all, "{path}");
        let narrowed = format!("{path}?orgId={}", a.id);
        assert_eq!(app.all(&app.platform, &narrowed).await.len(), of_a, "{path}");
    }
}
