//! One log line and one measurement a request; request ids and W3C trace context.

use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use deed_store::random;
use metrics::Histogram;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Header that names a request in logs and answers.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest request id that a client may choose.
const LONGEST_ID: usize = 128;

/// How often the samples of histograms are folded into their buckets.
const UPKEEP: Duration = Duration::from_secs(5);

/// Upper bounds of the latency histograms, in seconds.
const BUCKETS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Installs the metrics recorder of this process; to be called once, on its runtime.
///
/// # Errors
/// When another recorder is installed already.
pub fn install_metrics() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)?
        .set_buckets_for_metric(
            Matcher::Full("deed_append_batch_items".to_owned()),
            &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0],
        )?
        .install_recorder()?;
    // Samples are kept until they are folded into their buckets, also when nobody scrapes.
    let upkeep = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}

/// What the requests of one path have in common.
pub(crate) struct Route {
    /// The route's pattern, not the path of a request: ids would make a metric of their own each.
    path: String,
    /// The histograms in use, by method and status: looking one up by its labels costs more than
    /// recording into it.
    latencies: RwLock<Vec<((&'static str, StatusCode), Histogram)>>,
}

impl Route {
    pub(crate) fn new(path: &str) -> Self {
        Self { path: path.to_owned(), latencies: RwLock::default() }
    }

    fn latency(&self, method: &'static str, status: StatusCode) -> Histogram {
        let known = self.latencies.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = known.iter().find(|(key, _)| *key == (method, status)) {
            return found.clone();
        }
        drop(known);
        let new = metrics::histogram!("deed_http_request_seconds",
            "method" => method, "route" => self.path.clone(), "status" => status.as_u16().to_string());
        let mut known = self.latencies.write().unwrap_or_else(PoisonError::into_inner);
        known.push(((method, status), new.clone()));
        new
    }
}

/// What a request is called in the log.
#[derive(Clone)]
struct Name {
    request_id: HeaderValue,
    trace_id: Option<String>,
    method: &'static str,
    route: Arc<Route>,
}

impl Name {
    fn span(&self) -> tracing::Span {
        tracing::info_span!(
            "request",
            request_id = self.request_id.to_str().unwrap_or_default(),
            trace_id = self.trace_id,
            method = self.method,
            route = self.route.path,
        )
    }
}

tokio::task_local! {
    static NAME: Name;
}

/// Logs within the span of the request that is being worked on, if there is one. The span is made
/// here and not with every request, because hardly any request has something to log.
pub fn in_request<T>(log: impl FnOnce() -> T) -> T {
    match NAME.try_with(Name::span) {
        Ok(span) => span.in_scope(log),
        Err(_) => log(),
    }
}

/// A request under observation.
pub(crate) struct Observed {
    name: Name,
    started: Instant,
}

impl Observed {
    pub(crate) fn start(request: &Request, route: &Arc<Route>) -> Self {
        let started = Instant::now();
        let name = Name {
            request_id: request_id(request.headers()),
            trace_id: trace_id(request.headers()).map(str::to_owned),
            method: known(request.method()),
            route: Arc::clone(route),
        };
        Self { name, started }
    }

    /// What the request is called.
    pub(crate) fn request_id(&self) -> &HeaderValue {
        &self.name.request_id
    }

    /// Pattern of the route.
    pub(crate) fn route(&self) -> &str {
        &self.name.route.path
    }

    /// Works on the request under its name.
    pub(crate) fn within<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        NAME.scope(self.name.clone(), work)
    }

    /// Measures the answer and puts the request's id on it.
    pub(crate) fn finish(self, mut response: Response) -> Response {
        let elapsed = self.started.elapsed();
        let status = response.status();
        if tracing::enabled!(tracing::Level::DEBUG) {
            self.name.span().in_scope(|| {
                let elapsed_us = elapsed.as_micros();
                tracing::debug!(status = status.as_u16(), elapsed_us, "answered");
            });
        }
        self.name.route.latency(self.name.method, status).record(elapsed.as_secs_f64());
        response.headers_mut().insert(REQUEST_ID, self.name.request_id);
        response
    }
}

/// The method's name, or "other": a client may invent methods, and each would make a metric.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The client's id if it is harmless, otherwise a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let harmless = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        (1..=LONGEST_ID).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
    };
    headers.get(REQUEST_ID).filter(harmless).cloned().unwrap_or_else(|| {
        let text = hex::encode(random::pooled::<16>());
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("none"))
    })
}

/// The trace id of a W3C `traceparent` (version 00), or nothing.
fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let mut parts = text.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let is_hex = trace.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    (version == "00" && trace.len() == 32 && is_hex && trace.bytes().any(|b| b != b'0'))
        .then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace_of(text: &'static str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", HeaderValue::from_static(text));
        trace_id(&headers).map(str::to_owned)
    }

    #[test]
    fn a_trace_id_is_taken_only_from_a_valid_traceparent() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(
            trace_of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").as_deref(),
            Some(id)
        );
        assert_eq!(trace_of("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), None);
        assert_eq!(trace_of("00-00000000000000000000000000000000-00f067aa0ba902b7-01"), None);
        assert_eq!(trace_of("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"), None);
        assert_eq!(trace_of("nonsense"), None);
    }

    #[test]
    fn a_request_id_of_the_client_is_kept_only_when_it_is_harmless() {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_static("job-17"));
        assert_eq!(request_id(&headers), "job-17");
        headers.insert(REQUEST_ID, HeaderValue::from_static("has space"));
        assert_ne!(request_id(&headers), "has space");
    }
}
