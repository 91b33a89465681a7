//! What a worker tells of itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use deed_store::Store;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;

struct Health {
    store: Store,
    metrics: PrometheusHandle,
    draining: Arc<AtomicBool>,
}

/// The routes of a worker's health port.
///
/// `/livez` answers as long as the process can answer anything. `/readyz` is 200 while the
/// database takes writes and has a schema that this program knows, and 503 (RFC 9457) otherwise
/// and once `draining` is true. `/metrics` is the Prometheus text of `metrics`.
pub fn health(store: Store, metrics: PrometheusHandle, draining: Arc<AtomicBool>) -> Router {
    Router::new()
        .route("/livez", get(async || "ok"))
        .route("/readyz", get(readiness))
        .route("/metrics", get(render))
        .fallback(unknown)
        .with_state(Arc::new(Health { store, metrics, draining }))
}

async fn readiness(State(health): State<Arc<Health>>) -> Response {
    if health.draining.load(Ordering::Acquire) {
        return unready("this worker is stopping");
    }
    match health.store.health().await {
        Ok(database) if database.is_ready() => "ready".into_response(),
        Ok(database) if database.writable => unready("the schema is older than this program"),
        Ok(_) => unready("the database does not take writes"),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            unready("the database cannot be reached")
        }
    }
}

async fn render(State(health): State<Arc<Health>>) -> Response {
    let text = health.metrics.render();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

async fn unknown() -> Response {
    let hint = "This port serves /livez, /readyz and /metrics; the API has another.";
    problem(StatusCode::NOT_FOUND, "not-found", "there is nothing here", hint)
}

fn unready(detail: &str) -> Response {
    let hint = "Ask again later; the log of the worker and `deed config` tell more.";
    problem(StatusCode::SERVICE_UNAVAILABLE, "not-ready", detail, hint)
}

fn problem(status: StatusCode, code: &str, detail: &str, hint: &str) -> Response {
    let body = json!({
        "type": format!("urn:deed:problem:{code}"),
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
        "recoveryHint": hint,
        "retryable": status.is_server_error(),
    });
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}
