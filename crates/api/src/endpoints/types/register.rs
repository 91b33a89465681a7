//! Register a Type, its next version, or try one without registering.

use axum::extract::State;
use axum::http::StatusCode;
use deed_store::types::{self, RecordType};
use serde::Serialize;
use utoipa::ToSchema;

use super::define::Definition;
use super::view::TypeView;
use crate::auth::{Caller, Scope};
use crate::body::Mutation;
use crate::next_steps::{NextStep, NextSteps};
use crate::problem::Problem;
use crate::query::Path;
use crate::reply::{NewAnswer, Reply, mutate, ok};
use crate::state::App;

#[utoipa::path(
    post, path = "/v1/types", tag = "Types", operation_id = "registerType",
    summary = "Register a Type",
    params(crate::openapi::IdempotencyKey),
    request_body = Definition,
    responses(
        (status = 201, description = "Registered as version 1", body = TypeView<'static>),
        (status = 409, description = "The name is taken", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A schema is not accepted", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn register(
    State(app): State<App>,
    caller: Caller,
    Mutation { body, idempotency }: Mutation<Definition>,
) -> Result<Reply, Problem> {
    let new = body.check(&caller, app.store().clock().now()).await?;
    let answer = NewAnswer::new(StatusCode::CREATED, &TypeView::full(&new)?.with_steps(&caller))?;
    mutate(&app, "register_type", idempotency, answer, move |tx| {
        let new = new.clone();
        Box::pin(async move { types::register(tx, &new).await })
    })
    .await
}

#[utoipa::path(
    post, path = "/v1/types/{name}/versions", tag = "Types", operation_id = "versionType",
    summary = "Register the next version of a Type",
    description = "Records keep the version they were made with; new ones use the newest.",
    params(("name" = String, Path, description = "Type"), crate::openapi::IdempotencyKey),
    request_body = Definition,
    responses(
        (status = 201, description = "Registered", body = TypeView<'static>),
        (status = 404, description = "No such Type for this key", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn version(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Mutation { body, idempotency }: Mutation<Definition>,
) -> Result<Reply, Problem> {
    if body.name != name {
        return Err(Problem::unprocessable(
            "request-invalid",
            "the name in the body is not the one in the path",
            "Send the same name in both.",
        ));
    }
    let new = body.check(&caller, app.store().clock().now()).await?;
    let new = match next_version(&app, new).await {
        Ok(new) => new,
        Err(problem) => {
            return Reply::or_answered_before(&app, idempotency.as_ref(), problem).await;
        }
    };
    let answer = NewAnswer::new(StatusCode::CREATED, &TypeView::full(&new)?.with_steps(&caller))?;
    let done = mutate(&app, "version_type", idempotency, answer, move |tx| {
        let new = new.clone();
        Box::pin(async move { types::register_version(tx, &new).await })
    });
    let done = done.await?;
    app.types().forget();
    Ok(done)
}

/// The version that follows the newest one.
async fn next_version(app: &App, new: RecordType) -> Result<RecordType, Problem> {
    let newest = app.store().record_type(new.org_id, &new.name, None).await?;
    if newest.disabled_at.is_some() {
        return Err(Problem::new(StatusCode::CONFLICT, "type-disabled", "the Type is disabled")
            .hint("Register a Type with another name."));
    }
    Ok(RecordType { version: newest.version + 1, ..new })
}

/// What registering would give.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Preview<'a> {
    /// Always true: a Type that would be refused is answered with the problem.
    valid: bool,
    #[serde(rename = "type")]
    definition: TypeView<'a>,
    next_steps: Vec<NextStep>,
}

#[utoipa::path(
    post, path = "/v1/types/preview", tag = "Types", operation_id = "previewType",
    summary = "Check a Type without registering it",
    request_body = Definition,
    responses(
        (status = 200, description = "It would be registered", body = Preview<'static>),
        (status = 422, description = "It would be refused, for this reason", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn preview(
    State(app): State<App>,
    caller: Caller,
    Mutation { body, .. }: Mutation<Definition>,
) -> Result<Reply, Problem> {
    let new = body.check(&caller, app.store().clock().now()).await?;
    let next_steps = NextSteps::of(&caller)
        .post(Scope::TypesWrite, "register", "/v1/types", "register it")
        .done();
    ok(&Preview { valid: true, definition: TypeView::full(&new)?, next_steps })
}
