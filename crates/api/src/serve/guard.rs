//! What stands between a connection and the app: the limits of one request.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use hyper::body::{Body as _, Incoming};
use tower::Service;

use super::body::{Progress, WatchedBody};
use crate::config::HttpLimits;
use crate::problem::{Problem, internal_error};

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
        let Some(_slot) = InFlight::enter(self, request.uri().path()) else {
            return overloaded();
        };
        if header_bytes(request.headers()) > MAX_HEADER_BYTES {
            return closing(refusal(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        }
        if announced_length(request.headers()) > self.max_body_bytes as u64 {
            return closing(self.too_large());
        }
        let (request, progress) = self.watch(request);
        let handling = AssertUnwindSafe(self.app.clone().call(request)).catch_unwind();
        match tokio::time::timeout(self.request_timeout, handling).await {
            Ok(Ok(Ok(response))) if !response.status().is_success() => match progress {
                Some(progress) if progress.is_too_large() => closing(self.too_large()),
                _ => response,
            },
            Ok(Ok(Ok(response))) => response,
            Ok(Err(_panic)) => panicked(),
            Err(_elapsed) => match progress {
                Some(progress) if progress.is_arriving() => {
                    closing(refusal(StatusCode::REQUEST_TIMEOUT))
                }
                _ => closing(unanswered()),
            },
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

    fn too_large(&self) -> Response {
        let limit = self.max_body_bytes;
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            format!("the request body is larger than {limit} bytes"),
        )
        .hint(format!("Send at most {limit} bytes; split a batch into several requests."))
        .into_response()
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

/// `Content-Length`; 0 when absent. hyper has refused one that is not a number.
fn announced_length(headers: &HeaderMap) -> u64 {
    headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse().ok())
        .unwrap_or(0)
}

/// The problem for a request that was refused before the app could see it.
pub(super) fn refusal(status: StatusCode) -> Response {
    let (code, detail, hint) = match status {
        StatusCode::REQUEST_TIMEOUT => (
            "request-too-slow",
            "the request did not arrive completely within the time allowed",
            "Send the whole request at once; split a large batch, or use a faster connection.",
        ),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => (
            "headers-too-large",
            "the request has too many header fields, or they are too large together",
            "Send at most 100 header fields and 32 KiB of them; move data into the body.",
        ),
        StatusCode::URI_TOO_LONG => (
            "uri-too-long",
            "the request target is longer than this server reads",
            "Shorten the path and the query.",
        ),
        _ => (
            "malformed-request",
            "the request line or a header field is not valid HTTP/1.1",
            "Check the request line, the header names and their values (RFC 9112).",
        ),
    };
    Problem::new(status, code, detail).hint(hint).into_response()
}

fn overloaded() -> Response {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "overloaded",
        "the server is working on as many requests as it is allowed to",
    )
    .retry_after(1)
    .hint("Nothing was done. Retry after the time in Retry-After.")
    .into_response()
}

fn unanswered() -> Response {
    Problem::new(
        StatusCode::GATEWAY_TIMEOUT,
        "no-answer-in-time",
        "the request was not finished within the time allowed: it may or may not have taken effect",
    )
    .retry_after(1)
    .hint("Retry with the same Idempotency-Key and body: it takes effect once.")
    .into_response()
}

/// The panic itself is reported to the log by the panic hook, with its place.
fn panicked() -> Response {
    internal_error().into_response()
}

/// Tells the client that this connection ends: part of its request is still unread.
fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
