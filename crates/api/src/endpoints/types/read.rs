//! List and read Types.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::view::TypeView;
use crate::auth::Caller;
use crate::page::{PageQuery, PageView};
use crate::problem::Problem;
use crate::query::{Path, Query};
use crate::reply::{Reply, ok};
use crate::state::App;

/// Which Types.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Organisation; required of a platform key.
    org_id: Option<Uuid>,
    /// Items of the page, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

#[utoipa::path(
    get, path = "/v1/types", tag = "Types", operation_id = "listTypes",
    summary = "List the newest version of each Type, by name",
    params(ListQuery),
    responses((status = 200, description = "A page; Types without schemas", body = PageView<TypeView<'static>>)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Reply, Problem> {
    let org = caller.org_for(query.org_id)?;
    let page = PageQuery::new(query.limit, query.cursor);
    let (limit, after) = (page.limit()?, page.after_text()?.unwrap_or_default());
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut types = app.store().record_types(org, &after, most).await?;
    let more = types.len() > limit;
    types.truncate(limit);
    let next = if more { types.last().map(|last| last.name.clone()) } else { None };
    ok(&PageView::new(types.iter().map(TypeView::summary).collect(), next))
}

/// Which version.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReadQuery {
    /// Version from 1; the newest when absent.
    version: Option<i32>,
    /// Organisation; required of a platform key.
    org_id: Option<Uuid>,
}

#[utoipa::path(
    get, path = "/v1/types/{name}", tag = "Types", operation_id = "readType",
    summary = "Read a Type, with an example to copy",
    params(("name" = String, Path, description = "Type"), ReadQuery),
    responses(
        (status = 200, description = "The Type", body = TypeView<'static>),
        (status = 404, description = "No such Type for this key", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<ReadQuery>,
) -> Result<Reply, Problem> {
    let org = caller.org_for(query.org_id)?;
    let found = app.store().record_type(org, &name, query.version).await?;
    ok(&TypeView::full(&found)?)
}
