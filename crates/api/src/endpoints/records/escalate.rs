//! `POST /v1/records/{id}/dispute/escalate`: tier 2 hands the dispute to a third party, which may read this
//! chain from then on; tier 3 to a human of the organisation.

use axum::extract::State;
use deed_lifecycle::Action;
use deed_store::transition::Set;
use serde::Deserialize;
use serde_json::{Map, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::attempt::{Attempt, with_text};
use super::view::WrittenView;
use crate::auth::Caller;
use crate::body::Mutation;
use crate::problem::Problem;
use crate::query::Path;
use crate::reply::Reply;
use crate::state::App;

/// Where the dispute goes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Escalation {
    /// 2: a third party; 3: a human of the organisation.
    #[schema(minimum = 2, maximum = 3)]
    tier: u8,
    /// Tier 2: the third party, an agent of any organisation that is neither principal nor performer.
    /// It may read this chain, and keeps that right.
    #[serde(default)]
    accessor_agent_id: Option<Uuid>,
    /// Why; up to 2,000 characters.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 2000)]
    reason: Option<String>,
}

#[utoipa::path(
    post, path = "/v1/records/{id}/dispute/escalate", tag = "Lifecycle", operation_id = "escalateDispute",
    summary = "Hand a dispute to a third party (tier 2) or a human (tier 3)",
    params(("id" = Uuid, Path, description = "Record"), crate::openapi::IdempotencyKey),
    request_body = Escalation,
    responses(
        (status = 200, description = "The record in its new state, and the signed entry", body = WrittenView),
        (status = 404, description = "No such record for this key", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Refused by the state machine or by a rule: see currentState, allowedActions and nextSteps", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn escalate(
    State(app): State<App>,
    caller: Caller,
    Path(record): Path<Uuid>,
    Mutation { body, idempotency }: Mutation<Escalation>,
) -> Result<Reply, Problem> {
    let attempt = Attempt::open(app, caller, record, idempotency).await?;
    let mut fields = Map::new();
    with_text(&mut fields, "reason", body.reason)?;
    fields.insert("tier".to_owned(), body.tier.into());
    match (body.tier, body.accessor_agent_id) {
        (2, Some(accessor)) => {
            if let Err(problem) = third_party(&attempt, accessor).await {
                return attempt.refuse(problem).await;
            }
            fields.insert("accessorAgentId".to_owned(), json!(accessor));
            let set = Set { accessor: Some(accessor), ..Set::default() };
            attempt.run(Action::EscalateToReview, fields, set).await
        }
        (3, None) => attempt.run(Action::EscalateToHuman, fields, Set::default()).await,
        _ => Err(Problem::unprocessable(
            "request-invalid",
            "tier is 2 with an accessorAgentId, or 3 without one",
            "Send {\"tier\": 2, \"accessorAgentId\": ...} for a third party, or {\"tier\": 3} for a human.",
        )),
    }
}

/// Told only to whoever may escalate: whether an agent exists is nobody else's business.
async fn third_party(attempt: &Attempt, accessor: Uuid) -> Result<(), Problem> {
    let record = &attempt.record;
    if !record.allowed(&attempt.caller.actor(), attempt.now).contains(&Action::EscalateToReview) {
        return Ok(());
    }
    let performer = record.work.as_ref().and_then(|work| work.performer_agent_id);
    if record.principal_agent_id == Some(accessor) || performer == Some(accessor) {
        return Err(Problem::unprocessable(
            "accessor-is-party",
            "the third party is the principal or the performer",
            "Name an agent that has no part in the record; it may belong to another organisation.",
        ));
    }
    if attempt.app.store().is_agent(accessor).await? {
        return Ok(());
    }
    Err(Problem::unprocessable(
        "accessor-unknown",
        "accessorAgentId is no agent of this server",
        "Use the id of an agent, of this or another organisation of this server.",
    ))
}
