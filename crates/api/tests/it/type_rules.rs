//! Types with a verdict mode and rules: what may be registered, and what the digest is about.

use deed_chain::{json as strict, sha256};
use serde_json::{Value, json};

use crate::support::{TestApp, text};

fn gated(changes: Value) -> Value {
    let mut definition = json!({
        "name": "t-v1",
        "recordSchema": { "type": "object" },
        "completionSchema": { "type": "object" },
    });
    for (name, value) in changes.as_object().expect("members") {
        definition[name] = value.clone();
    }
    definition
}

fn rules() -> Value {
    json!({ "mappings": [
        { "name": "n", "type": "number", "criteria": "/n", "evidence": "/n",
          "tolerance": { "percent": 5 } }
    ] })
}

#[tokio::test]
async fn rules_are_registered_with_the_type_and_read_back() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    for (name, mode) in [("a-v1", "auto"), ("b-v1", "auto-then-principal")] {
        let wanted = gated(json!({ "name": name, "verdictMode": mode, "rulesConfig": rules() }));
        let preview = app.post(&org.admin, "/v1/types/preview", wanted.clone()).await.ok(200);
        assert_eq!(preview["type"]["verdictMode"], mode);
        let made = app.post(&org.admin, "/v1/types", wanted).await.ok(201);
        assert_eq!(made["digest"], preview["type"]["digest"]);
        let read = app.get(&org.agent, format!("/v1/types/{name}")).await.ok(200);
        assert_eq!((&read["verdictMode"], &read["rulesConfig"]), (&json!(mode), &rules()));
        assert_eq!(read["digest"], made["digest"]);
    }
    let wanted = gated(json!({ "name": "b-v1", "verdictMode": "principal" }));
    let next = app.post(&org.admin, "/v1/types/b-v1/versions", wanted).await.ok(201);
    assert_eq!((&next["version"], &next["verdictMode"]), (&json!(2), &json!("principal")));
    let listed = app.all(&org.agent, "/v1/types").await;
    let modes: Vec<&Value> = listed.iter().map(|one| &one["verdictMode"]).collect();
    assert_eq!(modes, [&json!("auto"), &json!("principal"), &Value::Null]);
    assert!(listed.iter().all(|one| one.get("rulesConfig").is_none()), "not in lists");
}

#[tokio::test]
async fn the_digest_covers_mode_and_rules_and_is_the_old_one_without_them() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let digest = async |definition: Value| {
        let preview = app.post(&org.agent, "/v1/types/preview", definition).await.ok(200);
        text(&preview, "/type/digest")
    };
    // Pinned: the digests that Types of these definitions had before there were rules.
    let plain = json!({ "name": "t-v1", "recordSchema": { "type": "object" } });
    assert_eq!(
        digest(plain).await,
        sha256(r#"{"name":"t-v1","recordSchema":{"type":"object"}}"#).to_string()
    );
    let old = digest(gated(json!({}))).await;
    let manifest =
        r#"{"completionSchema":{"type":"object"},"name":"t-v1","recordSchema":{"type":"object"}}"#;
    assert_eq!(old, sha256(manifest).to_string());
    assert_eq!(digest(gated(json!({ "verdictMode": "principal" }))).await, old);
    let ruled =
        |mode: &str, rules: Value| gated(json!({ "verdictMode": mode, "rulesConfig": rules }));
    let auto = digest(ruled("auto", rules())).await;
    let mut manifest = ruled("auto", rules());
    assert_eq!(auto, sha256(strict::canonical(&manifest)).to_string());
    let confirmed = digest(ruled("auto-then-principal", rules())).await;
    manifest["rulesConfig"]["mappings"][0]["tolerance"]["percent"] = json!(6);
    let other = digest(manifest).await;
    assert!(auto != old && confirmed != auto && other != auto);
}

#[tokio::test]
async fn mode_rules_and_completion_schema_belong_together() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let without_completion = |mut definition: Value| {
        definition.as_object_mut().expect("an object").remove("completionSchema");
        definition
    };
    for (definition, path) in [
        (gated(json!({ "verdictMode": "auto" })), "/rulesConfig"),
        (gated(json!({ "verdictMode": "auto-then-principal" })), "/rulesConfig"),
        (gated(json!({ "rulesConfig": rules() })), "/rulesConfig"),
        (gated(json!({ "verdictMode": "principal", "rulesConfig": rules() })), "/rulesConfig"),
        (gated(json!({ "verdictMode": "sometimes" })), "/verdictMode"),
        (gated(json!({ "verdictMode": 7 })), "/verdictMode"),
        (
            without_completion(gated(json!({ "verdictMode": "auto", "rulesConfig": rules() }))),
            "/completionSchema",
        ),
        (without_completion(gated(json!({ "rulesConfig": rules() }))), "/completionSchema"),
        (gated(json!({ "verdictMode": "auto", "rulesConfig": [] })), "/rulesConfig"),
        (gated(json!({ "verdictMode": "auto", "rulesConfig": {} })), "/rulesConfig/mappings"),
        (
            gated(json!({ "verdictMode": "auto", "rulesConfig": { "mappings": [
            { "name": "x", "type": "number", "criteria": "n", "evidence": "/n" }] } })),
            "/rulesConfig/mappings/0/criteria",
        ),
    ] {
        for endpoint in ["/v1/types", "/v1/types/preview"] {
            let refused = app.post(&org.admin, endpoint, definition.clone()).await;
            let problem = refused.problem(422, "rules-invalid");
            assert_eq!(text(&problem, "/errors/0/path"), path, "{definition}");
            for member in ["expected", "found", "message"] {
                assert!(!text(&problem, &format!("/errors/0/{member}")).is_empty());
            }
        }
    }
    assert_eq!(app.all(&org.agent, "/v1/types").await.len(), 1, "nothing was registered");
}

#[tokio::test]
async fn the_blank_template_of_each_mode_can_be_registered_as_it_is() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    for (mode, ruled) in [("principal", false), ("auto", true), ("auto-then-principal", true)] {
        let blank =
            app.get(&org.agent, format!("/v1/types/_blank?verdictMode={mode}")).await.ok(200);
        assert_eq!(blank["verdictMode"], mode);
        assert_eq!(blank.get("rulesConfig").is_some(), ruled);
        let preview = app.post(&org.agent, "/v1/types/preview", blank).await.ok(200);
        assert_eq!(preview["type"]["notarizeOnly"], false);
    }
    app.get(&org.agent, "/v1/types/_blank?verdictMode=x").await.problem(400, "query-invalid");
}
