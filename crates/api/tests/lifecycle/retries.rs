//! A retry with the same key gets the same answer, byte for byte, whatever has happened since.

use deed_lifecycle::{Action, Role, State};
use serde_json::json;

use crate::parties::Parties;

#[tokio::test]
async fn a_repeated_transition_is_carried_out_once() {
    let parties = Parties::new().await;
    let record = parties.in_state(State::Draft).await;
    let flow = [
        (Role::Principal, Action::Propose),
        (Role::Performer, Action::Accept),
        (Role::Principal, Action::Activate),
        (Role::Performer, Action::Complete),
        (Role::Principal, Action::VerdictReject),
        (Role::Performer, Action::Dispute),
        (Role::Principal, Action::EscalateToReview),
        (Role::Accessor, Action::EscalateToHuman),
        (Role::Admin, Action::ResolveOverturn),
    ];
    let mut answers = Vec::new();
    for (role, action) in flow {
        let (path, body) = parties.request(action);
        let url = format!("/v1/records/{record}/{path}");
        let once = action.as_str();
        let key = parties.key(role);
        let first = parties.app.post_once(key, &url, once, body.clone()).await;
        first.ok(200);
        let second = parties.app.post_once(key, &url, once, body).await;
        assert_eq!(second.header("idempotency-replayed"), "true");
        assert_eq!(first.bytes, second.bytes);
        answers.push((role, action, first));
    }
    // Also when the record has long gone on.
    for (role, action, first) in answers {
        let (path, mut body) = parties.request(action);
        let url = format!("/v1/records/{record}/{path}");
        let key = parties.key(role);
        let again = parties.app.post_once(key, &url, action.as_str(), body.clone()).await;
        assert_eq!(first.bytes, again.bytes, "{}", action.as_str());
        assert_eq!(again.status, 200);
        body["reason"] = json!("another request");
        let other = parties.app.post_once(key, &url, action.as_str(), body).await;
        assert_eq!(other.status, 422, "{}", other.text());
    }
    assert_eq!(parties.verified(&record).await, 10);
}

#[tokio::test]
async fn a_refusal_keeps_nothing_and_its_key_stays_free() {
    let parties = Parties::new().await;
    let record = parties.in_state(State::Proposed).await;
    let url = format!("/v1/records/{record}/activate");
    let send = || parties.app.post_once(&parties.org.agent, &url, "k", json!({}));
    send().await.problem(422, "action-not-allowed");
    send().await.problem(422, "action-not-allowed");
    let client = parties.app.superuser().await;
    let keys: i64 =
        client.query_one("SELECT count(*) FROM idempotency_keys", &[]).await.unwrap().get(0);
    assert_eq!(keys, 0);
    parties.must(&record, Role::Performer, Action::Accept).await;
    send().await.ok(200);
    assert_eq!(send().await.header("idempotency-replayed"), "true");
}

#[tokio::test]
async fn the_same_request_sent_at_once_is_carried_out_once() {
    let parties = Parties::new().await;
    let record = parties.in_state(State::Active).await;
    let (path, body) = parties.request(Action::Complete);
    let url = format!("/v1/records/{record}/{path}");
    let sends = (0..8).map(|_| parties.app.post_once(&parties.performer, &url, "k", body.clone()));
    let answers = futures::future::join_all(sends).await;
    for answer in &answers {
        answer.ok(200);
        assert_eq!(answer.bytes, answers[0].bytes);
    }
    assert_eq!(parties.verified(&record).await, 5);
}
