//! `DELETE /v1/webhooks/{id}`.

use axum::extract::State;
use axum::http::StatusCode;
use deed_store::webhooks;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Nothing;
use crate::auth::{Caller, Scope};
use crate::body::Mutation;
use crate::endpoints::records::view::time;
use crate::next_steps::{NextStep, NextSteps};
use crate::problem::Problem;
use crate::query::Path;
use crate::reply::{NewAnswer, Reply, mutate};
use crate::state::App;

/// A webhook that is no more.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DeletedWebhookView {
    id: Uuid,
    #[schema(format = DateTime)]
    deleted_at: String,
    next_steps: Vec<NextStep>,
}

#[utoipa::path(
    delete, path = "/v1/webhooks/{id}", tag = "Webhooks", operation_id = "deleteWebhook",
    summary = "End a webhook, with all that is pending for it",
    description = "Requests that are under way may still arrive. Its deliveries are removed by the next retention sweeps.",
    params(("id" = Uuid, Path, description = "Webhook"), crate::openapi::IdempotencyKey),
    request_body = Nothing,
    responses(
        (status = 200, description = "Ended", body = DeletedWebhookView),
        (status = 404, description = "No such webhook for this key", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn remove(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Mutation { idempotency, .. }: Mutation<Nothing>,
) -> Result<Reply, Problem> {
    if let Err(error) = app.store().webhook(id, caller.org()).await {
        return Reply::or_answered_before(&app, idempotency.as_ref(), error.into()).await;
    }
    let now = app.store().clock().now();
    let next_steps = NextSteps::of(&caller)
        .get(Scope::WebhooksRead, "list-webhooks", "/v1/webhooks", "see the webhooks that are left")
        .post(Scope::WebhooksWrite, "create-webhook", "/v1/webhooks", "make another one")
        .done();
    let view = DeletedWebhookView { id, deleted_at: time(now), next_steps };
    let answer = NewAnswer::new(StatusCode::OK, &view)?;
    mutate(&app, "delete_webhook", idempotency, answer, move |tx| {
        Box::pin(async move { webhooks::delete(tx, id, now).await })
    })
    .await
}
