//! Types: what may be registered, and what a record of one is held to.

use serde_json::{Value, json};

use crate::support::{TestApp, record, text};

fn definition(name: &str, schema: &Value) -> Value {
    json!({ "name": name, "recordSchema": schema })
}

#[tokio::test]
async fn a_type_is_registered_listed_and_read() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let mut wanted = definition(
        "refund-v1",
        &json!({ "type": "object", "required": ["n"],
        "properties": { "n": { "type": "integer", "minimum": 3 } } }),
    );
    wanted["description"] = json!("Refunds");
    let made = app.post(&org.admin, "/v1/types", wanted.clone()).await.ok(201);
    let listed = app.all(&org.agent, "/v1/types").await;
    let names: Vec<String> = listed.iter().map(|t| text(t, "/name")).collect();
    assert_eq!(names, ["notarize-generic-v1", "refund-v1"]);
    assert!(listed[1]["recordSchema"].is_null(), "lists leave the schemas out");
    let read = app.get(&org.agent, "/v1/types/refund-v1").await.ok(200);
    assert_eq!(read["recordSchema"], wanted["recordSchema"]);
    assert_eq!(read["description"], "Refunds");
    assert_eq!(read["notarizeOnly"], true);
    assert_eq!((&read["version"], &read["digest"]), (&json!(1), &made["digest"]));
    let taken = app.post(&org.admin, "/v1/types", wanted).await;
    taken.problem(409, "type-exists");
    // The example is one to copy.
    let copied = json!({ "type": "refund-v1", "criteria": read["example"] });
    app.post(&org.agent, "/v1/records", copied).await.ok(201);
    app.get(&org.agent, "/v1/types/nothing-v1").await.problem(404, "not-found");
}

#[tokio::test]
async fn every_organisation_begins_with_a_generic_type_that_has_a_valid_example() {
    let app = TestApp::new().await;
    for name in ["a", "b"] {
        let org = app.org(name).await;
        let read = app.get(&org.agent, "/v1/types/notarize-generic-v1").await.ok(200);
        let copied = json!({ "type": "notarize-generic-v1", "criteria": read["example"] });
        app.post(&org.agent, "/v1/records", copied).await.ok(201);
        assert_eq!(read["orgId"], json!(org.id));
    }
}

#[tokio::test]
async fn the_blank_template_can_be_previewed_and_registered_as_it_is() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    for (path, gated) in [
        ("/v1/types/_blank", false),
        ("/v1/types/_blank?withCompletion=false", false),
        ("/v1/types/_blank?withCompletion=true", true),
    ] {
        let blank = app.get(&org.agent, path).await.ok(200);
        assert_eq!(blank.get("completionSchema").is_some(), gated);
        let preview = app.post(&org.agent, "/v1/types/preview", blank).await.ok(200);
        assert_eq!(preview["valid"], true);
        assert_eq!(preview["type"]["notarizeOnly"], !gated);
        assert!(preview["type"]["example"].is_object());
    }
    app.get(&org.agent, "/v1/types/_blank?withCompletion=1").await.problem(400, "query-invalid");
    assert_eq!(app.all(&org.agent, "/v1/types").await.len(), 1, "a preview registers nothing");
    let blank = app.get(&org.agent, "/v1/types/_blank").await.ok(200);
    app.post(&org.admin, "/v1/types", blank).await.ok(201);
}

#[tokio::test]
async fn a_new_version_counts_for_new_records_and_old_ones_can_still_be_named() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let schema = |n: u32| json!({ "properties": { "n": { "const": n } }, "required": ["n"] });
    app.post(&org.admin, "/v1/types", definition("t-v1", &schema(1))).await.ok(201);
    let first =
        app.post(&org.agent, "/v1/records", json!({ "type": "t-v1", "criteria": { "n": 1 } }));
    let first = first.await.ok(201);
    let path = "/v1/types/t-v1/versions";
    let made = app.post(&org.admin, path, definition("t-v1", &schema(2))).await.ok(201);
    assert_eq!(made["version"], 2);
    let other_name = app.post(&org.admin, path, definition("t-v2", &schema(2))).await;
    other_name.problem(422, "request-invalid");
    let none = app.post(&org.admin, "/v1/types/u-v1/versions", definition("u-v1", &schema(2)));
    none.await.problem(404, "not-found");

    let ask = async |criteria: Value, version: Option<u32>| {
        let mut wanted = json!({ "type": "t-v1", "criteria": criteria });
        if let Some(version) = version {
            wanted["typeVersion"] = json!(version);
        }
        app.post(&org.agent, "/v1/records", wanted).await
    };
    let newest = ask(json!({ "n": 2 }), None).await.ok(201);
    assert_eq!(newest["record"]["typeVersion"], 2);
    assert_eq!(newest["entry"]["body"]["record"]["typeDigest"], made["digest"]);
    ask(json!({ "n": 1 }), None).await.problem(422, "validation-failed");
    let older = ask(json!({ "n": 1 }), Some(1)).await.ok(201);
    assert_eq!(older["record"]["typeVersion"], 1);
    ask(json!({ "n": 2 }), Some(1)).await.problem(422, "validation-failed");
    ask(json!({ "n": 2 }), Some(3)).await.problem(404, "not-found");

    let id = text(&first, "/record/id");
    let read = app.get(&org.agent, format!("/v1/records/{id}")).await.ok(200);
    assert_eq!(read["typeVersion"], 1, "a record keeps its version");
    for (query, version) in [("", 2), ("?version=1", 1), ("?version=2", 2)] {
        let read = app.get(&org.agent, format!("/v1/types/t-v1{query}")).await.ok(200);
        assert_eq!(read["version"], version);
        assert_eq!(read["recordSchema"], schema(version));
    }
    for bad in ["0", "3", "-1"] {
        let read = app.get(&org.agent, format!("/v1/types/t-v1?version={bad}")).await;
        read.problem(404, "not-found");
    }
}

#[tokio::test]
async fn versions_registered_at_the_same_time_are_all_different() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    app.post(&org.admin, "/v1/types", definition("t-v1", &json!({}))).await.ok(201);
    let versions = (0..6).map(|n| {
        let wanted = definition("t-v1", &json!({ "title": n.to_string() }));
        app.post(&org.admin, "/v1/types/t-v1/versions", wanted)
    });
    let mut made = Vec::new();
    for answer in futures::future::join_all(versions).await {
        if answer.status == 409 {
            answer.problem(409, "type-version-race");
        } else {
            made.push(answer.ok(201)["version"].as_i64().unwrap());
        }
    }
    made.sort_unstable();
    assert_eq!(made, (2..2 + i64::try_from(made.len()).unwrap()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_disabled_type_takes_no_new_records_and_keeps_the_old_ones() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let id = app.record_id(&org.agent, "before").await;
    let path = "/v1/types/notarize-generic-v1/disable";
    let disabled = app.post(&org.admin, path, json!({})).await.ok(200);
    assert_eq!(disabled["disabledAt"], "2026-01-15T12:00:00.000Z");
    let refused = app.post(&org.agent, "/v1/records", record("after")).await;
    refused.problem(422, "type-disabled");
    let mut by_version = record("after");
    by_version["typeVersion"] = json!(1);
    app.post(&org.agent, "/v1/records", by_version).await.problem(422, "type-disabled");
    let versions = "/v1/types/notarize-generic-v1/versions";
    let next = definition("notarize-generic-v1", &json!({}));
    app.post(&org.admin, versions, next).await.problem(409, "type-disabled");
    app.get(&org.agent, format!("/v1/records/{id}")).await.ok(200);
    app.note(&org.agent, &id, "notes go on").await;
    let read = app.get(&org.agent, "/v1/types/notarize-generic-v1").await.ok(200);
    assert_eq!(read["disabledAt"], disabled["disabledAt"]);
    app.advance(std::time::Duration::from_secs(60));
    let again = app.post(&org.admin, path, json!({})).await.ok(200);
    assert_eq!(again["disabledAt"], disabled["disabledAt"]);
    app.post(&org.admin, "/v1/types/nothing/disable", json!({})).await.problem(404, "not-found");
}

#[tokio::test]
async fn a_bad_schema_is_refused_with_its_place_and_a_hint() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let mut deep = json!({ "type": "string" });
    for _ in 0..30 {
        deep = json!({ "properties": { "a": deep } });
    }
    let property = |schema: Value| json!({ "type": "object", "properties": { "a": schema } });
    for (schema, place) in [
        (property(json!({ "$ref": "https://example.com/s.json" })), "/properties/a"),
        (property(json!({ "$ref": "file:///etc/passwd" })), "/properties/a"),
        (property(json!({ "$ref": "#/$defs/nothing" })), "/properties/a"),
        (property(json!({ "pattern": "(?=a)b" })), "/properties/a"),
        (property(json!({ "pattern": "(a)\\1" })), "/properties/a"),
        (property(json!({ "type": "nothing" })), "/properties/a"),
        (json!({ "$schema": "https://json-schema.org/draft-04/schema" }), ""),
        (json!(17), ""),
    ] {
        for path in ["/v1/types", "/v1/types/preview"] {
            let answer = app.post(&org.admin, path, definition("t-v1", &schema)).await;
            let problem = answer.problem(422, "schema-invalid");
            let found = text(&problem, "/errors/0/path");
            let expected = format!("/recordSchema{place}");
            assert!(found.starts_with(&expected), "{found} for {schema}");
        }
        let mut completion = definition("t-v1", &json!({}));
        completion["completionSchema"] = schema;
        let answer = app.post(&org.admin, "/v1/types", completion).await;
        let problem = answer.problem(422, "schema-invalid");
        assert!(text(&problem, "/errors/0/path").starts_with("/completionSchema"));
    }
    // Deeper than any request body may be: refused before it is a schema.
    let answer = app.post(&org.admin, "/v1/types", definition("t-v1", &deep)).await;
    let problem = answer.problem(400, "json-invalid");
    assert!(text(&problem, "/detail").contains("48"), "{problem}");
    assert_eq!(app.all(&org.agent, "/v1/types").await.len(), 1);
}

#[tokio::test]
async fn a_name_can_stand_in_a_path() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    for name in ["", "_blank", "preview", "A", "a b", "a/b", "-a", "é", &"a".repeat(101)] {
        let refused = app.post(&org.admin, "/v1/types", definition(name, &json!({}))).await;
        refused.problem(422, "type-name-invalid");
    }
    for name in ["a", "0.x_y-z", &"a".repeat(100)] {
        app.post(&org.admin, "/v1/types", definition(name, &json!({}))).await.ok(201);
        app.get(&org.admin, format!("/v1/types/{name}")).await.ok(200);
    }
    let mut long = definition("long", &json!({}));
    long["description"] = json!("é".repeat(2001));
    app.post(&org.admin, "/v1/types", long).await.problem(422, "request-invalid");
}
