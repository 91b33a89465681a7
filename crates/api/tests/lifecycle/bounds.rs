//! Limits and deadlines go down the tree and are never exceeded.

use std::time::Duration;

use deed_lifecycle::{Action, Role, State, VerdictMode};
use serde_json::{Value, json};

use crate::parties::Parties;
use crate::support::{record, text};

/// Seconds from the time that tests begin at.
fn at(seconds: u64) -> String {
    let start = chrono::DateTime::from_timestamp_millis(crate::support::START).unwrap();
    (start + Duration::from_secs(seconds)).to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

fn active(parties: &Parties, more: Value) -> Value {
    let mut wanted = parties.draft(VerdictMode::Principal);
    wanted["autoActivate"] = json!(true);
    for (name, value) in more.as_object().unwrap() {
        wanted[name] = value.clone();
    }
    wanted
}

#[tokio::test]
async fn children_inherit_and_cannot_exceed() {
    let parties = Parties::new().await;
    let bounds = json!({ "limits": { "amount": 100, "calls": 5 }, "deadline": at(600) });
    let root = parties.create(active(&parties, bounds)).await;
    let below = |more: Value| {
        let mut wanted = active(&parties, more);
        wanted["parentRecordId"] = json!(root);
        wanted
    };
    let post = |wanted: Value| parties.app.post(&parties.org.agent, "/v1/records", wanted);
    let inherited = post(below(json!({}))).await.ok(201);
    assert_eq!(inherited["record"]["limits"], json!({ "amount": 100, "calls": 5 }));
    assert_eq!(inherited["record"]["deadline"], at(600));
    assert_eq!(inherited["entry"]["body"]["record"]["limits"], inherited["record"]["limits"]);
    let narrowed = json!({ "limits": { "amount": 99.5, "own": 1 }, "deadline": at(300) });
    let narrowed = post(below(narrowed)).await.ok(201);
    assert_eq!(narrowed["record"]["limits"], json!({ "amount": 99.5, "calls": 5, "own": 1 }));
    assert_eq!(narrowed["record"]["deadline"], at(300));
    for (more, code) in [
        (json!({ "limits": { "amount": 100.000_001 } }), "limit-exceeded"),
        (json!({ "deadline": at(601) }), "deadline-exceeded"),
        (json!({ "limits": { "amount": -1 } }), "request-invalid"),
        (json!({ "limits": { "amount": "1" } }), "request-invalid"),
        (json!({ "deadline": "tomorrow" }), "request-invalid"),
    ] {
        post(below(more)).await.problem(422, code);
    }
    // A notarized record between two others passes them on.
    let mut between = record("between");
    between["parentRecordId"] = json!(root);
    let between = post(between).await.ok(201);
    assert_eq!(between["record"]["limits"], json!({ "amount": 100, "calls": 5 }));
    let mut grandchild = active(&parties, json!({ "limits": { "calls": 6 } }));
    grandchild["parentRecordId"] = between["record"]["id"].clone();
    post(grandchild).await.problem(422, "limit-exceeded");
}

#[tokio::test]
async fn an_amendment_cannot_exceed_the_parent_either() {
    let parties = Parties::new().await;
    let bounds = json!({ "limits": { "amount": 100 }, "deadline": at(600) });
    let root = parties.create(active(&parties, bounds)).await;
    let mut child = parties.draft(VerdictMode::Principal);
    child["parentRecordId"] = json!(root);
    let child = parties.create(child).await;
    let path = format!("/v1/records/{child}/amend");
    let amend = |body: Value| parties.app.post(&parties.org.agent, path.clone(), body);
    amend(json!({ "limits": { "amount": 101 } })).await.problem(422, "limit-exceeded");
    amend(json!({ "deadline": at(601) })).await.problem(422, "deadline-exceeded");
    amend(json!({ "deadline": at(0) })).await.problem(422, "deadline-passed");
    amend(json!({ "criteria": {} })).await.problem(422, "validation-failed");
    amend(json!({})).await.problem(422, "request-invalid");
    let amended = amend(json!({ "limits": { "amount": 7 }, "deadline": at(500) })).await.ok(200);
    assert_eq!(amended["record"]["limits"], json!({ "amount": 7 }));
    assert_eq!(amended["entry"]["body"]["limits"], json!({ "amount": 7 }));
    assert_eq!(amended["entry"]["body"]["deadline"], at(500));
    // Once it is active, it is locked.
    parties.must(&child, Role::Principal, Action::Activate).await;
    let refused = amend(json!({ "limits": { "amount": 1 } })).await;
    refused.problem(422, "action-not-allowed");
    parties.verified(&child).await;
}

#[tokio::test]
async fn nothing_begins_below_what_has_not_begun_or_has_ended() {
    let parties = Parties::new().await;
    for state in State::ALL {
        let parent = parties.in_state(state).await;
        let mut wanted = active(&parties, json!({}));
        wanted["parentRecordId"] = json!(parent);
        let answer = parties.app.post(&parties.org.agent, "/v1/records", wanted).await;
        if state.may_delegate() {
            answer.ok(201);
        } else {
            answer.problem(422, "parent-not-open");
        }
        let read = parties.read(&parent).await;
        let steps = read["nextSteps"].as_array().cloned().unwrap_or_default();
        let offered = steps.iter().any(|step| step["action"] == "delegate");
        assert!(state == State::Recorded || offered == state.may_delegate(), "{}", state.as_str());
    }
}

#[tokio::test]
async fn what_belongs_to_a_gate_is_refused_without_one() {
    let parties = Parties::new().await;
    for (name, value) in [
        ("autoActivate", json!(true)),
        ("performerAgentId", json!(parties.performer_id)),
        ("deadline", json!(at(600))),
        ("limits", json!({ "amount": 1 })),
    ] {
        let mut wanted = record("x");
        wanted[name] = value;
        let refused = parties.app.post(&parties.org.agent, "/v1/records", wanted).await;
        refused.problem(422, "type-not-gated");
    }
    let notarized = parties.in_state(State::Recorded).await;
    let refused = parties.act(&notarized, Role::Principal, Action::Cancel).await;
    let problem = refused.problem(422, "not-under-a-gate");
    assert_eq!(text(&problem, "/currentState"), "RECORDED");
}
