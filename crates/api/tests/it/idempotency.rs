//! One key, one effect, one answer.

use futures::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, record, text};

/// The same answer, byte for byte, and marked as one of an earlier request.
#[track_caller]
pub(crate) fn assert_replayed(first: &Answer, again: &Answer) {
    assert!(first.status.is_success(), "{}: {}", first.asked, first.text());
    assert_eq!(again.status, first.status, "{}: {}", again.asked, again.text());
    assert_eq!(again.bytes, first.bytes, "{}", again.asked);
    assert_eq!(again.header("content-type"), first.header("content-type"));
    assert_eq!(first.header("idempotency-replayed"), "", "{}", first.asked);
    assert_eq!(again.header("idempotency-replayed"), "true", "{}", again.asked);
}

#[tokio::test]
async fn a_retry_gets_the_first_answer_and_writes_nothing() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let ask = async |body: Value| app.post_once(&org.agent, "/v1/records", "k", body).await;
    let first = ask(record("x")).await;
    let again = ask(record("x")).await;
    assert_replayed(&first, &again);
    // Another process has the answer too.
    let sibling = app.sibling().await;
    let elsewhere = sibling.post_once(&org.agent, "/v1/records", "k", record("x")).await;
    assert_replayed(&first, &elsewhere);
    assert_eq!(app.all(&org.agent, "/v1/records").await.len(), 1);
    ask(record("y")).await.problem(422, "idempotency-key-reused");
    let path = "/v1/records/batch";
    let other = app.post_once(&org.agent, path, "k", json!({ "records": [record("x")] })).await;
    other.problem(422, "idempotency-key-reused");
    assert_eq!(app.all(&org.agent, "/v1/records").await.len(), 1);
}

#[tokio::test]
async fn an_answer_of_any_size_and_content_comes_back_byte_for_byte() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    for size in [1, 100, 3_000, 70_000, 700_000] {
        // Text that repeats, text that does not, and text that looks like an answer.
        let varied: String = (0..size).map(|n| char::from(b'!' + (n * n % 89) as u8)).collect();
        let mut body = record("x");
        body["criteria"]["details"] = json!({
            "same": "a".repeat(size), "varied": varied, "answer": r#"{"record":{"id":"","#,
        });
        let once = format!("record-{size}");
        let first = app.post_once(&org.agent, "/v1/records", &once, body.clone()).await;
        let again = app.post_once(&org.agent, "/v1/records", &once, body).await;
        assert_replayed(&first, &again);
        let path = format!("/v1/records/{}/notes", text(&first.ok(201), "/record/id"));
        let note = json!({ "text": "é\u{1f600}\n", "data": { "same": "b".repeat(size), "varied": varied } });
        let once = format!("note-{size}");
        let first = app.post_once(&org.agent, &path, &once, note.clone()).await;
        // The record has moved on; the answer has not.
        app.note(&org.agent, path.split('/').nth(3).unwrap(), "later").await;
        assert_replayed(&first, &app.post_once(&org.agent, &path, &once, note).await);
    }
}

#[tokio::test]
async fn without_a_key_every_request_is_a_new_one() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    app.record_id(&org.agent, "x").await;
    app.record_id(&org.agent, "x").await;
    assert_eq!(app.all(&org.agent, "/v1/records").await.len(), 2);
}

#[tokio::test]
async fn a_key_is_1_to_255_visible_characters() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    for bad in ["", "a b", "é", &"k".repeat(256)] {
        let answer = app.post_once(&org.agent, "/v1/records", bad, record("x")).await;
        answer.problem(400, "idempotency-key-invalid");
    }
    let longest = "k".repeat(255);
    app.post_once(&org.agent, "/v1/records", &longest, record("x")).await.ok(201);
    app.post_once(&org.agent, "/v1/records", "~!{}\"'\\", record("x")).await.ok(201);
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let bad = app.post_once(&org.agent, "/v1/records", "k", record("")).await;
    bad.problem(422, "validation-failed");
    app.post_once(&org.agent, "/v1/records", "k", record("good")).await.ok(201);
    let name = json!({ "name": "b" });
    app.post_once(&app.platform, "/v1/admin/orgs", "k", json!({ "name": "a" }))
        .await
        .problem(409, "org-exists");
    app.post_once(&app.platform, "/v1/admin/orgs", "k", name).await.ok(201);
}

#[tokio::test]
async fn requests_at_the_same_time_get_one_answer() {
    let app = TestApp::new().await;
    let sibling = app.sibling().await;
    let org = app.org("a").await;
    let noted = app.record_id(&org.agent, "to be noted").await;
    let notes = format!("/v1/records/{noted}/notes");
    for (key, path, body) in [
        (&org.agent, "/v1/records", record("x")),
        (&org.agent, "/v1/records/batch", json!({ "records": [record("y"), record("")] })),
        (&org.agent, notes.as_str(), json!({ "text": "note" })),
        (&org.admin, "/v1/types", json!({ "name": "t-v1", "recordSchema": {} })),
        (&org.admin, "/v1/admin/agents", json!({ "name": "second" })),
        (&org.admin, "/v1/admin/api-keys", json!({ "role": "admin" })),
        (&app.platform, "/v1/admin/orgs", json!({ "name": "b" })),
    ] {
        let once = format!("together {path}").replace(' ', "-");
        let requests = (0..16).map(|n| {
            let process = if n % 2 == 0 { &app } else { &sibling };
            process.post_once(key, path, &once, body.clone())
        });
        let answers = join_all(requests).await;
        for answer in &answers {
            assert!(answer.status.is_success(), "{}: {}", answer.asked, answer.text());
            assert_eq!(answer.bytes, answers[0].bytes, "{}", answer.asked);
        }
        let first = answers.iter().filter(|a| a.header("idempotency-replayed").is_empty());
        assert_eq!(first.count(), 1, "{path}");
    }
    assert_eq!(app.all(&org.agent, "/v1/records").await.len(), 3);
    assert_eq!(app.all(&org.agent, &format!("/v1/records/{noted}/entries")).await.len(), 2);
    assert_eq!(app.all(&org.admin, "/v1/types").await.len(), 2);
    assert_eq!(app.all(&org.admin, "/v1/admin/agents").await.len(), 2);
    assert_eq!(app.all(&org.admin, "/v1/admin/api-keys").await.len(), 3);
    assert_eq!(app.all(&app.platform, "/v1/admin/orgs").await.len(), 2);
}

#[tokio::test]
async fn different_bodies_at_the_same_time_one_wins_the_others_are_refused() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let ids = [app.record_id(&org.agent, "1").await, app.record_id(&org.agent, "2").await];
    let creates =
        (0..8).map(|n| app.post_once(&org.agent, "/v1/records", "k", record(&n.to_string())));
    let mut paths = Vec::new();
    for n in 0..8 {
        paths.push((format!("/v1/records/{}/notes", ids[n % 2]), json!({ "text": n.to_string() })));
    }
    let notes = paths.into_iter().map(|(p, body)| app.post_once(&org.agent, p, "k", body));
    let (creates, notes) = tokio::join!(join_all(creates), join_all(notes));
    let (won, lost): (Vec<_>, Vec<_>) =
        creates.into_iter().chain(notes).partition(|a| a.status.is_success());
    assert_eq!(won.len(), 1);
    for answer in lost {
        answer.problem(422, "idempotency-key-reused");
    }
}

/// A note looks for its key before it writes; another transaction may write the key in between.
#[tokio::test]
async fn a_key_that_appears_after_a_note_looked_for_it_is_seen() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let id = app.record_id(&org.agent, "x").await;
    let other = app.superuser().await;
    let sql = format!(
        "BEGIN; INSERT INTO idempotency_keys (scope, key, request_hash, status, response)
         VALUES ('{}', 'k', decode(repeat('00', 32), 'hex'), 201, '')",
        org.agent_id
    );
    other.batch_execute(&sql).await.unwrap();
    let note = app.post_once(
        &org.agent,
        format!("/v1/records/{id}/notes"),
        "k",
        json!({ "text": "note" }),
    );
    let commit = async {
        let watcher = app.superuser().await;
        let waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname =
            current_database() AND wait_event_type = 'Lock' AND query LIKE '%new_keys%')";
        while !watcher.query_one(waiting, &[]).await.unwrap().get::<_, bool>(0) {
            tokio::task::yield_now().await;
        }
        other.batch_execute("COMMIT").await.unwrap();
    };
    let (answer, ()) = tokio::join!(note, commit);
    answer.problem(422, "idempotency-key-reused");
    assert_eq!(app.all(&org.agent, &format!("/v1/records/{id}/entries")).await.len(), 1);
}

#[tokio::test]
async fn keys_of_different_callers_never_meet() {
    let app = TestApp::new().await;
    let (a, b) = (app.org("a").await, app.org("b").await);
    let agent_id = app.agent(&a.id, "second").await;
    let second = json!({ "role": "agent", "orgId": a.id, "agentId": agent_id });
    let second = app.mint(second).await;
    let mut ids = Vec::new();
    for key in [&a.agent, &second, &a.admin, &b.agent, &b.admin] {
        let answer = app.post_once(key, "/v1/records", "k", record("x")).await;
        assert_eq!(answer.header("idempotency-replayed"), "");
        ids.push(text(&answer.ok(201), "/record/id"));
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5);
}

#[tokio::test]
async fn a_rotated_key_goes_on_with_the_same_idempotency_keys() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let first = app.post_once(&org.agent, "/v1/records", "k", record("x")).await;
    let id = text(&app.get(&org.agent, "/v1/auth/me").await.ok(200), "/apiKeyId");
    let path = format!("/v1/admin/api-keys/{id}/rotate");
    let rotated = app.post(&org.admin, path, json!({})).await.ok(201);
    let again = app.post_once(&text(&rotated, "/secret"), "/v1/records", "k", record("x")).await;
    assert_replayed(&first, &again);
}

#[tokio::test]
async fn a_scope_that_was_lost_is_asked_for_before_any_replay() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    app.post_once(&org.agent, "/v1/records", "k", record("x")).await.ok(201);
    let reader = app.with_profile(&org, "agent-reader").await;
    let again = app.post_once(&reader, "/v1/records", "k", record("x")).await;
    again.problem(403, "scope-missing");
    let call = app.call(Method::POST, "/v1/records").once("k").json(&record("x"));
    call.send().await.problem(401, "unauthorized");
}
