//! `POST /v1/admin/api-keys`: the only answer that ever shows the key.

use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use deed_store::access::{self, ApiKey, NewApiKey, Role};
use deed_store::{Error, Store, random};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::api_keys::ApiKeyView;
use super::check_name;
use crate::auth::secret::{self, KeyHasher};
use crate::auth::{Caller, Profile, default_profile, profile};
use crate::body::Mutation;
use crate::config::Secret;
use crate::next_steps::{NextStep, NextSteps};
use crate::problem::Problem;
use crate::reply::{NewAnswer, Reply, mutate};
use crate::state::App;

/// A key to mint.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct MintKey {
    /// `agent`, `admin` or `platform`.
    #[schema(example = "agent")]
    role: String,
    /// Organisation, for the roles agent and admin; the key's own when absent.
    org_id: Option<Uuid>,
    /// Agent, for the role agent.
    agent_id: Option<Uuid>,
    /// One of GET /v1/admin/scope-profiles; the role's full one when absent.
    scope_profile: Option<String>,
    /// For people.
    label: Option<String>,
    /// Until when it works; for ever when absent.
    expires_at: Option<DateTime<Utc>>,
}

/// A key that was just minted.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MintedView<'a> {
    pub(super) api_key: ApiKeyView<'a>,
    /// The key itself. It is stored nowhere and is not shown again.
    pub(super) secret: &'a str,
    pub(super) next_steps: Vec<NextStep>,
}

/// What a caller may do with a key that it just minted.
pub(super) fn next_steps(caller: &Caller, id: Uuid) -> Vec<NextStep> {
    use crate::auth::Scope::KeysWrite;
    let base = format!("/v1/admin/api-keys/{id}");
    NextSteps::of(caller)
        .post(KeysWrite, "rotate", format!("{base}/rotate"), "replace it, with a time of grace")
        .post(KeysWrite, "revoke", format!("{base}/revoke"), "end it")
        .done()
}

/// A fresh key and what is stored of it.
pub(super) fn fresh(hasher: &KeyHasher, mut key: ApiKey) -> (String, NewApiKey) {
    let secret = secret::generate(key.role);
    key.hint = secret::hint(&secret);
    let key_hash = hasher.hash(&secret);
    (secret, NewApiKey { key, key_hash })
}

#[utoipa::path(
    post, path = "/v1/admin/api-keys", tag = "Access", operation_id = "mintApiKey",
    summary = "Mint an API key; the answer is the only one that shows it",
    params(crate::openapi::IdempotencyKey),
    request_body = MintKey,
    responses(
        (status = 201, description = "Minted", body = MintedView<'static>),
        (status = 403, description = "The caller may not mint such a key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such organisation or agent for this key", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn mint(
    State(app): State<App>,
    caller: Caller,
    Mutation { body, idempotency }: Mutation<MintKey>,
) -> Result<Reply, Problem> {
    let now = app.store().clock().now();
    let key = match describe(&caller, body, now) {
        Ok(key) => key,
        Err(problem) => {
            return Reply::or_answered_before(&app, idempotency.as_ref(), problem).await;
        }
    };
    let (secret, new) = fresh(app.hasher(), key);
    let view = MintedView {
        api_key: ApiKeyView::of(&new.key),
        secret: &secret,
        next_steps: next_steps(&caller, new.key.id),
    };
    let answer = NewAnswer::secret(StatusCode::CREATED, &view)?;
    let minter = caller.key.id;
    mutate(&app, "mint_api_key", idempotency, answer, move |tx| {
        let new = new.clone();
        Box::pin(async move {
            access::confirm(tx, minter, now).await?;
            access::mint(tx, &new).await
        })
    })
    .await
}

fn describe(caller: &Caller, wanted: MintKey, now: DateTime<Utc>) -> Result<ApiKey, Problem> {
    let role = Role::parse(&wanted.role).ok_or_else(|| {
        invalid(format!("there is no role {:?}", wanted.role), "Use agent, admin or platform.")
    })?;
    let profile = chosen_profile(caller, role, wanted.scope_profile.as_deref())?;
    let label = wanted.label.unwrap_or_else(|| role.as_str().to_owned());
    check_name("label", &label)?;
    if wanted.expires_at.is_some_and(|at| at <= now) {
        return Err(invalid("expiresAt has passed", "Use a time in the future, or leave it out."));
    }
    let expires_at = lifetime(caller, wanted.expires_at)?;
    let (org_id, agent_id) = match (role, wanted.agent_id) {
        (Role::Platform, None) if wanted.org_id.is_none() => (None, None),
        (Role::Platform, _) => {
            return Err(invalid(
                "a platform key has no organisation",
                "Leave orgId and agentId out.",
            ));
        }
        (Role::Admin, None) => (Some(caller.org_for(wanted.org_id)?), None),
        (Role::Admin, Some(_)) => {
            return Err(invalid(
                "an admin key has no agent",
                "Leave agentId out, or mint an agent key.",
            ));
        }
        (Role::Agent, Some(agent)) => (Some(caller.org_for(wanted.org_id)?), Some(agent)),
        (Role::Agent, None) => {
            return Err(invalid(
                "an agent key needs an agent",
                "Send agentId; POST /v1/admin/agents makes one.",
            ));
        }
    };
    Ok(ApiKey {
        id: random::uuid_v7(now),
        role,
        org_id,
        agent_id,
        label,
        scope_profile: profile.name.to_owned(),
        hint: String::new(),
        created_at: now,
        expires_at,
        revoked_at: None,
        replaced_by: None,
    })
}

/// Nobody mints a key that may do more than an own one: only the platform makes platform keys, and
/// an admin may give only the scopes that it has.
fn chosen_profile(
    caller: &Caller,
    role: Role,
    name: Option<&str>,
) -> Result<&'static Profile, Problem> {
    let chosen = match name {
        None => default_profile(role),
        Some(name) => profile(name).filter(|profile| profile.role == role).ok_or_else(|| {
            invalid(
                format!("there is no scope profile {name:?} for the role {}", role.as_str()),
                "GET /v1/admin/scope-profiles lists them.",
            )
        })?,
    };
    let is_platform = caller.key.role == Role::Platform;
    let within = chosen.scopes.iter().all(|scope| caller.may(*scope));
    if is_platform || (role != Role::Platform && within) {
        return Ok(chosen);
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "mint-forbidden",
        format!("this key may not mint one with the profile {}", chosen.name),
    )
    .hint("Choose a profile whose scopes the calling key has, or ask the platform's operator."))
}

/// A key does not mint one that outlives it.
fn lifetime(
    caller: &Caller,
    wanted: Option<DateTime<Utc>>,
) -> Result<Option<DateTime<Utc>>, Problem> {
    match (caller.key.expires_at, wanted) {
        (Some(own), Some(wanted)) if wanted > own => Err(invalid(
            "expiresAt is later than the end of the key that mints",
            "Leave expiresAt out to end with the calling key, or use one that works longer.",
        )),
        (own, wanted) => Ok(wanted.or(own)),
    }
}

fn invalid(detail: impl Into<String>, hint: &str) -> Problem {
    Problem::unprocessable("request-invalid", detail, hint)
}

/// Mints a platform key straight in the database: for the first one, and when all are lost.
///
/// # Errors
/// Those of the store.
pub async fn platform_key(store: &Store, pepper: &Secret, label: &str) -> Result<String, Error> {
    let now = store.clock().now();
    let key = ApiKey {
        id: random::uuid_v7(now),
        role: Role::Platform,
        org_id: None,
        agent_id: None,
        label: label.to_owned(),
        scope_profile: default_profile(Role::Platform).name.to_owned(),
        hint: String::new(),
        created_at: now,
        expires_at: None,
        revoked_at: None,
        replaced_by: None,
    };
    let (secret, new) = fresh(&KeyHasher::new(pepper), key);
    store.mint(new).await?;
    Ok(secret)
}
