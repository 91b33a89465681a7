//! `POST /v1/records/{id}/outcome`: the principal, or an administrator in its place, judges the newest
//! completion.

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

/// What the principal says.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    /// The work is accepted: FULFILLED.
    Accept,
    /// The work is rejected for good: FAILED.
    Reject,
    /// A revised completion is asked for: REWORK; up to 5 times, and before the deadline.
    RequestRevision,
}

impl Verdict {
    fn action(self) -> Action {
        match self {
            Self::Accept => Action::VerdictAccept,
            Self::Reject => Action::VerdictReject,
            Self::RequestRevision => Action::RequestRevision,
        }
    }
}

/// A verdict.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outcome {
    /// `accept`, `reject` or `request-revision`.
    #[schema(inline)]
    outcome: Verdict,
    /// Why; up to 2,000 characters.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 2000)]
    reason: Option<String>,
}

#[utoipa::path(
    post, path = "/v1/records/{id}/outcome", tag = "Lifecycle", operation_id = "giveOutcome",
    summary = "Accept or reject the work, or ask for a revision",
    params(("id" = Uuid, Path, description = "Record"), crate::openapi::IdempotencyKey),
    request_body = Outcome,
    responses(
        (status = 200, description = "The record in its new state, and the signed entry", body = WrittenView),
        (status = 404, description = "No such record for this key", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Refused by the state machine or by a rule: see currentState, allowedActions and nextSteps", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn outcome(
    State(app): State<App>,
    caller: Caller,
    Path(record): Path<Uuid>,
    Mutation { body, idempotency }: Mutation<Outcome>,
) -> Result<Reply, Problem> {
    let attempt = Attempt::open(app, caller, record, idempotency).await?;
    let mut fields = Map::new();
    with_text(&mut fields, "reason", body.reason)?;
    attempt.run(body.outcome.action(), fields, Set::default()).await
}
