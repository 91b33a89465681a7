//! `POST /v1/webhooks/{id}/rotate-secret`.

use axum::extract::State;
use axum::http::StatusCode;
use chrono::TimeDelta;
use deed_store::webhooks::{self, Rotation, SigningAlg};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::create::fresh_secret;
use super::view::ChangedView;
use crate::auth::Caller;
use crate::body::Mutation;
use crate::problem::Problem;
use crate::query::Path;
use crate::reply::{NewAnswer, Reply, mutate};
use crate::state::App;

/// Longest time of grace: 7 days, in seconds.
const LONGEST_GRACE: u32 = 7 * 24 * 3600;
/// Grace when none is asked for: one day, in seconds.
const DEFAULT_GRACE: u32 = 24 * 3600;

/// How to rotate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RotateSecret {
    /// How long deliveries carry a signature with the old secret too, in seconds: 0 to 604800; 86400
    /// when absent.
    #[schema(minimum = 0, maximum = 604_800)]
    grace_seconds: Option<u32>,
}

#[utoipa::path(
    post, path = "/v1/webhooks/{id}/rotate-secret", tag = "Webhooks", operation_id = "rotateWebhookSecret",
    summary = "Replace the secret; for a time of grace both sign",
    params(("id" = Uuid, Path, description = "Webhook"), crate::openapi::IdempotencyKey),
    request_body = RotateSecret,
    responses(
        (status = 200, description = "The new secret; the answer is the only one that shows it", body = ChangedView<'static>),
        (status = 404, description = "No such webhook for this key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is signed with the server's key and has no secret", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn rotate(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Mutation { body, idempotency }: Mutation<RotateSecret>,
) -> Result<Reply, Problem> {
    let grace = body.grace_seconds.unwrap_or(DEFAULT_GRACE);
    if grace > LONGEST_GRACE {
        return Err(Problem::unprocessable(
            "request-invalid",
            format!("graceSeconds is {grace}"),
            "Use 0 to 604800 seconds (7 days).",
        ));
    }
    let mut webhook = app.store().webhook(id, caller.org()).await?;
    if webhook.signing_alg != SigningAlg::Hmac {
        let detail = "the webhook is signed with the server's key and has no secret";
        return Err(Problem::new(StatusCode::CONFLICT, "webhook-without-secret", detail)
            .hint("Nothing is to be done: the server's keys are rotated by its operator."));
    }
    let until = app.store().clock().now() + TimeDelta::seconds(i64::from(grace));
    webhook.previous_until = Some(until);
    let secret = fresh_secret()?;
    let rotation =
        Rotation { secret: app.webhook_sealer().seal(id, &secret)?, previous_until: until };
    let shown = secret.reveal();
    let view = ChangedView::of(&webhook, Some(&shown), &caller);
    let answer = NewAnswer::secret(StatusCode::OK, &view)?;
    mutate(&app, "rotate_webhook_secret", idempotency, answer, move |tx| {
        let rotation = rotation.clone();
        Box::pin(async move { webhooks::rotate(tx, id, &rotation).await })
    })
    .await
}
