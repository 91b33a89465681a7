//! The actions of the state machine as requests that a caller can send.

use chrono::{DateTime, Utc};
use deed_lifecycle::Action;
use deed_store::records::Record;
use serde_json::{Value, json};
use uuid::Uuid;

use super::view;
use crate::auth::{Caller, Scope};
use crate::cache::LoadedType;
use crate::next_steps::{NextStep, NextSteps};

/// What this caller may do next: the record's own actions first, then what any record offers.
pub(super) fn all(
    caller: &Caller,
    record: &Record,
    loaded: &LoadedType,
    now: DateTime<Utc>,
) -> Vec<NextStep> {
    let mut steps = actions(caller, record, loaded, now);
    if steps.iter().any(|step| step.action == Action::Propose.as_str() && step.body.is_some()) {
        let what = "find the id of a performer";
        let found = NextSteps::of(caller).get(Scope::AgentsLookup, "agents", "/v1/agents", what);
        steps.extend(found.done());
    }
    steps.extend(view::next_steps(caller, record));
    steps
}

/// The actions that the state machine allows this caller now.
pub(super) fn actions(
    caller: &Caller,
    record: &Record,
    loaded: &LoadedType,
    now: DateTime<Utc>,
) -> Vec<NextStep> {
    let allowed = record.allowed(&caller.actor(), now);
    let steps = allowed.into_iter().filter_map(|action| step(action, record, loaded));
    steps.fold(NextSteps::of(caller), |all, step| all.push(Scope::RecordsAct, step)).done()
}

/// An action as a request. The nil UUID in a body stands for an agent's id that the caller chooses.
fn step(action: Action, record: &Record, loaded: &LoadedType) -> Option<NextStep> {
    let (path, body) = request(action, record, loaded)?;
    Some(NextStep {
        action: action.as_str(),
        method: "POST",
        href: format!("/v1/records/{}/{path}", record.id),
        description: action.meaning(),
        body,
    })
}

/// Path below the record and least body; `None` for what only the server does.
fn request(
    action: Action,
    record: &Record,
    loaded: &LoadedType,
) -> Option<(&'static str, Option<Value>)> {
    let gate = loaded.gate.as_ref();
    Some(match action {
        Action::Amend => {
            let criteria = gate.and_then(|gate| gate.criteria_example.clone());
            ("amend", Some(json!({ "criteria": criteria.unwrap_or_else(|| json!({})) })))
        }
        Action::Propose => {
            let named = record.work.as_ref().is_some_and(|w| w.performer_agent_id.is_some());
            ("propose", (!named).then(|| json!({ "performerAgentId": Uuid::nil() })))
        }
        Action::Accept => ("accept", None),
        Action::Refuse => ("refuse", None),
        Action::Activate => ("activate", None),
        Action::Complete => {
            let completion = gate.and_then(|gate| gate.completion_example.clone());
            ("completions", Some(json!({ "completion": completion.unwrap_or_else(|| json!({})) })))
        }
        Action::VerdictAccept => ("outcome", Some(json!({ "outcome": "accept" }))),
        Action::VerdictReject => ("outcome", Some(json!({ "outcome": "reject" }))),
        Action::RequestRevision => ("outcome", Some(json!({ "outcome": "request-revision" }))),
        Action::Cancel => ("cancel", None),
        Action::Dispute => {
            ("dispute", Some(json!({ "reason": "The evidence meets the criteria" })))
        }
        Action::EscalateToReview => {
            ("dispute/escalate", Some(json!({ "tier": 2, "accessorAgentId": Uuid::nil() })))
        }
        Action::EscalateToHuman => ("dispute/escalate", Some(json!({ "tier": 3 }))),
        Action::WithdrawDispute => ("dispute/withdraw", None),
        Action::ResolveOverturn => ("dispute/resolve", Some(json!({ "resolution": "overturn" }))),
        Action::ResolveUphold => ("dispute/resolve", Some(json!({ "resolution": "uphold" }))),
        Action::ResolveRemediate => ("dispute/resolve", Some(json!({ "resolution": "remediate" }))),
        Action::EvaluationPassed
        | Action::EvaluationFailed
        | Action::EvaluationUndecided
        | Action::Expire
        | Action::ReevaluationPassed
        | Action::ReevaluationFailed => return None,
    })
}
