//! Every (state, action, role) triple over HTTP: allowed as the table says, or refused with all
//! that a caller needs to go on.

use deed_lifecycle::{Action, Facts, Role, Roles, State, VerdictMode, allowed};
use serde_json::Value;

use crate::parties::Parties;
use crate::support::{Answer, text};

/// What callers can send; the rest is the server's.
pub(crate) fn requests() -> impl Iterator<Item = Action> {
    Action::ALL.into_iter().filter(|action| {
        !matches!(
            action,
            Action::EvaluationPassed
                | Action::EvaluationFailed
                | Action::EvaluationUndecided
                | Action::ReevaluationPassed
                | Action::ReevaluationFailed
                | Action::Expire
        )
    })
}

/// The facts of the records that [`Parties::in_state`] makes.
fn facts(state: State) -> Facts {
    let disputed = matches!(
        state,
        State::DisputedTier1 | State::DisputedTier2 | State::DisputedTier3 | State::Remediated
    );
    Facts {
        mode: VerdictMode::Principal,
        deadline_passed: false,
        performer_named: true,
        revisions: 1,
        disputed,
        verdict_by_rules: false,
        reevaluation_due: false,
        concerns_newest: true,
    }
}

fn expected(state: State, role: Role) -> Vec<(Action, State)> {
    let rows = allowed(state, Roles::of(&[role]), &facts(state));
    rows.map(|row| (row.action, row.to)).collect()
}

/// Whether the third party can see a record that came into this state on the shortest way.
fn seen_by(role: Role, state: State) -> bool {
    role != Role::Accessor || matches!(state, State::DisputedTier2 | State::DisputedTier3)
}

fn names(values: &Value) -> Vec<String> {
    values.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
}

/// A refusal says where the record is, what this caller may do, and how to go on.
#[track_caller]
fn check_refusal(answer: &Answer, record: &str, state: State, role: Role, action: Action) {
    let name = format!("{} {} {}", state.as_str(), action.as_str(), role.as_str());
    assert_eq!(answer.status, 422, "{name}: {}", answer.text());
    let problem: Value = serde_json::from_slice(&answer.bytes).unwrap();
    assert_eq!(problem["currentState"], state.as_str(), "{name}: {problem}");
    let wanted: Vec<&str> = expected(state, role).iter().map(|(a, _)| a.as_str()).collect();
    assert_eq!(names(&problem["allowedActions"]), wanted, "{name}: {problem}");
    assert_eq!(text(&problem, "/refreshUrl"), format!("/v1/records/{record}"), "{name}");
    assert!(!text(&problem, "/recoveryHint").is_empty(), "{name}");
    let steps = problem["nextSteps"].as_array().unwrap();
    let steps: Vec<&str> = steps.iter().map(|step| step["action"].as_str().unwrap()).collect();
    assert_eq!(steps, wanted, "{name}: the steps are the allowed actions");
}

#[tokio::test]
async fn every_triple_holds_over_http() {
    let parties = Parties::new().await;
    let mut allowed_ones = 0;
    for state in State::ALL {
        let record = parties.in_state(state).await;
        for role in [Role::Principal, Role::Performer, Role::Accessor, Role::Admin] {
            let ways = expected(state, role);
            for action in requests().filter(|a| ways.iter().all(|way| way.0 != *a)) {
                let answer = parties.act(&record, role, action).await;
                if seen_by(role, state) {
                    check_refusal(&answer, &record, state, role, action);
                } else {
                    answer.problem(404, "not-found");
                }
            }
            for (action, to) in ways {
                let fresh = parties.in_state(state).await;
                assert_eq!(parties.must(&fresh, role, action).await, to, "{}", action.as_str());
                allowed_ones += 1;
            }
        }
        // Nothing that was refused left a trace.
        assert_eq!(parties.state(&record).await, state);
        parties.verified(&record).await;
    }
    assert_eq!(allowed_ones, 47);
}

#[tokio::test]
async fn what_the_server_does_is_refused_elsewhere_than_in_its_states() {
    let parties = Parties::new().await;
    for state in State::ALL {
        let record = parties.in_state(state).await;
        for action in [
            Action::EvaluationPassed,
            Action::EvaluationFailed,
            Action::EvaluationUndecided,
            Action::ReevaluationPassed,
            Action::ReevaluationFailed,
            Action::Expire,
        ] {
            if state == State::Evaluating && action.event() == "record.evaluated" {
                continue;
            }
            let done = parties.system(&record, action).await;
            assert!(!done, "{} in {}", action.as_str(), state.as_str());
        }
        assert_eq!(parties.state(&record).await, state);
    }
}
