//! `POST /v1/records/{id}/completions`: the performer hands in the work.

use axum::extract::State;
use deed_lifecycle::Action;
use deed_store::transition::Set;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::attempt::{Attempt, with_text};
use super::view::WrittenView;
use crate::auth::Caller;
use crate::body::Mutation;
use crate::problem::{Problem, Violation};
use crate::query::Path;
use crate::reply::Reply;
use crate::state::App;

/// Finished work.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Completion {
    /// The evidence; valid by the Type's completion schema.
    #[schema(value_type = Object)]
    completion: Value,
    /// For the principal; up to 2,000 characters.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 2000)]
    message: Option<String>,
}

#[utoipa::path(
    post, path = "/v1/records/{id}/completions", tag = "Lifecycle", operation_id = "completeRecord",
    summary = "Hand in the work",
    params(("id" = Uuid, Path, description = "Record"), crate::openapi::IdempotencyKey),
    request_body = Completion,
    responses(
        (status = 200, description = "The record in its new state, and the signed entry", body = WrittenView),
        (status = 404, description = "No such record for this key", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Refused by the state machine or by a rule: see currentState, allowedActions and nextSteps", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn complete(
    State(app): State<App>,
    caller: Caller,
    Path(record): Path<Uuid>,
    Mutation { body, idempotency }: Mutation<Completion>,
) -> Result<Reply, Problem> {
    let attempt = Attempt::open(app, caller, record, idempotency).await?;
    if let Err(problem) = check(&attempt, &body.completion) {
        return attempt.refuse(problem).await;
    }
    let mut fields = Map::new();
    with_text(&mut fields, "message", body.message)?;
    fields.insert("completion".to_owned(), body.completion);
    attempt.run(Action::Complete, fields, Set::default()).await
}

/// Valid by the schema, if the record may be completed at all: its state is told first.
fn check(attempt: &Attempt, completion: &Value) -> Result<(), Problem> {
    let allowed = attempt.record.allowed(&attempt.caller.actor(), attempt.now);
    let Some(gate) = attempt.loaded.gate.as_ref().filter(|_| allowed.contains(&Action::Complete))
    else {
        return Ok(());
    };
    gate.completion.validate(completion).map_err(|violations| {
        let errors = violations.into_iter().map(|v| Violation {
            path: format!("/completion{}", v.path),
            expected: v.expected,
            found: v.found,
            message: v.message,
        });
        let definition = &attempt.loaded.definition;
        Problem::unprocessable(
            "validation-failed",
            format!(
                "the completion is not valid for {} version {}",
                definition.name, definition.version
            ),
            "Change what `errors` lists; GET /v1/types/{name} gives the completion schema.",
        )
        .violations(errors.collect())
    })
}
