//! What a key may do by its scopes, whatever its agent is to the record.

use deed_lifecycle::{Action, Role, State, VerdictMode};
use serde_json::json;

use crate::parties::Parties;
use crate::support::text;
use crate::triples::requests;

#[tokio::test]
async fn a_key_that_only_writes_begins_work_and_takes_no_further_step() {
    let parties = Parties::new().await;
    // Of the principal's own agent.
    let writer = parties.app.with_profile(&parties.org, "agent-writer").await;
    for (active, state) in [(false, State::Draft), (true, State::Active)] {
        let mut wanted = parties.draft(VerdictMode::Principal);
        wanted["autoActivate"] = json!(active);
        let made = parties.app.post(&writer, "/v1/records", wanted).await.ok(201);
        assert_eq!(made["record"]["status"], state.as_str());
        let steps = made["nextSteps"].as_array().unwrap();
        let steps: Vec<String> = steps.iter().map(|step| text(step, "/action")).collect();
        assert!(steps.iter().all(|s| ["add-note", "delegate"].contains(&s.as_str())), "{steps:?}");
        let record = text(&made, "/record/id");
        for action in requests() {
            let refused = parties.act_with(&writer, &record, action).await;
            let hint = text(&refused.problem(403, "scope-missing"), "/recoveryHint");
            assert!(hint.contains("records:act"), "{hint}");
        }
        assert_eq!(parties.state(&record).await, state);
    }
    let record = parties.in_state(State::AwaitingVerdict).await;
    parties.act_with(&writer, &record, Action::VerdictAccept).await.problem(403, "scope-missing");
    parties.must(&record, Role::Principal, Action::VerdictAccept).await;
}
