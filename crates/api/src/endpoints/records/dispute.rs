//! `POST /v1/records/{id}/dispute`: the performer contests a failure, once. Tier 1: in mode `auto`
//! the rules judge again, with wider tolerance; otherwise the parties settle it.

use axum::extract::State;
use deed_lifecycle::Action;
use deed_store::transition::Set;
use serde::Deserialize;
use serde_json::Map;
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

/// A dispute.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dispute {
    /// Why the failure is contested; up to 2,000 characters.
    #[schema(min_length = 1, max_length = 2000)]
    reason: String,
}

#[utoipa::path(
    post, path = "/v1/records/{id}/dispute", tag = "Lifecycle", operation_id = "disputeRecord",
    summary = "Contest a failure (tier 1)",
    params(("id" = Uuid, Path, description = "Record"), crate::openapi::IdempotencyKey),
    request_body = Dispute,
    responses(
        (status = 200, description = "The record in its new state, and the signed entry", body = WrittenView),
        (status = 404, description = "No such record for this key", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Refused by the state machine or by a rule: see currentState, allowedActions and nextSteps", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn dispute(
    State(app): State<App>,
    caller: Caller,
    Path(record): Path<Uuid>,
    Mutation { body, idempotency }: Mutation<Dispute>,
) -> Result<Reply, Problem> {
    let attempt = Attempt::open(app, caller, record, idempotency).await?;
    let mut fields = Map::new();
    fields.insert("tier".to_owned(), 1.into());
    with_text(&mut fields, "reason", Some(body.reason))?;
    attempt.run(Action::Dispute, fields, Set::default()).await
}
