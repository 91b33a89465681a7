//! `GET /v1/auth/me`: who the key is and what it may do.

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use super::records::view::time;
use crate::auth::{Access, Caller, Scope};
use crate::problem::Problem;
use crate::reply::{Reply, ok};
use crate::route::Routes;

pub(crate) fn mount(routes: Routes) -> Routes {
    routes.mount(Access::Authenticated, routes!(me))
}

/// The caller.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Me<'a> {
    api_key_id: Uuid,
    /// `agent`, `admin` or `platform`.
    role: &'static str,
    org_id: Option<Uuid>,
    agent_id: Option<Uuid>,
    label: &'a str,
    scope_profile: &'a str,
    scopes: Vec<&'static str>,
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

#[utoipa::path(
    get, path = "/v1/auth/me", tag = "Access", operation_id = "whoAmI",
    summary = "Who this key is and what it may do",
    responses((status = 200, description = "The caller", body = Me<'static>)),
)]
async fn me(caller: Caller) -> Result<Reply, Problem> {
    let key = &caller.key;
    ok(&Me {
        api_key_id: key.id,
        role: key.role.as_str(),
        org_id: key.org_id,
        agent_id: key.agent_id,
        label: &key.label,
        scope_profile: &key.scope_profile,
        scopes: caller.scopes.iter().copied().map(Scope::as_str).collect(),
        expires_at: key.expires_at.map(time),
    })
}
