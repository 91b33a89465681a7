//! Notarizing: what is answered, what is signed, what is refused.

use deed_chain::entry::Decoded;
use deed_chain::{Entry, KeySet, body};
use serde_json::{Value, json};

use crate::support::{ISSUER, START, TestApp, assert_problem, record, signer, text};

/// Checks an entry of an answer by itself: signature, hashes, subject. Gives what it says.
#[track_caller]
pub(crate) fn check_entry(entry: &Value, record: &str) -> Decoded {
    let signed = Entry::from_base64url(&text(entry, "/signedStatement")).expect("base64url");
    let decoded = signed.decode().expect("the statement decodes");
    decoded.verify(signer().public()).expect("the signature verifies");
    assert_eq!(text(entry, "/hash"), signed.hash().to_string());
    assert_eq!(&decoded.kid, signer().thumbprint());
    assert_eq!(decoded.claims.issuer, ISSUER);
    assert_eq!(decoded.claims.subject.to_string(), record);
    let link = decoded.claims.link.as_ref().expect("a link");
    assert_eq!(entry["position"], link.position);
    assert_eq!(text(entry, "/previous"), link.previous.to_string());
    assert_eq!(link.epoch, 0);
    let (_, body_hash) = body::body_hash(&entry["body"]);
    assert_eq!(decoded.body_hash, body_hash);
    decoded
}

#[tokio::test]
async fn a_record_is_signed_and_linked_to_the_genesis_statement() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let wanted = json!({
        "type": "notarize-generic-v1",
        "criteria": { "summary": "sent the invoice", "details": { "amount": "12.50", "n": 1e21 } },
        "references": { "traceId": "t-1", "ticket": "T-17" },
        "requestedBy": "Ada",
    });
    let answer = app.post(&org.agent, "/v1/records", wanted.clone()).await.ok(201);
    let (record, entry) = (&answer["record"], &answer["entry"]);
    assert_eq!(record["status"], "RECORDED");
    assert_eq!(record["type"], "notarize-generic-v1");
    assert_eq!(record["typeVersion"], 1);
    assert_eq!(record["orgId"], json!(org.id));
    assert_eq!(record["principalAgentId"], json!(org.agent_id));
    assert_eq!(record["rootRecordId"], record["id"]);
    assert_eq!(record["createdAt"], "2026-01-15T12:00:00.000Z");
    for member in ["criteria", "references", "requestedBy"] {
        assert_eq!(record[member], wanted[member], "{member}");
    }
    let id = text(record, "/id");
    let decoded = check_entry(entry, &id);
    assert_eq!(decoded.claims.issued_at, START / 1000);
    let genesis = app.app.store().installation().genesis_hash;
    assert_eq!(entry["previous"], json!(genesis));
    assert_eq!(record["head"], json!({ "position": 0, "hash": entry["hash"] }));
    assert_eq!(entry["body"]["kind"], "record.recorded");
    assert_eq!(text(entry, "/body/salt").len(), 22);
    assert_eq!(entry["body"]["criteria"], wanted["criteria"]);
    assert_eq!(entry["body"]["references"], wanted["references"]);

    let read = app.get(&org.agent, format!("/v1/records/{id}")).await.ok(200);
    assert_eq!(&read, record);
    let entries = app.all(&org.agent, &format!("/v1/records/{id}/entries")).await;
    assert_eq!(entries, std::slice::from_ref(entry));
}

#[tokio::test]
async fn two_records_of_the_same_content_have_nothing_in_common() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let (one, two) = (app.notarize(&org.agent, "x").await, app.notarize(&org.agent, "x").await);
    for pointer in ["/record/id", "/entry/hash", "/entry/body/salt"] {
        assert_ne!(text(&one, pointer), text(&two, pointer), "{pointer}");
    }
}

#[tokio::test]
async fn notes_extend_the_chain_and_never_change_what_is_there() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let first = app.notarize(&org.agent, "first").await;
    let id = text(&first, "/record/id");
    let mut previous = text(&first, "/entry/hash");
    let mut expected = vec![first["entry"].clone()];
    for (position, key) in (1..=5).zip([&org.agent, &org.admin].into_iter().cycle()) {
        let body = json!({ "text": format!("note {position}"), "data": { "n": position } });
        let answer = app.post(key, format!("/v1/records/{id}/notes"), body).await.ok(201);
        let entry = &answer["entry"];
        check_entry(entry, &id);
        assert_eq!(entry["position"], position);
        assert_eq!(text(entry, "/previous"), previous);
        assert_eq!(entry["body"]["kind"], "note.added");
        assert_eq!(entry["body"]["text"], format!("note {position}"));
        assert_eq!(entry["body"]["data"], json!({ "n": position }));
        previous = text(entry, "/hash");
        assert_eq!(answer["record"]["head"], json!({ "position": position, "hash": previous }));
        assert_eq!(answer["record"]["status"], "RECORDED");
        expected.push(entry.clone());
    }
    let path = format!("/v1/records/{id}/entries");
    assert_eq!(app.all(&org.agent, &path).await, expected);
    // Page by page the same.
    assert_eq!(app.all(&org.agent, &format!("{path}?limit=2")).await, expected);
    let read = app.get(&org.agent, format!("/v1/records/{id}")).await.ok(200);
    assert_eq!(read["criteria"], first["record"]["criteria"]);
    assert_eq!(text(&read, "/head/hash"), previous);
}

#[tokio::test]
async fn a_note_has_a_text_of_reasonable_length() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let id = app.record_id(&org.agent, "x").await;
    let path = format!("/v1/records/{id}/notes");
    for (body, status, code) in [
        (json!({ "text": "" }), 422, "request-invalid"),
        (json!({ "text": "é".repeat(10_001) }), 422, "request-invalid"),
        (json!({ "text": "x", "other": 1 }), 422, "request-invalid"),
        (json!({ "text": "x", "data": [] }), 422, "request-invalid"),
        (json!({}), 422, "request-invalid"),
    ] {
        app.post(&org.agent, &path, body).await.problem(status, code);
    }
    app.post(&org.agent, &path, json!({ "text": "é".repeat(10_000) })).await.ok(201);
    let none = "/v1/records/0196f000-0000-7000-8000-000000000000/notes";
    app.post(&org.agent, none, json!({ "text": "x" })).await.problem(404, "not-found");
    let bad = app.post(&org.agent, "/v1/records/17/notes", json!({ "text": "x" })).await;
    bad.problem(400, "path-invalid");
}

#[tokio::test]
async fn a_batch_writes_the_valid_and_names_what_is_wrong_with_the_others() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let batch = json!({ "records": [
        record("one"),
        { "type": "notarize-generic-v1", "criteria": { "summary": "" } },
        record("two"),
        { "type": "no-such-type", "criteria": {} },
        { "criteria": {} },
        17,
        record("three"),
    ]});
    let answer = app.post(&org.agent, "/v1/records/batch", batch).await.ok(200);
    let results = answer["results"].as_array().unwrap();
    let statuses: Vec<u64> = results.iter().filter_map(|r| r["status"].as_u64()).collect();
    assert_eq!(statuses, [201, 422, 201, 404, 422, 422, 201]);
    let mut written = Vec::new();
    for (result, code) in results.iter().zip([
        "",
        "validation-failed",
        "",
        "not-found",
        "request-invalid",
        "request-invalid",
        "",
    ]) {
        if code.is_empty() {
            check_entry(&result["entry"], &text(result, "/record/id"));
            written.push(text(result, "/record/id"));
        } else {
            let status = u16::try_from(result["status"].as_u64().unwrap()).unwrap();
            assert_problem(&result["problem"], status, code);
        }
    }
    assert_eq!(results[2]["record"]["criteria"]["summary"], "two");
    let mut listed: Vec<String> =
        app.all(&org.agent, "/v1/records").await.iter().map(|r| text(r, "/id")).collect();
    listed.sort();
    written.sort();
    assert_eq!(listed, written);
}

#[tokio::test]
async fn a_batch_has_one_to_a_hundred_records() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let of = |n: usize| json!({ "records": vec![record("x"); n] });
    for n in [0, 101] {
        app.post(&org.agent, "/v1/records/batch", of(n)).await.problem(422, "batch-size");
    }
    let full = app.post(&org.agent, "/v1/records/batch", of(100)).await.ok(200);
    assert!(full["results"].as_array().unwrap().iter().all(|r| r["status"] == 201));
    assert_eq!(app.all(&org.agent, "/v1/records?limit=200").await.len(), 100);
}

#[tokio::test]
async fn a_violation_names_path_expected_and_found() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let schema = json!({ "type": "object", "required": ["sku"], "properties": {
        "sku": { "type": "string" },
        "lines": { "type": "array", "items": { "type": "object",
            "properties": { "count": { "type": "integer", "minimum": 1 } } } } } });
    let definition = json!({ "name": "order-v1", "recordSchema": schema });
    app.post(&org.admin, "/v1/types", definition).await.ok(201);
    let criteria = json!({ "sku": 5, "lines": [{ "count": 2 }, { "count": 0 }] });
    let wanted = json!({ "type": "order-v1", "criteria": criteria });
    let answer = app.post(&org.agent, "/v1/records", wanted).await;
    let problem = answer.problem(422, "validation-failed");
    let errors = problem["errors"].as_array().unwrap();
    let at = |path: &str| {
        errors.iter().find(|e| e["path"] == path).unwrap_or_else(|| {
            panic!("no error at {path}: {errors:?}");
        })
    };
    assert_eq!(errors.len(), 2, "{errors:?}");
    let sku = at("/criteria/sku");
    assert!(text(sku, "/expected").contains("string"), "{sku}");
    assert!(text(sku, "/found").contains('5'), "{sku}");
    let count = at("/criteria/lines/1/count");
    assert!(text(count, "/expected").contains('1'), "{count}");
    assert!(text(count, "/found").contains('0'), "{count}");
    let missing = json!({ "type": "order-v1", "criteria": {} });
    let problem = app.post(&org.agent, "/v1/records", missing).await;
    assert!(problem.problem(422, "validation-failed").to_string().contains("sku"));
    assert!(app.all(&org.agent, "/v1/records").await.is_empty());
}

#[tokio::test]
async fn what_does_not_fit_a_record_is_refused() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let with = |member: &str, value: Value| {
        let mut wanted = record("x");
        wanted[member] = value;
        wanted
    };
    let many: serde_json::Map<_, _> = (0..17).map(|n| (format!("k{n}"), json!("v"))).collect();
    let nobody = "0196f000-0000-7000-8000-000000000000";
    for (wanted, status, code) in [
        (with("type", json!("nothing-v1")), 404, "not-found"),
        (with("typeVersion", json!(9)), 404, "not-found"),
        (with("unknownMember", json!(1)), 422, "request-invalid"),
        (with("criteria", json!([])), 422, "request-invalid"),
        (with("references", json!(many)), 422, "request-invalid"),
        (with("references", json!({ "": "v" })), 422, "request-invalid"),
        (with("references", json!({ "a b": "v" })), 422, "request-invalid"),
        (with("references", json!({ "k": "" })), 422, "request-invalid"),
        (with("references", json!({ "k": "v".repeat(257) })), 422, "request-invalid"),
        (with("references", json!({ "k": 1 })), 422, "request-invalid"),
        (with("requestedBy", json!("")), 422, "request-invalid"),
        (with("principalAgentId", json!(nobody)), 422, "principal-unknown"),
        (with("principalAgentId", json!("x")), 422, "request-invalid"),
        (with("parentRecordId", json!(nobody)), 422, "parent-unknown"),
    ] {
        app.post(&org.agent, "/v1/records", wanted).await.problem(status, code);
    }
    assert!(app.all(&org.agent, "/v1/records").await.is_empty());
}

#[tokio::test]
async fn the_keys_are_published_in_two_forms() {
    let app = TestApp::new().await;
    for (path, media_type) in [
        ("/.well-known/deed-vault-keys.json", "application/jwk-set+json"),
        ("/.well-known/scitt-keys", "application/cose-key-set"),
    ] {
        let answer = app.get("", path).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), media_type);
        let keys = KeySet::parse(&answer.bytes).expect("a key set");
        assert_eq!(keys.len(), 1);
        assert!(keys.contains(signer().thumbprint()), "{path}");
    }
}

#[tokio::test]
async fn an_answer_names_its_request() {
    let app = TestApp::new().await;
    let call = || app.call(http::Method::GET, "/livez");
    let chosen = call().header("x-request-id", "job-17").send().await;
    assert_eq!(chosen.header("x-request-id"), "job-17");
    let (one, two) = (call().send().await, call().send().await);
    assert!(!one.header("x-request-id").is_empty());
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
}
