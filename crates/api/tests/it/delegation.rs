//! Delegation trees, and export documents that verify with public keys alone.

use deed_chain::{KeySet, Verdict, verify};
use serde_json::{Value, json};

use crate::support::{Answer, Org, TestApp, record, text};

async fn child(app: &TestApp, org: &Org, parent: &str, summary: &str) -> Value {
    let mut wanted = record(summary);
    wanted["parentRecordId"] = json!(parent);
    app.post(&org.agent, "/v1/records", wanted).await.ok(201)
}

/// Root with a note, two children, one grandchild under the first; gives the ids in this order.
async fn tree(app: &TestApp, org: &Org) -> [String; 4] {
    let root = app.record_id(&org.agent, "root").await;
    app.note(&org.agent, &root, "a note before delegating").await;
    let one = text(&child(app, org, &root, "one").await, "/record/id");
    let two = text(&child(app, org, &root, "two").await, "/record/id");
    let grandchild = text(&child(app, org, &one, "grandchild").await, "/record/id");
    app.note(&org.agent, &one, "a note on a child").await;
    [root, one, two, grandchild]
}

async fn published(app: &TestApp) -> [KeySet; 2] {
    let jwk = app.get("", "/.well-known/deed-vault-keys.json").await;
    let cose = app.get("", "/.well-known/scitt-keys").await;
    [jwk, cose].map(|answer| KeySet::parse(&answer.bytes).expect("a key set"))
}

/// Verifies a document with the published keys in both forms; gives how many records it has.
async fn verified(app: &TestApp, export: &Answer) -> (u64, u64) {
    assert_eq!(export.status, 200, "{}", export.text());
    let mut counts = None;
    for keys in published(app).await {
        let report = verify(&export.bytes, Some(&keys));
        assert_eq!(report.verdict, Verdict::Valid, "{}", export.text());
        let report = serde_json::to_value(&report).unwrap();
        let count = |name: &str| report["checked"][name].as_u64().expect("a count");
        counts = Some((count("records"), count("entries")));
    }
    counts.expect("two key sets")
}

#[tokio::test]
async fn a_child_is_linked_to_the_head_of_its_parent() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let root = app.record_id(&org.agent, "root").await;
    let note = app.note(&org.agent, &root, "a note").await;
    let made = child(&app, &org, &root, "child").await;
    assert_eq!(made["record"]["parentRecordId"], json!(root));
    assert_eq!(made["record"]["rootRecordId"], json!(root));
    let parent = json!({ "recordId": root, "entryHash": note["entry"]["hash"] });
    assert_eq!(made["entry"]["body"]["parent"], parent);
    let listed = app.all(&org.agent, &format!("/v1/records?parentRecordId={root}")).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["id"], made["record"]["id"]);
}

#[tokio::test]
async fn a_tree_is_read_as_a_whole_parents_first() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let [root, one, two, grandchild] = tree(&app, &org).await;
    app.record_id(&org.agent, "of no tree").await;
    let read = app.get(&org.agent, format!("/v1/records/{root}/tree")).await.ok(200);
    let ids: Vec<String> =
        read["records"].as_array().unwrap().iter().map(|r| text(r, "/id")).collect();
    assert_eq!(ids[0], root);
    assert_eq!(ids[3], grandchild);
    assert!(ids.contains(&one) && ids.contains(&two) && ids.len() == 4);
    let below = app.get(&org.agent, format!("/v1/records/{one}/tree")).await.ok(200);
    assert_eq!(below["records"].as_array().unwrap().len(), 2);
    assert_eq!(below["rootRecordId"], json!(one));
}

#[tokio::test]
async fn every_export_verifies_with_the_published_keys() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let [root, one, two, grandchild] = tree(&app, &org).await;
    for (id, scope, expected) in [
        (&root, "", (1, 2)),
        (&root, "?scope=record", (1, 2)),
        (&root, "?scope=tree", (4, 6)),
        // Below the root: what its first entry says of its parent lies outside the document.
        (&one, "", (1, 2)),
        (&one, "?scope=tree", (2, 3)),
        (&two, "?scope=tree", (1, 1)),
        (&grandchild, "", (1, 1)),
    ] {
        let path = format!("/v1/records/{id}/audit-export{scope}");
        let export = app.get(&org.agent, &path).await;
        assert_eq!(export.header("content-type"), "application/json");
        assert!(export.header("content-disposition").contains(id.as_str()));
        assert_eq!(verified(&app, &export).await, expected, "{path}");
        // Without pinned keys nobody can tell.
        let unpinned = verify(&export.bytes, None).verdict;
        assert!(matches!(unpinned, Verdict::CannotTell { .. }), "{path}");
    }
    let bad = app.get(&org.agent, format!("/v1/records/{root}/audit-export?scope=all")).await;
    bad.problem(400, "query-invalid");
}

#[tokio::test]
async fn a_changed_export_does_not_verify() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let [root, ..] = tree(&app, &org).await;
    let export = app.get(&org.agent, format!("/v1/records/{root}/audit-export?scope=tree")).await;
    let [keys, _] = published(&app).await;
    let forged = export.text().replace("\"summary\":\"two\"", "\"summary\":\"six\"");
    assert_ne!(forged, export.text());
    let verdict = verify(forged.as_bytes(), Some(&keys)).verdict;
    assert!(matches!(verdict, Verdict::Tampered { .. }), "{verdict:?}");
    let mut dropped: Value = serde_json::from_slice(&export.bytes).unwrap();
    dropped["records"].as_array_mut().unwrap().pop();
    let dropped = deed_chain::json::canonical(&dropped);
    let verdict = verify(&dropped, Some(&keys)).verdict;
    assert!(matches!(verdict, Verdict::Tampered { .. }), "{verdict:?}");
}

#[tokio::test]
async fn a_long_chain_is_exported_whole() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let id = app.record_id(&org.agent, "x").await;
    let notes = (0..1100).map(|n| {
        let (app, org, id) = (&app, &org, &id);
        async move { app.note(&org.agent, id, &n.to_string()).await }
    });
    // More entries than one read of the vault takes.
    futures::future::join_all(notes).await;
    let export = app.get(&org.agent, format!("/v1/records/{id}/audit-export")).await;
    assert_eq!(verified(&app, &export).await, (1, 1101));
}

#[tokio::test]
async fn delegation_ends_at_the_deepest_level() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let mut id = app.record_id(&org.agent, "root").await;
    let root = id.clone();
    for level in 1..=32 {
        let made = child(&app, &org, &id, "deeper").await;
        id = text(&made, "/record/id");
        assert_eq!(made["record"]["rootRecordId"], json!(root));
        let steps = made["nextSteps"].as_array().unwrap();
        let delegable = steps.iter().any(|step| step["action"] == "delegate");
        assert_eq!(delegable, level < 32, "level {level}");
    }
    let mut wanted = record("too deep");
    wanted["parentRecordId"] = json!(id);
    app.post(&org.agent, "/v1/records", wanted).await.problem(422, "delegation-too-deep");
    let export = app.get(&org.agent, format!("/v1/records/{root}/audit-export?scope=tree")).await;
    assert_eq!(verified(&app, &export).await, (33, 33));
}
