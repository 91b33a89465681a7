//! `GET /v1/admin/jobs` and `POST /v1/admin/jobs/{id}/replay`.

use axum::extract::State;
use axum::http::StatusCode;
use deed_store::queue::{self, Job, JobState};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::auth::{Caller, Scope};
use crate::body::Mutation;
use crate::endpoints::records::view::time;
use crate::next_steps::{NextStep, NextSteps};
use crate::page::{PageQuery, PageView};
use crate::problem::Problem;
use crate::query::{Path, Query};
use crate::reply::{NewAnswer, Reply, mutate, ok};
use crate::state::App;

/// Which jobs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct JobsQuery {
    /// `waiting`, `active` or `dead`; `dead` when absent.
    state: Option<String>,
    /// Only jobs of this kind.
    kind: Option<String>,
    /// Items of the page, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

/// A job. Finished ones are not kept.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct JobView<'a> {
    id: Uuid,
    kind: &'a str,
    /// Null for a job of the server itself.
    org_id: Option<Uuid>,
    record_id: Option<Uuid>,
    payload: &'a serde_json::Value,
    /// -4 to 4, smaller first among the jobs of one organisation.
    priority: i16,
    /// `waiting`, `active` or `dead`.
    state: &'static str,
    /// Attempts so far.
    attempt: u32,
    /// Not before this time; of a dead job, the time of its last failure.
    #[schema(format = DateTime)]
    run_at: String,
    #[schema(format = DateTime)]
    enqueued_at: String,
    /// The replica that holds it.
    claimed_by: Option<Uuid>,
    /// Why the last attempt failed.
    last_error: Option<&'a str>,
}

fn view(job: &Job) -> JobView<'_> {
    JobView {
        id: job.id,
        kind: &job.kind,
        org_id: job.org_id,
        record_id: job.record_id,
        payload: &job.payload,
        priority: job.priority,
        state: job.state.as_str(),
        attempt: job.attempt,
        run_at: time(job.run_at),
        enqueued_at: time(job.enqueued_at),
        claimed_by: job.claimed_by,
        last_error: job.last_error.as_deref(),
    }
}

#[utoipa::path(
    get, path = "/v1/admin/jobs", tag = "Operations", operation_id = "listJobs",
    summary = "List jobs of one state, the dead letters by default, newest first",
    params(JobsQuery),
    responses((status = 200, description = "A page", body = PageView<JobView<'static>>)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    Query(query): Query<JobsQuery>,
) -> Result<Reply, Problem> {
    let wanted = query.state.as_deref().unwrap_or("dead");
    let state = JobState::parse(wanted).ok_or_else(|| {
        Problem::bad_request(
            "state-invalid",
            format!("{wanted:?} is no state of a job"),
            "Ask for waiting, active or dead.",
        )
    })?;
    // PostgreSQL cannot hold U+0000, so no kind has it.
    let kind = query.kind.map(|kind| kind.replace('\0', "\u{fffd}"));
    let page = PageQuery::new(query.limit, query.cursor);
    let page = app.store().jobs(state, kind, page.before()?, page.limit()?).await?;
    ok(&PageView::new(page.items.iter().map(view).collect(), page.next))
}

/// Nothing is needed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReplayJob)]
pub(crate) struct Nothing {}

/// A job that waits again.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReplayedView {
    job_id: Uuid,
    /// `waiting`.
    state: &'static str,
    next_steps: Vec<NextStep>,
}

#[utoipa::path(
    post, path = "/v1/admin/jobs/{id}/replay", tag = "Operations", operation_id = "replayJob",
    summary = "Give a dead job all its attempts again",
    params(("id" = Uuid, Path, description = "A dead job"), crate::openapi::IdempotencyKey),
    request_body = Nothing,
    responses(
        (status = 200, description = "It waits for a worker", body = ReplayedView),
        (status = 404, description = "No such job", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is not dead, or another job has taken its place", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn replay(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Mutation { idempotency, .. }: Mutation<Nothing>,
) -> Result<Reply, Problem> {
    let next_steps = NextSteps::of(&caller)
        .get(Scope::SystemRead, "dead-jobs", "/v1/admin/jobs?state=dead", "see what else is dead")
        .get(Scope::SystemRead, "system-health", "/v1/admin/system-health", "watch the queue")
        .done();
    let view = ReplayedView { job_id: id, state: JobState::Waiting.as_str(), next_steps };
    let answer = NewAnswer::new(StatusCode::OK, &view)?;
    let done = mutate(&app, "replay_job", idempotency, answer, move |tx| {
        Box::pin(async move { queue::replay(tx, id).await.map(drop) })
    });
    let done = done.await?;
    app.store().wake_workers();
    Ok(done)
}
