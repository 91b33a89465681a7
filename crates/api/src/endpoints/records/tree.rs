//! `GET /v1/records/{id}/tree`: a record and everything delegated below it.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::view::RecordView;
use crate::auth::Caller;
use crate::problem::Problem;
use crate::query::Path;
use crate::reply::{Reply, ok};
use crate::state::App;

/// A delegation tree.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TreeView<'a> {
    /// The record asked for.
    root_record_id: Uuid,
    /// Parents before children; records without criteria.
    records: Vec<RecordView<'a>>,
}

#[utoipa::path(
    get, path = "/v1/records/{id}/tree", tag = "Records", operation_id = "readTree",
    summary = "Read a record and all that was delegated below it",
    params(("id" = Uuid, Path, description = "Record")),
    responses(
        (status = 200, description = "Up to 1,000 records", body = TreeView),
        (status = 404, description = "No such record for this key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "More than 1,000 records", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn tree(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Reply, Problem> {
    let records = app.store().tree(id, caller.org()).await?;
    let view =
        TreeView { root_record_id: id, records: records.iter().map(RecordView::summary).collect() };
    ok(&view)
}
