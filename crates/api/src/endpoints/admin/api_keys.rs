//! List, revoke and rotate API keys.

use axum::extract::State;
use axum::http::StatusCode;
use chrono::TimeDelta;
use deed_store::access::{self, ApiKey};
use deed_store::random;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::agents::OfOrg;
use super::mint::{MintedView, fresh, next_steps};
use crate::auth::{Caller, Scope};
use crate::body::Mutation;
use crate::endpoints::records::view::time;
use crate::next_steps::{NextStep, NextSteps};
use crate::page::PageView;
use crate::problem::Problem;
use crate::query::{Path, Query};
use crate::reply::{NewAnswer, Reply, mutate, ok};
use crate::state::App;

/// Longest time for which a rotated key goes on working: 30 days, in seconds.
const LONGEST_GRACE: u32 = 30 * 24 * 3600;
/// Grace when none is asked for: one day, in seconds.
const DEFAULT_GRACE: u32 = 24 * 3600;

/// A key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiKeyView<'a> {
    id: Uuid,
    /// `agent`, `admin` or `platform`.
    role: &'static str,
    org_id: Option<Uuid>,
    agent_id: Option<Uuid>,
    label: &'a str,
    scope_profile: &'a str,
    /// The key's first characters.
    hint: &'a str,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
    /// The key that replaced it.
    replaced_by: Option<Uuid>,
}

impl<'a> ApiKeyView<'a> {
    pub(super) fn of(key: &'a ApiKey) -> Self {
        Self {
            id: key.id,
            role: key.role.as_str(),
            org_id: key.org_id,
            agent_id: key.agent_id,
            label: &key.label,
            scope_profile: &key.scope_profile,
            hint: &key.hint,
            created_at: time(key.created_at),
            expires_at: key.expires_at.map(time),
            revoked_at: key.revoked_at.map(time),
            replaced_by: key.replaced_by,
        }
    }
}

#[utoipa::path(
    get, path = "/v1/admin/api-keys", tag = "Access", operation_id = "listApiKeys",
    summary = "List API keys, newest first, never with their secrets",
    params(OfOrg),
    responses((status = 200, description = "A page", body = PageView<ApiKeyView<'static>>)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<OfOrg>,
) -> Result<Reply, Problem> {
    let (org, page) = query.split(&caller)?;
    let page = app.store().api_keys(org, page.before()?, page.limit()?).await?;
    ok(&PageView::new(page.items.iter().map(ApiKeyView::of).collect(), page.next))
}

/// Nothing is needed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// A key that was just ended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RevokedView<'a> {
    api_key: ApiKeyView<'a>,
    next_steps: Vec<NextStep>,
}

#[utoipa::path(
    post, path = "/v1/admin/api-keys/{id}/revoke", tag = "Access", operation_id = "revokeApiKey",
    summary = "End a key",
    description = "Other processes may go on accepting it for as long as CACHE_MAX_AGE (5 s by default).",
    params(("id" = Uuid, Path, description = "API key"), crate::openapi::IdempotencyKey),
    request_body = Nothing,
    responses(
        (status = 200, description = "Ended", body = RevokedView<'static>),
        (status = 404, description = "No such key for this key", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Mutation { idempotency, .. }: Mutation<Nothing>,
) -> Result<Reply, Problem> {
    let now = app.store().clock().now();
    let mut key = app.store().api_key(id, caller.org()).await?;
    key.revoked_at = Some(key.revoked_at.map_or(now, |before| before.min(now)));
    let next_steps = if id == caller.key.id {
        // It was its last act.
        Vec::new()
    } else {
        NextSteps::of(&caller)
            .post(Scope::KeysWrite, "mint-key", "/v1/admin/api-keys", "mint another key")
            .done()
    };
    let view = RevokedView { api_key: ApiKeyView::of(&key), next_steps };
    let answer = NewAnswer::new(StatusCode::OK, &view)?;
    let done = mutate(&app, "revoke_api_key", idempotency, answer, move |tx| {
        Box::pin(async move { access::revoke(tx, id, now).await })
    });
    let done = done.await?;
    app.callers().forget();
    Ok(done)
}

/// How to rotate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Rotate {
    /// How long the old key goes on working, in seconds: 0 to 2592000; 86400 when absent.
    grace_seconds: Option<u32>,
}

#[utoipa::path(
    post, path = "/v1/admin/api-keys/{id}/rotate", tag = "Access", operation_id = "rotateApiKey",
    summary = "Replace a key; the old one works on for a time of grace",
    params(("id" = Uuid, Path, description = "API key"), crate::openapi::IdempotencyKey),
    request_body = Rotate,
    responses(
        (status = 201, description = "The new key; the answer is the only one that shows it", body = MintedView<'static>),
        (status = 404, description = "No such key for this key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It was rotated before", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn rotate(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Mutation { body, idempotency }: Mutation<Rotate>,
) -> Result<Reply, Problem> {
    let grace = body.grace_seconds.unwrap_or(DEFAULT_GRACE);
    if grace > LONGEST_GRACE {
        return Err(Problem::unprocessable(
            "request-invalid",
            format!("graceSeconds is {grace}"),
            "Use 0 to 2592000 seconds (30 days).",
        ));
    }
    let now = app.store().clock().now();
    let old = app.store().api_key(id, caller.org()).await?;
    if !old.is_valid_at(now) {
        let ended = "the key does not work any more";
        let problem = Problem::new(StatusCode::CONFLICT, "api-key-ended", ended)
            .hint("Mint a new key instead.");
        return Reply::or_answered_before(&app, idempotency.as_ref(), problem).await;
    }
    let replacement =
        ApiKey { id: random::uuid_v7(now), created_at: now, replaced_by: None, ..old };
    let (secret, new) = fresh(app.hasher(), replacement);
    let view = MintedView {
        api_key: ApiKeyView::of(&new.key),
        secret: &secret,
        next_steps: if grace == 0 && id == caller.key.id {
            Vec::new()
        } else {
            next_steps(&caller, new.key.id)
        },
    };
    let answer = NewAnswer::secret(StatusCode::CREATED, &view)?;
    let until = now + TimeDelta::seconds(i64::from(grace));
    let caller = caller.key.id;
    let done = mutate(&app, "rotate_api_key", idempotency, answer, move |tx| {
        let new = new.clone();
        Box::pin(async move {
            access::confirm(tx, caller, now).await?;
            access::rotate(tx, id, &new, now, until).await
        })
    });
    let done = done.await?;
    app.callers().forget();
    Ok(done)
}
