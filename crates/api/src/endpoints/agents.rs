//! `GET /v1/agents`: whom in its own organisation a key can name, as a performer or a principal.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::auth::{Access, Caller, Scope};
use crate::page::{PageQuery, PageView};
use crate::problem::Problem;
use crate::query::Query;
use crate::reply::{Reply, ok};
use crate::route::Routes;
use crate::state::App;

pub(crate) fn mount(routes: Routes) -> Routes {
    routes.mount(Access::Scope(Scope::AgentsLookup), routes!(list))
}

/// An agent as its colleagues see it.
#[derive(Debug, Serialize, ToSchema)]
struct ColleagueView<'a> {
    id: Uuid,
    name: &'a str,
}

#[utoipa::path(
    get, path = "/v1/agents", tag = "Records", operation_id = "lookUpAgents",
    summary = "The agents of the key's organisation, by id and name, newest first",
    params(PageQuery),
    responses((status = 200, description = "A page", body = PageView<ColleagueView<'static>>)),
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<Reply, Problem> {
    let org = caller.org_for(None)?;
    let agents = app.store().agents_of(org, page.before()?, page.limit()?).await?;
    let items = agents.items.iter().map(|agent| ColleagueView { id: agent.id, name: &agent.name });
    ok(&PageView::new(items.collect(), agents.next))
}
