//! `GET /v1/records/{id}`.

use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::attempt::loaded;
use super::signals::SignalView;
use super::steps;
use super::view::{RecordView, body_of};
use crate::auth::Caller;
use crate::next_steps::NextStep;
use crate::problem::{Problem, internal_error};
use crate::query::Path;
use crate::reply::{Reply, ok};
use crate::state::App;

/// A record, and for one under a gate what this caller may do next.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WorkedView<'a> {
    #[serde(flatten)]
    record: RecordView<'a>,
    /// Settlement signals of its verdicts, oldest first.
    signals: Vec<SignalView<'a>>,
    /// Of a record under a gate.
    next_steps: Vec<NextStep>,
}

#[utoipa::path(
    get, path = "/v1/records/{id}", tag = "Records", operation_id = "readRecord",
    summary = "Read a record",
    params(("id" = Uuid, Path, description = "Record")),
    responses(
        (status = 200, description = "The record with its criteria; under a gate also with signals and nextSteps", body = RecordView<'static>),
        (status = 404, description = "No such record for this key", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Reply, Problem> {
    let record = app.store().record_for(id, &caller.actor()).await?;
    let first = app.store().first_entries(&[id]).await?;
    let body = body_of(first.first().ok_or_else(internal_error)?)?;
    let view = RecordView::full(&record, &body);
    let Some(work) = &record.work else { return ok(&view) };
    let amended = match work.criteria_position {
        0 => None,
        position => Some(app.store().body_at(id, position).await?),
    };
    let amended = amended.map(|body| serde_json::from_slice(&body)).transpose();
    let amended: Option<Value> = amended.map_err(|_| internal_error())?;
    let record_view = match &amended {
        Some(amended) => view.with_criteria(amended),
        None => view,
    };
    let signals = match work.verdict_position {
        Some(_) => app.store().signals(id).await?,
        None => Vec::new(),
    };
    let signals = signals.iter().map(SignalView::of).collect();
    let loaded = loaded(&app, &record).await?;
    let next_steps = steps::all(&caller, &record, &loaded, app.store().clock().now());
    ok(&WorkedView { record: record_view, signals, next_steps })
}
