//! `GET /v1/records/{id}`.

use axum::extract::State;
use uuid::Uuid;

use super::view::{RecordView, body_of};
use crate::auth::Caller;
use crate::problem::{Problem, internal_error};
use crate::query::Path;
use crate::reply::{Reply, ok};
use crate::state::App;

#[utoipa::path(
    get, path = "/v1/records/{id}", tag = "Records", operation_id = "readRecord",
    summary = "Read a record",
    params(("id" = Uuid, Path, description = "Record")),
    responses(
        (status = 200, description = "The record with its criteria", body = RecordView<'static>),
        (status = 404, description = "No such record for this key", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Reply, Problem> {
    let record = app.store().record(id, caller.org()).await?;
    let first = app.store().first_entries(&[id]).await?;
    let body = body_of(first.first().ok_or_else(internal_error)?)?;
    ok(&RecordView::full(&record, &body))
}
