//! `POST /v1/types/{name}/disable`: no new records; existing ones are untouched.

use axum::extract::State;
use axum::http::StatusCode;
use deed_store::types;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::view::TypeView;
use crate::auth::Caller;
use crate::body::Mutation;
use crate::problem::Problem;
use crate::query::Path;
use crate::reply::{NewAnswer, Reply, mutate};
use crate::state::App;

/// Whose Type.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Disable {
    /// Organisation, for a platform key; the key's own when absent.
    org_id: Option<Uuid>,
}

#[utoipa::path(
    post, path = "/v1/types/{name}/disable", tag = "Types", operation_id = "disableType",
    summary = "Take no new records of a Type",
    description = "Other processes may go on accepting records for as long as CACHE_MAX_AGE (5 s by default).",
    params(("name" = String, Path, description = "Type"), crate::openapi::IdempotencyKey),
    request_body = Disable,
    responses(
        (status = 200, description = "Disabled", body = TypeView<'static>),
        (status = 404, description = "No such Type for this key", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn disable(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Mutation { body, idempotency }: Mutation<Disable>,
) -> Result<Reply, Problem> {
    let org = caller.org_for(body.org_id)?;
    let now = app.store().clock().now();
    let mut found = app.store().record_type(org, &name, None).await?;
    found.disabled_at = found.disabled_at.or(Some(now));
    let view = TypeView::summary(&found).with_steps(&caller);
    let answer = NewAnswer::new(StatusCode::OK, &view)?;
    let done = mutate(&app, "disable_type", idempotency, answer, move |tx| {
        let name = name.clone();
        Box::pin(async move { types::disable(tx, org, &name, now).await })
    });
    let done = done.await?;
    app.types().forget();
    Ok(done)
}
