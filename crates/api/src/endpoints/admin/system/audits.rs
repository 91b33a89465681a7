//! `POST /v1/admin/audit`, `GET /v1/admin/audit` and `GET /v1/admin/audit/{id}`.

use axum::extract::State;
use axum::http::StatusCode;
use deed_store::audits::{self, Audit};
use deed_store::random;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
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

/// What to audit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StartAudit {
    /// Also compare with the anchors of the worker's configuration; false when absent.
    #[serde(default)]
    anchors: bool,
}

/// An audit that a worker will do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StartedAuditView {
    audit_id: Uuid,
    /// `waiting`.
    state: &'static str,
    next_steps: Vec<NextStep>,
}

/// An audit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AuditView<'a> {
    id: Uuid,
    /// Whether the anchors are compared too.
    anchors: bool,
    /// `waiting`, `running` or `done`.
    state: &'a str,
    /// `intact`, `tampered` or `cannot-tell`, once it is done.
    verdict: Option<&'a str>,
    /// Every chain up to this record is audited.
    cursor: Option<Uuid>,
    /// `checked`: how many records, entries, checkpoints, objects of anchors and checkpoints in them;
    /// `ofRecords`: records in all, about; `faults` and `notes`; `reason` why it cannot be told.
    #[schema(value_type = Object)]
    progress: &'a Value,
    /// What was found, each with kind, fault, record, position, anchor and detail: at most 900 faults
    /// and 100 notes. Empty in a list.
    #[schema(value_type = Vec<Object>)]
    findings: &'a Value,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    started_at: Option<String>,
    #[schema(format = DateTime)]
    finished_at: Option<String>,
}

fn view(audit: &Audit) -> AuditView<'_> {
    AuditView {
        id: audit.id,
        anchors: audit.with_anchors,
        state: &audit.state,
        verdict: audit.verdict.as_deref(),
        cursor: audit.cursor,
        progress: &audit.progress,
        findings: &audit.findings,
        created_at: time(audit.created_at),
        started_at: audit.started_at.map(time),
        finished_at: audit.finished_at.map(time),
    }
}

#[utoipa::path(
    post, path = "/v1/admin/audit", tag = "Operations", operation_id = "startAudit",
    summary = "Have a worker verify every chain, and compare it with the anchors",
    params(crate::openapi::IdempotencyKey),
    request_body = StartAudit,
    responses(
        (status = 202, description = "It waits for a worker", body = StartedAuditView),
        (status = 409, description = "An audit is waiting or running already", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn start(
    State(app): State<App>,
    caller: Caller,
    Mutation { body, idempotency }: Mutation<StartAudit>,
) -> Result<Reply, Problem> {
    let id = random::uuid_v7(app.store().clock().now());
    let next_steps = NextSteps::of(&caller)
        .get(Scope::SystemRead, "audit", format!("/v1/admin/audit/{id}"), "see how far it is")
        .done();
    let view = StartedAuditView { audit_id: id, state: "waiting", next_steps };
    let answer = NewAnswer::new(StatusCode::ACCEPTED, &view)?;
    let (clock, key) = (app.store().clock().clone(), caller.key.id);
    let done = mutate(&app, "start_audit", idempotency, answer, move |tx| {
        let clock = clock.clone();
        Box::pin(async move { audits::request(tx, &clock, id, body.anchors, key).await })
    });
    let done = done.await?;
    app.store().wake_workers();
    Ok(done)
}

#[utoipa::path(
    get, path = "/v1/admin/audit", tag = "Operations", operation_id = "listAudits",
    summary = "Audits, the newest first",
    params(PageQuery),
    responses((status = 200, description = "A page", body = PageView<AuditView<'static>>)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    Query(page): Query<PageQuery>,
) -> Result<Reply, Problem> {
    let page = app.store().audits(page.before()?, page.limit()?).await?;
    ok(&PageView::new(page.items.iter().map(view).collect(), page.next))
}

#[utoipa::path(
    get, path = "/v1/admin/audit/{id}", tag = "Operations", operation_id = "readAudit",
    summary = "How far an audit is, and what it found",
    params(("id" = Uuid, Path, description = "An audit")),
    responses(
        (status = 200, description = "The audit", body = AuditView<'static>),
        (status = 404, description = "No such audit", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn read(State(app): State<App>, Path(id): Path<Uuid>) -> Result<Reply, Problem> {
    ok(&view(&app.store().audit(id).await?))
}
