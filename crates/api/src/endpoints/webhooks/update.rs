//! `PATCH /v1/webhooks/{id}`.

use axum::extract::State;
use axum::http::StatusCode;
use deed_notify::circuit::{Circuit, Health};
use deed_store::webhooks::{self, Format};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::view::ChangedView;
use super::wanted;
use crate::auth::Caller;
use crate::body::Mutation;
use crate::problem::Problem;
use crate::query::Path;
use crate::reply::{NewAnswer, Reply, mutate};
use crate::state::App;

/// What changes; what is absent stays. How deliveries are signed does not change: make another webhook.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ChangeWebhook {
    /// As at creation. A new URL has a closed circuit.
    #[schema(max_length = 2048)]
    url: Option<String>,
    /// As at creation; for events that are handed out from now on.
    #[schema(min_items = 1)]
    event_types: Option<Vec<String>>,
    /// `standard` or `cloudevents`; what is pending keeps the form that it has.
    format: Option<String>,
    /// At most 200 characters.
    #[schema(max_length = 200)]
    description: Option<String>,
}

#[utoipa::path(
    patch, path = "/v1/webhooks/{id}", tag = "Webhooks", operation_id = "updateWebhook",
    summary = "Change where and what is delivered",
    params(("id" = Uuid, Path, description = "Webhook"), crate::openapi::IdempotencyKey),
    request_body = ChangeWebhook,
    responses(
        (status = 200, description = "As it is now", body = ChangedView<'static>),
        (status = 404, description = "No such webhook for this key", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Mutation { body, idempotency }: Mutation<ChangeWebhook>,
) -> Result<Reply, Problem> {
    let mut webhook = app.store().webhook(id, caller.org()).await?;
    if let Some(url) = body.url {
        let url = wanted::url(&url, &app.config().webhook_guard)?;
        if url != webhook.url {
            webhook.health = Health { circuit: Circuit::Closed, failures: 0 };
            webhook.probe_at = None;
        }
        webhook.url = url;
    }
    if let Some(names) = body.event_types {
        webhook.event_types = wanted::event_types(names)?;
    }
    if let Some(name) = body.format {
        webhook.format = Format::parse(&name)
            .ok_or_else(|| wanted::one_of("format", &name, &["standard", "cloudevents"]))?;
    }
    if let Some(text) = body.description {
        webhook.description = wanted::description(text)?;
    }
    let answer = NewAnswer::new(StatusCode::OK, &ChangedView::of(&webhook, None, &caller))?;
    mutate(&app, "update_webhook", idempotency, answer, move |tx| {
        let webhook = webhook.clone();
        Box::pin(async move { webhooks::update(tx, &webhook).await })
    })
    .await
}
