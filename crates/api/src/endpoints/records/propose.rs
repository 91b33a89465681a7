//! `POST /v1/records/{id}/propose`: the principal offers the work to the performer.

use axum::extract::State;
use deed_lifecycle::Action;
use deed_store::transition::Set;
use serde::Deserialize;
use serde_json::{Map, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::attempt::{Attempt, with_text};
use super::gated;
use super::view::WrittenView;
use crate::auth::Caller;
use crate::body::Mutation;
use crate::problem::Problem;
use crate::query::Path;
use crate::reply::Reply;
use crate::state::App;

/// A proposal.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Proposal {
    /// Agent of the same organisation that is to do the work; the one named before when absent.
    #[serde(default)]
    performer_agent_id: Option<Uuid>,
    /// For the performer; up to 2,000 characters.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 2000)]
    message: Option<String>,
}

#[utoipa::path(
    post, path = "/v1/records/{id}/propose", tag = "Lifecycle", operation_id = "proposeRecord",
    summary = "Offer the work to the performer",
    params(("id" = Uuid, Path, description = "Record"), crate::openapi::IdempotencyKey),
    request_body = Proposal,
    responses(
        (status = 200, description = "The record in its new state, and the signed entry", body = WrittenView),
        (status = 404, description = "No such record for this key", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Refused by the state machine or by a rule: see currentState, allowedActions and nextSteps", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn propose(
    State(app): State<App>,
    caller: Caller,
    Path(record): Path<Uuid>,
    Mutation { body, idempotency }: Mutation<Proposal>,
) -> Result<Reply, Problem> {
    let attempt = Attempt::open(app, caller, record, idempotency).await?;
    if let Err(problem) = check(&attempt, body.performer_agent_id).await {
        return attempt.refuse(problem).await;
    }
    let mut fields = Map::new();
    with_text(&mut fields, "message", body.message)?;
    if let Some(performer) = body.performer_agent_id {
        fields.insert("performerAgentId".to_owned(), json!(performer));
    }
    let set = Set { performer: body.performer_agent_id, ..Set::default() };
    attempt.run(Action::Propose, fields, set).await
}

/// Somebody must be named, now or before; nobody who is named is ever unnamed again.
async fn check(attempt: &Attempt, named: Option<Uuid>) -> Result<(), Problem> {
    if let Some(named) = named {
        return gated::performer(&attempt.app, &attempt.caller, named).await.map(|_| ());
    }
    match &attempt.record.work {
        Some(work) if work.performer_agent_id.is_none() => Err(Problem::unprocessable(
            "performer-required",
            "no agent is named that does the work",
            "Send performerAgentId: the id of an agent of the organisation.",
        )),
        _ => Ok(()),
    }
}
