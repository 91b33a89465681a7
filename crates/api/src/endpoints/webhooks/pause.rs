//! `POST /v1/webhooks/{id}/pause` and `/resume`.

use axum::extract::State;
use axum::http::StatusCode;
use deed_notify::circuit::{Circuit, Health};
use deed_store::webhooks;
use uuid::Uuid;

use super::Nothing;
use super::view::ChangedView;
use crate::auth::Caller;
use crate::body::Mutation;
use crate::problem::Problem;
use crate::query::Path;
use crate::reply::{NewAnswer, Reply, mutate};
use crate::state::App;

#[utoipa::path(
    post, path = "/v1/webhooks/{id}/pause", tag = "Webhooks", operation_id = "pauseWebhook",
    summary = "Deliver nothing until it is resumed",
    description = "Events go on being collected; what is pending for more than 7 days becomes a dead letter.",
    params(("id" = Uuid, Path, description = "Webhook"), crate::openapi::IdempotencyKey),
    request_body = Nothing,
    responses(
        (status = 200, description = "Paused", body = ChangedView<'static>),
        (status = 404, description = "No such webhook for this key", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn pause(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Mutation { idempotency, .. }: Mutation<Nothing>,
) -> Result<Reply, Problem> {
    let mut webhook = app.store().webhook(id, caller.org()).await?;
    let now = app.store().clock().now();
    webhook.paused_at = webhook.paused_at.or(Some(now));
    let answer = NewAnswer::new(StatusCode::OK, &ChangedView::of(&webhook, None, &caller))?;
    mutate(&app, "pause_webhook", idempotency, answer, move |tx| {
        Box::pin(async move { webhooks::pause(tx, id, now).await })
    })
    .await
}

#[utoipa::path(
    post, path = "/v1/webhooks/{id}/resume", tag = "Webhooks", operation_id = "resumeWebhook",
    summary = "Deliver again, at once and with a closed circuit",
    description = "Also the way to try an endpoint again whose circuit is open.",
    params(("id" = Uuid, Path, description = "Webhook"), crate::openapi::IdempotencyKey),
    request_body = Nothing,
    responses(
        (status = 200, description = "Active", body = ChangedView<'static>),
        (status = 404, description = "No such webhook for this key", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn resume(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Mutation { idempotency, .. }: Mutation<Nothing>,
) -> Result<Reply, Problem> {
    let mut webhook = app.store().webhook(id, caller.org()).await?;
    webhook.paused_at = None;
    webhook.probe_at = None;
    webhook.health = Health { circuit: Circuit::Closed, failures: 0 };
    let answer = NewAnswer::new(StatusCode::OK, &ChangedView::of(&webhook, None, &caller))?;
    mutate(&app, "resume_webhook", idempotency, answer, move |tx| {
        Box::pin(async move { webhooks::resume(tx, id).await })
    })
    .await
}
