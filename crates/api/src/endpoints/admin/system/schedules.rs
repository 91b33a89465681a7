//! `GET /v1/admin/schedules`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use deed_store::schedules::{Schedule, Tick};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::endpoints::records::view::time;
use crate::page::PageView;
use crate::problem::Problem;
use crate::reply::{Reply, ok};
use crate::state::App;

/// A schedule.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ScheduleView<'a> {
    name: &'a str,
    /// In UTC; six fields begin with the seconds.
    cron: &'a str,
    /// Kind of the job that each tick enqueues.
    job_kind: &'a str,
    /// What becomes of ticks that pass while no worker runs: `skip`, `latest` or `all`.
    catch_up: &'static str,
    last_tick: Option<TickView>,
    /// On the database's clock.
    #[schema(format = DateTime)]
    next_tick: Option<String>,
}

/// A tick that was enqueued.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TickView {
    #[schema(format = DateTime)]
    at: String,
    job_id: Uuid,
    /// The replica that enqueued it.
    claimed_by: Uuid,
    #[schema(format = DateTime)]
    claimed_at: String,
}

fn view(schedule: &Schedule, now: DateTime<Utc>) -> ScheduleView<'_> {
    ScheduleView {
        name: &schedule.name,
        cron: &schedule.cron,
        job_kind: &schedule.kind,
        catch_up: schedule.catch_up.as_str(),
        last_tick: schedule.last.as_ref().map(|tick: &Tick| TickView {
            at: time(tick.at),
            job_id: tick.job_id,
            claimed_by: tick.claimed_by,
            claimed_at: time(tick.claimed_at),
        }),
        next_tick: schedule.next(now).map(time),
    }
}

#[utoipa::path(
    get, path = "/v1/admin/schedules", tag = "Operations", operation_id = "listSchedules",
    summary = "What recurs: last and next tick of each schedule, and who enqueued it",
    responses((status = 200, description = "All of them, at most 1,000", body = PageView<ScheduleView<'static>>)),
)]
pub(crate) async fn list(State(app): State<App>) -> Result<Reply, Problem> {
    let (now, schedules) = app.store().schedules().await?;
    ok(&PageView::new(schedules.iter().map(|one| view(one, now)).collect(), None::<String>))
}
