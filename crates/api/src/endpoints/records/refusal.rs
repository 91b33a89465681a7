//! What the state machine refuses, as a problem that tells how to go on.

use chrono::{DateTime, Utc};
use deed_lifecycle::{Denied, Guard, MOST_REVISIONS, Role};
use deed_store::Refusal;

use super::steps;
use super::view::time;
use super::work_view::awaiting;
use crate::auth::Caller;
use crate::cache::LoadedType;
use crate::problem::{Problem, Standing};

pub(super) fn refused(
    caller: &Caller,
    refusal: &Refusal,
    loaded: &LoadedType,
    now: DateTime<Utc>,
) -> Problem {
    let record = &refusal.record;
    let steps = steps::actions(caller, record, loaded, now);
    let allowed: Vec<&'static str> = steps.iter().map(|step| step.action).collect();
    let (code, detail) = reason(refusal);
    Problem::unprocessable(code, detail, &hint(refusal, &allowed)).standing(Standing {
        current_state: record.status.as_str(),
        allowed_actions: allowed,
        refresh_url: format!("/v1/records/{}", record.id),
        next_steps: steps,
    })
}

/// Stable code, and what stands in the way.
fn reason(refusal: &Refusal) -> (&'static str, String) {
    let (action, state) = (refusal.action.as_str(), refusal.record.status.as_str());
    match refusal.denied {
        Denied::State if refusal.record.work.is_none() => {
            ("not-under-a-gate", "the record was notarized: it has no lifecycle".to_owned())
        }
        Denied::State => ("action-not-allowed", format!("{action} is not possible in {state}")),
        Denied::Role(roles) => {
            let who: Vec<&str> = roles.iter().map(Role::as_str).collect();
            let who = who.join(" or ");
            ("role-not-allowed", format!("in {state}, {action} is for the {who}"))
        }
        Denied::Guard(Guard::BeforeDeadline) => {
            let deadline = refusal.record.deadline.map(time).unwrap_or_default();
            ("deadline-passed", format!("the deadline {deadline} has passed"))
        }
        Denied::Guard(Guard::RevisionsLeft) => (
            "revisions-used-up",
            format!("{MOST_REVISIONS} revisions were asked for, and there are no more"),
        ),
        Denied::Guard(Guard::NotDisputedBefore) => {
            ("already-disputed", "the record was disputed before, and that was decided".to_owned())
        }
        Denied::Guard(Guard::PerformerNamed) => {
            ("performer-required", "no agent is named that does the work".to_owned())
        }
        Denied::Guard(guard) => {
            ("action-not-allowed", format!("{action} needs that {}", guard.meaning()))
        }
    }
}

/// The way on: what this caller may do, or whom the record waits for.
fn hint(refusal: &Refusal, allowed: &[&'static str]) -> String {
    let record = &refusal.record;
    if record.work.is_none() {
        return "Add a note to say more about it, or make a record of a Type with a completion schema."
            .to_owned();
    }
    if !allowed.is_empty() {
        return format!("Do one of allowedActions ({}) as nextSteps shows it.", allowed.join(", "));
    }
    if record.status.is_terminal() {
        return format!(
            "The record ended as {}; nothing is left to do. Make a new record for new work.",
            record.status.as_str()
        );
    }
    if refusal.denied == Denied::Guard(Guard::BeforeDeadline) {
        return "The sweep will end the record as EXPIRED. Make a new record with a later deadline."
            .to_owned();
    }
    match awaiting(record).as_slice() {
        [] => "Nothing for you to do. Read refreshUrl again later.".to_owned(),
        who => format!(
            "Nothing for you to do now: the record waits for the {}. Read refreshUrl again later.",
            who.join(" or the ")
        ),
    }
}
