//! `GET /v1/records/{id}/entries`: the chain, entry by entry.

use axum::extract::State;
use uuid::Uuid;

use super::view::{EntryView, body_of};
use crate::auth::Caller;
use crate::page::{PageQuery, PageView, invalid_cursor};
use crate::problem::Problem;
use crate::query::{Path, Query};
use crate::reply::{Reply, ok};
use crate::state::App;

#[utoipa::path(
    get, path = "/v1/records/{id}/entries", tag = "Records", operation_id = "listEntries",
    summary = "Read a record's signed entries, oldest first",
    params(("id" = Uuid, Path, description = "Record"), PageQuery),
    responses(
        (status = 200, description = "A page of entries", body = PageView<EntryView<'static>>),
        (status = 404, description = "No such record for this key", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn entries(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Query(page): Query<PageQuery>,
) -> Result<Reply, Problem> {
    let record = app.store().record_for(id, &caller.actor()).await?;
    let limit = i64::try_from(page.limit()?).unwrap_or(i64::MAX);
    let after = match page.after_text()? {
        None => -1,
        Some(text) => text.parse().map_err(|_| invalid_cursor())?,
    };
    // A page of large bodies ends before its limit; there is more as long as the head is not in it.
    let stored = app.store().entries(id, after, limit).await?;
    let bodies = stored.iter().map(body_of).collect::<Result<Vec<_>, _>>()?;
    let items = stored.iter().zip(&bodies).map(|(e, body)| EntryView::stored(e, body)).collect();
    let last = stored.last().map(|entry| entry.position);
    ok(&PageView::new(items, last.filter(|last| *last < record.head_position)))
}
