//! `GET /v1/admin/scope-profiles`.

use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::{PROFILES, Scope};
use crate::page::PageView;
use crate::problem::Problem;
use crate::reply::{Reply, ok};

/// A named set of scopes.
#[derive(Debug, Serialize, ToSchema)]
struct ProfileView {
    name: &'static str,
    /// The role that may carry it.
    role: &'static str,
    description: &'static str,
    scopes: Vec<&'static str>,
}

#[utoipa::path(
    get, path = "/v1/admin/scope-profiles", tag = "Access", operation_id = "listScopeProfiles",
    summary = "The built-in scope profiles",
    responses((status = 200, description = "All of them", body = PageView<ProfileView>)),
)]
pub(crate) async fn list() -> Result<Reply, Problem> {
    let profiles = PROFILES.iter().map(|profile| ProfileView {
        name: profile.name,
        role: profile.role.as_str(),
        description: profile.description,
        scopes: profile.scopes.iter().copied().map(Scope::as_str).collect(),
    });
    ok(&PageView::new(profiles.collect(), None::<String>))
}
