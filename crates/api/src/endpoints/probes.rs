//! Probes and metrics, without a key.

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use deed_store::DatabaseHealth;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::auth::Access;
use crate::problem::Problem;
use crate::reply::{Reply, render};
use crate::route::Routes;
use crate::state::App;

pub(crate) fn mount(routes: Routes) -> Routes {
    routes
        .mount(Access::Public, routes!(livez))
        .mount(Access::Public, routes!(readyz))
        .mount(Access::Public, routes!(health))
        .mount(Access::Public, routes!(metrics))
}

/// What a probe answers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HealthView {
    /// `ok`, `draining` or `unavailable`.
    status: &'static str,
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<DatabaseView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DatabaseView {
    reachable: bool,
    writable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema_version: Option<i32>,
    expected_schema_version: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pool: Option<PoolView>,
}

#[derive(Debug, Serialize, ToSchema)]
struct PoolView {
    open: usize,
    idle: usize,
    most: usize,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[utoipa::path(
    get, path = "/livez", tag = "Operations", operation_id = "livez",
    summary = "Liveness: the process runs; never asks the database",
    responses((status = 200, description = "Alive", body = HealthView)),
)]
async fn livez() -> Result<Reply, Problem> {
    answer(StatusCode::OK, &HealthView { status: "ok", version: VERSION, database: None })
}

#[utoipa::path(
    get, path = "/readyz", tag = "Operations", operation_id = "readyz",
    summary = "Readiness: the database is reachable and writable, its schema known, not draining",
    responses(
        (status = 200, description = "Ready", body = HealthView),
        (status = 503, description = "Not ready", body = HealthView),
    ),
)]
async fn readyz(State(app): State<App>) -> Result<Reply, Problem> {
    let draining = app.draining().load(Ordering::Relaxed);
    let seen = app.store().health().await.ok();
    let ready = seen.as_ref().is_some_and(DatabaseHealth::is_ready) && !draining;
    let status = match (draining, ready) {
        (true, _) => "draining",
        (false, true) => "ok",
        (false, false) => "unavailable",
    };
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer(code, &HealthView { status, version: VERSION, database: Some(brief(seen.as_ref())) })
}

#[utoipa::path(
    get, path = "/health", tag = "Operations", operation_id = "health",
    summary = "Health with details; always 200 while the process can answer",
    responses((status = 200, description = "Details", body = HealthView)),
)]
async fn health(State(app): State<App>) -> Result<Reply, Problem> {
    let seen = app.store().health().await.ok();
    let ready = seen.as_ref().is_some_and(DatabaseHealth::is_ready);
    let database = seen.as_ref().map_or_else(|| brief(None), DatabaseView::of);
    let status = if ready { "ok" } else { "unavailable" };
    answer(StatusCode::OK, &HealthView { status, version: VERSION, database: Some(database) })
}

#[utoipa::path(
    get, path = "/metrics", tag = "Operations", operation_id = "metrics",
    summary = "Prometheus metrics",
    responses((status = 200, description = "Text exposition format", body = String, content_type = "text/plain")),
)]
async fn metrics(State(app): State<App>) -> Response {
    let mut response = app.metrics().render().into_response();
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    response
}

impl DatabaseView {
    /// Everything about a database that answered.
    pub(super) fn of(seen: &DatabaseHealth) -> Self {
        let (open, idle, most) = seen.pool;
        Self {
            server_version: Some(seen.server_version.clone()),
            latency_ms: Some(seen.latency.as_secs_f64() * 1000.0),
            pool: Some(PoolView { open, idle, most }),
            ..brief(Some(seen))
        }
    }
}

fn brief(seen: Option<&DatabaseHealth>) -> DatabaseView {
    DatabaseView {
        reachable: seen.is_some(),
        writable: seen.is_some_and(|seen| seen.writable),
        server_version: None,
        schema_version: seen.and_then(|seen| seen.schema_version),
        expected_schema_version: deed_store::migrate::expected_version(),
        latency_ms: None,
        pool: None,
    }
}

fn answer(status: StatusCode, view: &HealthView) -> Result<Reply, Problem> {
    Ok(Reply::new(status, render(view)?))
}
