//! Every operation declares who it is for, and holds to it.

use std::collections::BTreeSet;

use deed_api::SCOPE_EXTENSION;
use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp};

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// An operation of the generated document.
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) id: String,
    /// `public`, `authenticated`, or a scope.
    pub(crate) access: String,
}

/// Every operation; fails naming those that declare no access or no id.
pub(crate) fn operations(openapi: &Value) -> Vec<Operation> {
    let mut all = Vec::new();
    let mut undeclared = Vec::new();
    for (path, item) in openapi["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            assert!(METHODS.contains(&method.as_str()), "{path} has a member {method}");
            let method: Method = method.to_uppercase().parse().expect("a method");
            let (id, access) = (&operation["operationId"], &operation[SCOPE_EXTENSION]);
            if let (Some(id), Some(access)) = (id.as_str(), access.as_str()) {
                let (id, access) = (id.to_owned(), access.to_owned());
                all.push(Operation { method, path: path.clone(), id, access });
            } else {
                undeclared.push(format!("{method} {path}"));
            }
        }
    }
    assert!(undeclared.is_empty(), "operations without a declared scope or id: {undeclared:?}");
    all
}

/// The path with plausible parameters.
fn concrete(path: &str) -> String {
    path.replace("{id}", "0196f000-0000-7000-8000-000000000000").replace("{name}", "some-type")
}

async fn ask(app: &TestApp, operation: &Operation, key: Option<&str>) -> Answer {
    let mut call = app.call(operation.method.clone(), concrete(&operation.path));
    if operation.method != Method::GET {
        call = call.json(&json!({}));
    }
    if let Some(key) = key {
        call = call.key(key);
    }
    call.send().await
}

#[tokio::test]
async fn every_operation_declares_its_scope_and_has_an_id_of_its_own() {
    let app = TestApp::new().await;
    let all = operations(&app.openapi);
    assert!(all.len() >= 30, "only {} operations", all.len());
    let ids: BTreeSet<&str> = all.iter().map(|o| o.id.as_str()).collect();
    assert_eq!(ids.len(), all.len(), "operation ids are not unique");
    let public: Vec<&str> =
        all.iter().filter(|o| o.access == "public").map(|o| o.id.as_str()).collect();
    let known = ["health", "livez", "metrics", "readyz", "scittKeys", "vaultKeys"];
    assert_eq!(BTreeSet::from_iter(public), BTreeSet::from(known));
    let authenticated: Vec<&str> =
        all.iter().filter(|o| o.access == "authenticated").map(|o| o.id.as_str()).collect();
    assert_eq!(authenticated, ["listScopeProfiles", "whoAmI"]);
    for operation in &all {
        assert!(
            operation.method == Method::GET || operation.access.contains(':'),
            "{} changes something without a scope",
            operation.id
        );
    }
}

#[tokio::test]
async fn without_a_valid_key_everything_but_the_public_is_401() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let unknown = "deed_agt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let truncated = &org.agent[..org.agent.len() - 1];
    for operation in operations(&app.openapi) {
        if operation.access == "public" {
            let answer = ask(&app, &operation, None).await;
            assert_eq!(answer.status, 200, "{}", answer.asked);
            continue;
        }
        for key in [None, Some(unknown), Some(truncated), Some("")] {
            let answer = ask(&app, &operation, key).await;
            answer.problem(401, "unauthorized");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
    let basic = app.call(Method::GET, "/v1/auth/me").header("authorization", "Basic YTpi");
    basic.send().await.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_key_whose_profile_lacks_the_scope_is_403_and_one_that_has_it_is_not() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let profiles = app.get(&app.platform, "/v1/admin/scope-profiles").await.ok(200);
    let mut keys = Vec::new();
    for profile in profiles["items"].as_array().expect("profiles") {
        let name = profile["name"].as_str().expect("a name");
        let scopes: BTreeSet<String> =
            serde_json::from_value(profile["scopes"].clone()).expect("scopes");
        keys.push((name.to_owned(), scopes, app.with_profile(&org, name).await));
    }
    assert_eq!(keys.len(), 9);
    // A profile of another version of the server: it allows nothing, also not what all others do.
    let foreign = json!({ "role": "admin", "orgId": org.id, "label": "foreign" });
    let foreign = app.mint(foreign).await;
    let rename = "UPDATE api_keys SET scope_profile = 'admin-of-2030' WHERE label = 'foreign'";
    app.superuser().await.batch_execute(rename).await.expect("the profile is renamed");
    keys.push(("admin-of-2030".to_owned(), BTreeSet::new(), foreign));
    for operation in operations(&app.openapi).iter().filter(|o| o.access.contains(':')) {
        let holders = keys.iter().filter(|(_, scopes, _)| scopes.contains(&operation.access));
        assert!(holders.count() > 0, "no profile has {}", operation.access);
        for (name, scopes, key) in &keys {
            let answer = ask(&app, operation, Some(key)).await;
            if scopes.contains(&operation.access) {
                assert_ne!(answer.status, 401, "{} with {name}", operation.id);
                assert_ne!(answer.status, 403, "{} with {name}", operation.id);
                assert!(answer.status.as_u16() < 500, "{}: {}", answer.asked, answer.text());
            } else {
                let problem = answer.problem(403, "scope-missing");
                let hint = problem["recoveryHint"].as_str().expect("a hint");
                assert!(hint.contains(&operation.access), "{hint}");
            }
        }
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let app = TestApp::new().await;
    app.get(&app.platform, "/v1/nothing").await.problem(404, "not-found");
    app.get("", "/").await.problem(404, "not-found");
    let answer = app.call(Method::DELETE, "/v1/records").key(&app.platform).send().await;
    answer.problem(405, "method-not-allowed");
    assert!(answer.header("allow").contains("POST"), "Allow: {:?}", answer.headers);
}
