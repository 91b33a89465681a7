//! The common ways through the lifecycle, and what their entries, rows and answers say.

use deed_lifecycle::{Action, Role, State, VerdictMode};
use serde_json::{Value, json};

use crate::parties::{Parties, completion};
use crate::support::text;

async fn kinds(parties: &Parties, record: &str) -> Vec<String> {
    let entries =
        parties.app.all(&parties.org.agent, &format!("/v1/records/{record}/entries")).await;
    entries.iter().map(|entry| text(entry, "/body/kind")).collect()
}

#[tokio::test]
async fn from_a_proposal_over_a_revision_to_acceptance() {
    let parties = Parties::new().await;
    let record = parties.create(parties.draft(VerdictMode::Principal)).await;
    for (role, action, state) in [
        (Role::Principal, Action::Amend, State::Draft),
        (Role::Principal, Action::Propose, State::Proposed),
        (Role::Performer, Action::Accept, State::Accepted),
        (Role::Principal, Action::Activate, State::Active),
        (Role::Performer, Action::Complete, State::AwaitingVerdict),
        (Role::Principal, Action::RequestRevision, State::Rework),
        (Role::Performer, Action::Complete, State::AwaitingVerdict),
        (Role::Principal, Action::VerdictAccept, State::Fulfilled),
    ] {
        assert_eq!(parties.must(&record, role, action).await, state);
    }
    let expected = [
        "record.created",
        "record.amended",
        "record.proposed",
        "record.accepted",
        "record.activated",
        "record.completed",
        "record.revision-requested",
        "record.completed",
        "record.verdict",
    ];
    assert_eq!(kinds(&parties, &record).await, expected);
    let read = parties.read(&record).await;
    assert_eq!(read["criteria"], json!({ "what": "two reports" }), "the amended criteria");
    assert_eq!(read["revisions"], 1);
    assert_eq!(read["completionPosition"], 7);
    assert_eq!(read["verdictPosition"], 8);
    assert_eq!(read["awaiting"], json!([]));
    assert_eq!(parties.verified(&record).await, 9);
    let client = parties.app.superuser().await;
    let sql = "SELECT string_agg(kind, ' ' ORDER BY seq) FROM events WHERE record_id::text = $1";
    let events: String = client.query_one(sql, &[&record]).await.unwrap().get(0);
    assert_eq!(events, format!("{} signal.emitted", expected.join(" ")));
}

#[tokio::test]
async fn an_entry_says_who_did_what_to_whom() {
    let parties = Parties::new().await;
    let record = parties.in_state(State::Active).await;
    let answer = parties.act(&record, Role::Performer, Action::Complete).await.ok(200);
    let body = &answer["entry"]["body"];
    assert_eq!(body["kind"], "record.completed");
    assert_eq!(body["action"], "complete");
    assert_eq!((&body["from"], &body["to"]), (&json!("ACTIVE"), &json!("AWAITING_VERDICT")));
    assert_eq!(body["actor"], json!({ "role": "performer", "agentId": parties.performer_id }));
    assert_eq!(body["completion"], completion());
    assert!(body["salt"].is_string() && body["createdBy"].is_string());
    assert_eq!(body["createdAt"], "2026-01-15T12:00:00.000Z");
    let verdict = parties.act(&record, Role::Principal, Action::VerdictReject).await.ok(200);
    assert_eq!(verdict["entry"]["body"]["signal"], "HOLD");
    assert_eq!(verdict["entry"]["body"]["reason"], "no");
    assert_eq!(verdict["entry"]["previous"], answer["entry"]["hash"]);
    assert_eq!(verdict["record"]["head"]["position"], 5);
}

#[tokio::test]
async fn created_and_activated_in_one_call() {
    let parties = Parties::new().await;
    let mut wanted = parties.draft(VerdictMode::Principal);
    wanted["autoActivate"] = json!(true);
    let made = parties.app.post(&parties.org.agent, "/v1/records", wanted.clone()).await.ok(201);
    assert_eq!(made["record"]["status"], "ACTIVE");
    assert_eq!(made["entry"]["body"]["kind"], "record.created");
    assert_eq!(made["entry"]["body"]["record"]["status"], "ACTIVE");
    // In another's name nobody can start it.
    wanted["principalAgentId"] = json!(parties.performer_id);
    let refused = parties.app.post(&parties.org.agent, "/v1/records", wanted.clone()).await;
    refused.problem(422, "role-not-allowed");
    wanted["autoActivate"] = json!(false);
    let draft = parties.create(wanted).await;
    parties.act(&draft, Role::Principal, Action::Activate).await.problem(422, "role-not-allowed");
}

#[tokio::test]
async fn an_administrator_begins_what_an_agent_answers_for() {
    let parties = Parties::new().await;
    let mut wanted = parties.draft(VerdictMode::Principal);
    let admin = &parties.org.admin;
    let refused = parties.app.post(admin, "/v1/records", wanted.clone()).await;
    refused.problem(422, "principal-required");
    wanted["principalAgentId"] = json!(parties.org.agent_id);
    wanted.as_object_mut().unwrap().remove("performerAgentId");
    let made = parties.app.post(admin, "/v1/records", wanted).await.ok(201);
    let record = text(&made, "/record/id");
    let refused = parties.act(&record, Role::Principal, Action::Propose).await;
    refused.problem(422, "performer-required");
    let refused = parties.act(&record, Role::Principal, Action::Activate).await;
    refused.problem(422, "performer-required");
    let path = format!("/v1/records/{record}/propose");
    for (named, code) in [(&parties.other.agent_id, "performer-unknown")] {
        let body = json!({ "performerAgentId": named });
        parties.app.post(&parties.org.agent, &path, body).await.problem(422, code);
    }
    let body = json!({ "performerAgentId": parties.performer_id, "message": "for you" });
    let proposed = parties.app.post(&parties.org.agent, &path, body).await.ok(200);
    assert_eq!(proposed["record"]["performerAgentId"], json!(parties.performer_id));
    let listed = format!("/v1/records?performerAgentId={}", parties.performer_id);
    assert_eq!(parties.app.all(&parties.performer, &listed).await.len(), 1);
    let listed = format!("{listed}&status=ACTIVE");
    assert_eq!(parties.app.all(&parties.performer, &listed).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_completion_is_valid_by_the_schema_or_refused_with_its_place() {
    let parties = Parties::new().await;
    let record = parties.in_state(State::Active).await;
    let path = format!("/v1/records/{record}/completions");
    let wrong = json!({ "completion": { "evidence": 1 } });
    let refused = parties.app.post(&parties.performer, &path, wrong.clone()).await;
    let problem = refused.problem(422, "validation-failed");
    assert_eq!(problem["errors"][0]["path"], "/completion/evidence");
    // Who may not complete at all is told that, not what is wrong with the evidence.
    let refused = parties.app.post(&parties.org.agent, &path, wrong).await;
    refused.problem(422, "role-not-allowed");
    let refused = parties.app.post(&parties.performer, &path, json!({})).await;
    refused.problem(422, "request-invalid");
    assert_eq!(parties.state(&record).await, State::Active);
}

#[tokio::test]
async fn five_revisions_and_no_more() {
    let parties = Parties::new().await;
    let record = parties.in_state(State::AwaitingVerdict).await;
    for _ in 0..5 {
        parties.must(&record, Role::Principal, Action::RequestRevision).await;
        parties.must(&record, Role::Performer, Action::Complete).await;
    }
    let refused = parties.act(&record, Role::Principal, Action::RequestRevision).await;
    let problem = refused.problem(422, "revisions-used-up");
    assert_eq!(problem["allowedActions"], json!(["verdict-accept", "verdict-reject"]));
    parties.must(&record, Role::Principal, Action::VerdictReject).await;
}

#[tokio::test]
async fn a_judgement_of_a_replaced_completion_is_refused() {
    let parties = Parties::new().await;
    let record = parties.create({
        let mut wanted = parties.draft(VerdictMode::AutoThenPrincipal);
        wanted["autoActivate"] = json!(true);
        wanted
    });
    let record = record.await;
    parties.must(&record, Role::Performer, Action::Complete).await;
    let jobs = "SELECT count(*) FROM jobs WHERE kind = 'gate.evaluate' AND record_id::text = $1";
    let client = parties.app.superuser().await;
    let count: i64 = client.query_one(jobs, &[&record]).await.unwrap().get(0);
    assert_eq!(count, 1, "the completion caused the job that judges it");
    assert!(parties.system(&record, Action::EvaluationPassed).await);
    // The late second effect of the same job.
    assert!(!parties.system(&record, Action::EvaluationPassed).await);
    parties.must(&record, Role::Principal, Action::RequestRevision).await;
    parties.must(&record, Role::Performer, Action::Complete).await;
    let count: i64 = client.query_one(jobs, &[&record]).await.unwrap().get(0);
    assert_eq!(count, 2);
    let input = parties.app.app.store().evaluation_input(record.parse().unwrap()).await.unwrap();
    let input = input.expect("there is a completion");
    assert_eq!(input.completion_position, 4);
    let body: Value = serde_json::from_slice(&input.completion_body).unwrap();
    assert_eq!(body["completion"], completion());
    let body: Value = serde_json::from_slice(&input.criteria_body).unwrap();
    assert_eq!(body["criteria"], json!({ "what": "a report" }));
}

#[tokio::test]
async fn of_many_verdicts_at_once_one_counts() {
    let parties = Parties::new().await;
    let record = parties.in_state(State::AwaitingVerdict).await;
    let verdicts = [Action::VerdictAccept, Action::VerdictReject].repeat(8);
    let answers = futures::future::join_all(
        verdicts.into_iter().map(|verdict| parties.act(&record, Role::Principal, verdict)),
    );
    let answers = answers.await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1);
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        let problem = refused.problem(422, "action-not-allowed");
        assert_eq!(problem["currentState"], won[0].ok(200)["record"]["status"]);
    }
    assert_eq!(parties.verified(&record).await, 6);
    let client = parties.app.superuser().await;
    let sql = "SELECT count(*) FROM events WHERE record_id::text = $1 AND kind = 'signal.emitted'";
    let signals: i64 = client.query_one(sql, &[&record]).await.unwrap().get(0);
    assert_eq!(signals, 1);
}
