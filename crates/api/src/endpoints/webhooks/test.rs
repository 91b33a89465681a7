//! `POST /v1/webhooks/{id}/test`.

use axum::extract::State;
use axum::http::StatusCode;
use deed_store::webhooks::{self, Test};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Nothing;
use super::view::next_steps;
use crate::auth::Caller;
use crate::body::Mutation;
use crate::next_steps::NextStep;
use crate::problem::Problem;
use crate::query::Path;
use crate::reply::{NewAnswer, Reply, mutate};
use crate::state::App;

/// A test that is under way.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TestedView {
    /// Find it in the list of deliveries.
    delivery_id: Uuid,
    /// `webhook-id` of what is posted.
    event_id: Uuid,
    next_steps: Vec<NextStep>,
}

#[utoipa::path(
    post, path = "/v1/webhooks/{id}/test", tag = "Webhooks", operation_id = "testWebhook",
    summary = "Have an event webhook.test delivered, before all that is pending",
    description = "It is signed and delivered like any event, also when the circuit is open. A paused webhook must be resumed first.",
    params(("id" = Uuid, Path, description = "Webhook"), crate::openapi::IdempotencyKey),
    request_body = Nothing,
    responses(
        (status = 202, description = "It will be delivered", body = TestedView),
        (status = 404, description = "No such webhook for this key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is paused", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn test(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Mutation { idempotency, .. }: Mutation<Nothing>,
) -> Result<Reply, Problem> {
    let webhook = app.store().webhook(id, caller.org()).await?;
    if webhook.paused_at.is_some() {
        let problem = Problem::new(StatusCode::CONFLICT, "webhook-paused", "the webhook is paused")
            .hint("Resume it first: POST /v1/webhooks/{id}/resume.");
        return Reply::or_answered_before(&app, idempotency.as_ref(), problem).await;
    }
    let new = Test::new(id, webhook.org_id, app.store().clock().now());
    let next_steps = next_steps(&webhook, &caller);
    let view = TestedView { delivery_id: new.id, event_id: new.event.id, next_steps };
    let answer = NewAnswer::new(StatusCode::ACCEPTED, &view)?;
    let source = app.store().installation().issuer.clone();
    mutate(&app, "test_webhook", idempotency, answer, move |tx| {
        let (new, source) = (new.clone(), source.clone());
        Box::pin(async move { webhooks::test(tx, id, webhook.format, &source, &new).await })
    })
    .await
}
