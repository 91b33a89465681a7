//! `POST /v1/webhooks`.

use axum::extract::State;
use axum::http::StatusCode;
use deed_notify::circuit::{Circuit, Health};
use deed_notify::signature::standard::Secret;
use deed_store::random;
use deed_store::webhooks::{self, Format, SigningAlg, Webhook};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::view::ChangedView;
use super::wanted;
use crate::auth::Caller;
use crate::body::Mutation;
use crate::problem::{Problem, internal_error};
use crate::reply::{NewAnswer, Reply, mutate};
use crate::state::App;

/// A webhook to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewWebhook {
    /// An https URL on port 443 or one from 1024 on, without user, password and fragment.
    #[schema(example = "https://example.org/hooks/deed", max_length = 2048)]
    url: String,
    /// Types of events, or `*` alone.
    #[schema(example = json!(["record.recorded", "record.verdict"]), min_items = 1)]
    event_types: Vec<String>,
    /// `standard` (when absent) or `cloudevents`.
    format: Option<String>,
    /// `hmac` or `ed25519`. When absent: `ed25519` if settlement events (`signal.*`) are among the types, as
    /// they are in `*`; otherwise `hmac`.
    signing_alg: Option<String>,
    /// For people, at most 200 characters.
    #[schema(max_length = 200)]
    description: Option<String>,
    /// Organisation, for a platform key; the key's own when absent.
    org_id: Option<Uuid>,
}

#[utoipa::path(
    post, path = "/v1/webhooks", tag = "Webhooks", operation_id = "createWebhook",
    summary = "Have events delivered to an HTTPS endpoint",
    description = "The secret of an hmac webhook is in the answer, once. At most 50 webhooks an organisation. Events that are committed from now on are delivered, at least once each; docs/webhooks.md tells how to verify them.",
    params(crate::openapi::IdempotencyKey),
    request_body = NewWebhook,
    responses(
        (status = 201, description = "Made", body = ChangedView<'static>),
        (status = 404, description = "No such organisation for this key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There are too many", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Mutation { body, idempotency }: Mutation<NewWebhook>,
) -> Result<Reply, Problem> {
    let webhook = webhook(&app, &caller, body)?;
    let secret = match webhook.signing_alg {
        SigningAlg::Hmac => Some(fresh_secret()?),
        SigningAlg::Ed25519 => None,
    };
    let sealed = secret.as_ref().map(|secret| app.webhook_sealer().seal(webhook.id, secret));
    let sealed = sealed.transpose()?;
    let shown = secret.as_ref().map(Secret::reveal);
    let view = ChangedView::of(&webhook, shown.as_deref(), &caller);
    let answer = NewAnswer::secret(StatusCode::CREATED, &view)?;
    mutate(&app, "create_webhook", idempotency, answer, move |tx| {
        let (webhook, sealed) = (webhook.clone(), sealed.clone());
        Box::pin(async move { webhooks::create(tx, &webhook, sealed.as_deref()).await })
    })
    .await
}

fn webhook(app: &App, caller: &Caller, body: NewWebhook) -> Result<Webhook, Problem> {
    let event_types = wanted::event_types(body.event_types)?;
    let format = match body.format.as_deref() {
        None => Format::Standard,
        Some(name) => Format::parse(name)
            .ok_or_else(|| wanted::one_of("format", name, &["standard", "cloudevents"]))?,
    };
    let signing_alg = match body.signing_alg.as_deref() {
        None if wanted::settles(&event_types) => SigningAlg::Ed25519,
        None => SigningAlg::Hmac,
        Some(name) => SigningAlg::parse(name)
            .ok_or_else(|| wanted::one_of("signingAlg", name, &["hmac", "ed25519"]))?,
    };
    let now = app.store().clock().now();
    Ok(Webhook {
        id: random::uuid_v7(now),
        org_id: caller.org_for(body.org_id)?,
        created_by: caller.key.id,
        description: wanted::description(body.description.unwrap_or_default())?,
        url: wanted::url(&body.url, &app.config().webhook_guard)?,
        event_types,
        format,
        signing_alg,
        previous_until: None,
        created_at: now,
        paused_at: None,
        health: Health { circuit: Circuit::Closed, failures: 0 },
        probe_at: None,
        last_success_at: None,
        last_failure_at: None,
    })
}

/// 32 random bytes.
pub(super) fn fresh_secret() -> Result<Secret, Problem> {
    Secret::from_bytes(random::bytes::<32>()).ok_or_else(internal_error)
}
