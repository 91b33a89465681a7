//! `POST /v1/records/{id}/accept`: the performer agrees to do the work.

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

/// An acceptance.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acceptance {
    /// For the principal; up to 2,000 characters.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 2000)]
    message: Option<String>,
}

#[utoipa::path(
    post, path = "/v1/records/{id}/accept", tag = "Lifecycle", operation_id = "acceptRecord",
    summary = "Agree to do proposed work",
    params(("id" = Uuid, Path, description = "Record"), crate::openapi::IdempotencyKey),
    request_body = Acceptance,
    responses(
        (status = 200, description = "The record in its new state, and the signed entry", body = WrittenView),
        (status = 404, description = "No such record for this key", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Refused by the state machine or by a rule: see currentState, allowedActions and nextSteps", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn accept(
    State(app): State<App>,
    caller: Caller,
    Path(record): Path<Uuid>,
    Mutation { body, idempotency }: Mutation<Acceptance>,
) -> Result<Reply, Problem> {
    let attempt = Attempt::open(app, caller, record, idempotency).await?;
    let mut fields = Map::new();
    with_text(&mut fields, "message", body.message)?;
    attempt.run(Action::Accept, fields, Set::default()).await
}
