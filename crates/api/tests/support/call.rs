//! Requests and answers.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use super::TestApp;

/// A request under construction.
pub struct Call<'a> {
    app: &'a TestApp,
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl TestApp {
    pub fn call(&self, method: Method, path: impl Into<String>) -> Call<'_> {
        Call { app: self, method, path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    pub async fn get(&self, key: &str, path: impl Into<String>) -> Answer {
        self.call(Method::GET, path).key(key).send().await
    }

    pub async fn post(&self, key: &str, path: impl Into<String>, body: Value) -> Answer {
        self.call(Method::POST, path).key(key).json(&body).send().await
    }

    /// POST with an Idempotency-Key.
    pub async fn post_once(
        &self,
        key: &str,
        path: impl Into<String>,
        once: &str,
        body: Value,
    ) -> Answer {
        self.call(Method::POST, path).key(key).once(once).json(&body).send().await
    }
}

impl Call<'_> {
    /// Authenticates with an API key.
    pub fn key(self, key: &str) -> Self {
        self.header("authorization", format!("Bearer {key}"))
    }

    /// Sends an Idempotency-Key.
    pub fn once(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn json(self, body: &Value) -> Self {
        let bytes = serde_json::to_vec(body).expect("JSON");
        self.header(header::CONTENT_TYPE.as_str(), "application/json").raw(bytes)
    }

    pub fn raw(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub async fn send(self) -> Answer {
        let mut request = Request::builder().method(self.method.clone()).uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let request = request.body(Body::from(self.body)).expect("a request");
        let response = self.app.router.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        let asked = format!("{} {}", self.method, self.path);
        Answer { asked, status: parts.status, headers: parts.headers, bytes }
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub asked: String,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Bytes,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// The body of an answer that must have this status.
    #[track_caller]
    pub fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}: {}", self.asked, self.text());
        assert_eq!(self.header("content-type"), "application/json", "{}", self.asked);
        serde_json::from_slice(&self.bytes).expect("a JSON body")
    }

    /// The problem (RFC 9457) of a refusal that must have this status and code: complete, with a
    /// way to recover.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}: {}", self.asked, self.text());
        let media_type = self.header("content-type");
        assert_eq!(media_type, "application/problem+json", "{}: {}", self.asked, self.text());
        let problem: Value = serde_json::from_slice(&self.bytes).expect("a JSON body");
        assert_problem(&problem, status, code);
        problem
    }
}

/// Checks that a problem is complete.
#[track_caller]
pub fn assert_problem(problem: &Value, status: u16, code: &str) {
    assert_eq!(problem["type"], format!("urn:deed:problem:{code}"), "{problem}");
    assert_eq!(problem["status"], status, "{problem}");
    let reason = StatusCode::from_u16(status).expect("a status").canonical_reason();
    assert_eq!(problem["title"].as_str(), reason, "{problem}");
    for member in ["detail", "recoveryHint"] {
        assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
    }
    assert!(problem["retryable"].is_boolean(), "{problem}");
    for error in problem["errors"].as_array().into_iter().flatten() {
        for member in ["path", "expected", "found", "message"] {
            assert!(error[member].is_string(), "{member} of {error}");
        }
    }
}
