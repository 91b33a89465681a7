//! The committed document is the generated one, and it is sound OpenAPI 3.1.

use std::collections::BTreeSet;
use std::path::Path;

use deed_notify::EventType;
use serde_json::{Map, Value};

use crate::support::TestApp;

#[tokio::test]
async fn the_committed_document_is_the_generated_one() {
    let app = TestApp::new().await;
    let mut generated = serde_json::to_string_pretty(&app.openapi).unwrap();
    generated.push('\n');
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == generated, "docs/openapi.json is stale: run the test with UPDATE_DOCS=1");
    let served = app.get("", "/openapi.json").await;
    let served: Value = serde_json::from_slice(&served.bytes).unwrap();
    assert_eq!(served, app.openapi);
}

#[tokio::test]
async fn the_document_is_sound() {
    let app = TestApp::new().await;
    let document = &app.openapi;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")));
    for member in ["/info/title", "/info/version"] {
        assert!(document.pointer(member).is_some_and(Value::is_string), "{member}");
    }
    let mut references = BTreeSet::new();
    collect(document, &mut references);
    assert!(references.len() > 10);
    for reference in &references {
        let target = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
        assert!(target.is_some(), "{reference} leads nowhere");
    }
    let tags: BTreeSet<&str> =
        document["tags"].as_array().unwrap().iter().filter_map(|t| t["name"].as_str()).collect();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            check_operation(&format!("{method} {path}"), path, operation, &tags);
        }
    }
}

#[tokio::test]
async fn every_event_is_a_webhook_with_the_schema_of_the_catalogue() {
    let app = TestApp::new().await;
    let webhooks = app.openapi["webhooks"].as_object().unwrap();
    let names: BTreeSet<&str> = webhooks.keys().map(String::as_str).collect();
    assert_eq!(names, EventType::ALL.iter().map(|event| event.as_str()).collect());
    for event in EventType::ALL {
        let body = "/post/requestBody/content/application~1json/schema";
        let told = webhooks[event.as_str()].pointer(body).unwrap();
        let reference = told["properties"]["data"]["$ref"].as_str().unwrap();
        let data = app.openapi.pointer(reference.strip_prefix('#').unwrap()).unwrap();
        assert_eq!(*data, event.data_schema(), "{reference}");
        assert_eq!(*told, event.schema(told["properties"]["data"].clone()), "{event:?}");
    }
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                references.insert(reference.clone());
            }
            members.values().for_each(|member| collect(member, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

fn check_operation(name: &str, path: &str, operation: &Value, tags: &BTreeSet<&str>) {
    assert!(operation["summary"].is_string(), "{name} has no summary");
    let tagged = operation["tags"].as_array().unwrap();
    assert!(tagged.iter().all(|tag| tags.contains(tag.as_str().unwrap())), "{name}: {tagged:?}");
    let none = Vec::new();
    let parameters = operation["parameters"].as_array().unwrap_or(&none);
    let declared: BTreeSet<&str> = parameters
        .iter()
        .filter(|p| p["in"] == "path")
        .inspect(|p| assert_eq!(p["required"], true, "{name}: {p}"))
        .filter_map(|p| p["name"].as_str())
        .collect();
    let templated: BTreeSet<&str> =
        path.split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}')).collect();
    assert_eq!(declared, templated, "{name}: path parameters");
    for parameter in parameters {
        assert!(parameter["schema"].is_object(), "{name}: {parameter}");
        assert!(parameter["description"].is_string(), "{name}: {parameter}");
    }
    let responses: &Map<String, Value> = operation["responses"].as_object().unwrap();
    assert!(responses.keys().any(|status| status.starts_with('2')), "{name} never succeeds");
    for (status, response) in responses {
        assert!(response["description"].is_string(), "{name} {status}");
        let content = response["content"].as_object().unwrap_or_else(|| panic!("{name} {status}"));
        if status.starts_with('4') {
            assert!(content.contains_key("application/problem+json"), "{name} {status}");
        }
    }
    let public = operation["x-required-scope"] == "public";
    assert_eq!(operation["security"].as_array().is_some_and(Vec::is_empty), public, "{name}");
}
