//! What stands between a connection and the app: the limits of one request.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::response::Response;
use futures::FutureExt;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Request, Uri};
use hyper::body::{Body as _, Incoming};
use tower::Service;

use super::body::{Progress, WatchedBody};
use super::refusal::Refusal;
use crate::config::HttpLimits;

/// Largest sum of all header names and values of one request, in bytes.
const MAX_HEADER_BYTES: usize = 32 * 1024;

/// Paths that are answered under any load: a process that is busy is not dead.
const ALWAYS_ADMITTED: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// The app behind its limits; shared by all connections.
pub(super) struct Guard {
    app: Router,
    in_flight: AtomicUsize,
    max_in_flight: usize,
    max_body_bytes: usize,
    request_timeout: Duration,
}

impl Guard {
    pub(super) fn new(app: Router, limits: &HttpLimits) -> Arc<Self> {
        Arc::new(Self {
            app,
            in_flight: AtomicUsize::new(0),
            max_in_flight: limits.max_in_flight,
            max_body_bytes: limits.max_body_bytes,
            request_timeout: limits.request_timeout,
        })
    }

    /// Answers one request. Never fails: what the app cannot answer is answered for it.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response {
        match self.admit(request).await {
            Ok(response) => response,
            Err(refusal) => refusal.answer(),
        }
    }

    async fn admit(&self, request: Request<Incoming>) -> Result<Response, Refusal> {
        let _slot = InFlight::enter(self, request.uri().path()).ok_or(Refusal::Overloaded)?;
        if header_bytes(request.headers()) > MAX_HEADER_BYTES {
            return Err(Refusal::HeadersTooLarge);
        }
        if has_nul(request.uri()) {
            return Err(Refusal::Malformed);
        }
        if announced_length(request.headers()) > self.max_body_bytes as u64 {
            return Err(Refusal::BodyTooLarge(self.max_body_bytes));
        }
        let (request, progress) = self.watch(request);
        let handling = AssertUnwindSafe(self.app.clone().call(request)).catch_unwind();
        match tokio::time::timeout(self.request_timeout, handling).await {
            Ok(Ok(Ok(response))) if response.status().is_success() => Ok(response),
            // The app only knows that the body broke off; here it is known why.
            Ok(Ok(Ok(_))) if progress.as_ref().is_some_and(Progress::is_too_large) => {
                Err(Refusal::BodyTooLarge(self.max_body_bytes))
            }
            Ok(Ok(Ok(response))) => Ok(response),
            Ok(Err(_panic)) => Err(Refusal::Panicked),
            Err(_elapsed) if progress.as_ref().is_some_and(Progress::is_arriving) => {
                Err(Refusal::TooSlow)
            }
            Err(_elapsed) => Err(Refusal::Unanswered),
        }
    }

    /// Puts the body under watch; a request without a body, the common read, costs nothing.
    fn watch(&self, request: Request<Incoming>) -> (Request<Body>, Option<Progress>) {
        if request.body().is_end_stream() {
            return (request.map(|_| Body::empty()), None);
        }
        let (head, incoming) = request.into_parts();
        let (body, progress) = WatchedBody::new(incoming, self.max_body_bytes);
        let mut request = Request::from_parts(head, Body::new(body));
        // axum's own limit of 2 MB would come first where ours is set higher.
        DefaultBodyLimit::disable().apply(&mut request);
        (request, Some(progress))
    }
}

/// A request being worked on; counted until it is dropped.
struct InFlight<'a>(&'a AtomicUsize);

impl<'a> InFlight<'a> {
    fn enter(guard: &'a Guard, path: &str) -> Option<Self> {
        let others = guard.in_flight.fetch_add(1, Ordering::Relaxed);
        let entered = Self(&guard.in_flight);
        (others < guard.max_in_flight || ALWAYS_ADMITTED.contains(&path)).then_some(entered)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

/// U+0000 in path or query means nothing to any endpoint, and PostgreSQL cannot hold it: looking
/// for it would fail there as if the server were at fault.
fn has_nul(target: &Uri) -> bool {
    target.path_and_query().is_some_and(|text| text.as_str().contains("%00"))
}

/// `Content-Length`; 0 when absent. hyper has refused one that is not a number.
fn announced_length(headers: &HeaderMap) -> u64 {
    headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse().ok())
        .unwrap_or(0)
}
