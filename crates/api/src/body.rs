//! Request bodies: JSON, strictly.

use axum::extract::{FromRequest, Request};
use axum::http::{Method, StatusCode, header};
use bytes::Bytes;
use deed_chain::hash::Hash;
use deed_store::idempotency::Idempotency;
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::auth::Caller;
use crate::problem::{Problem, internal_error};

/// Deepest nesting of a request body.
const MOST_DEPTH: usize = 48;
/// Longest idempotency key, in characters.
const LONGEST_KEY: usize = 255;

/// A mutation's body as strict JSON, with the idempotency key that came with it.
#[derive(Debug)]
pub(crate) struct JsonMutation {
    pub(crate) body: Value,
    pub(crate) idempotency: Option<Idempotency>,
}

/// The same, in the shape that the endpoint wants.
#[derive(Debug)]
pub(crate) struct Mutation<T> {
    pub(crate) body: T,
    pub(crate) idempotency: Option<Idempotency>,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Mutation<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let JsonMutation { body, idempotency } = JsonMutation::from_request(request, state).await?;
        Ok(Self { body: shaped(body)?, idempotency })
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonMutation {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let key = parts.headers.get("idempotency-key").map(idempotency_key).transpose()?;
        let is_json = parts.headers.get(header::CONTENT_TYPE).is_some_and(is_json);
        let bytes = read(body).await?;
        if !is_json && !bytes.is_empty() {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "the body is not declared as JSON",
            )
            .hint("Send the header `Content-Type: application/json` (UTF-8)."));
        }
        let caller = parts.extensions.get::<Caller>().ok_or_else(internal_error)?;
        let idempotency = key.map(|key| Idempotency {
            scope: caller.idempotency_scope(),
            key,
            request_hash: request_hash(&parts.method, parts.uri.path(), &bytes),
        });
        // An empty body stands for an empty object, for the mutations that need no input.
        let bytes = if bytes.is_empty() { Bytes::from_static(b"{}") } else { bytes };
        Ok(Self { body: parse(&bytes)?, idempotency })
    }
}

/// `application/json`, and if it names a character set, UTF-8.
fn is_json(value: &http::HeaderValue) -> bool {
    let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    parts.next() == Some("application/json")
        && parts.all(|p| !p.starts_with("charset") || p.replace('"', "") == "charset=utf-8")
}

async fn read(body: axum::body::Body) -> Result<Bytes, Problem> {
    // A body over the limit fails here too; the server's guard turns that answer into 413.
    body.collect().await.map(http_body_util::Collected::to_bytes).map_err(|_| {
        Problem::bad_request(
            "body-incomplete",
            "the body ended before it was complete",
            "Send the request again, with a Content-Length that is the body's.",
        )
    })
}

fn idempotency_key(value: &http::HeaderValue) -> Result<String, Problem> {
    let text = value.to_str().unwrap_or_default();
    if text.is_empty() || text.len() > LONGEST_KEY || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Problem::bad_request(
            "idempotency-key-invalid",
            format!(
                "an Idempotency-Key has 1 to {LONGEST_KEY} visible ASCII characters and no space"
            ),
            "Use a fresh UUID as the key of each new request.",
        ));
    }
    Ok(text.to_owned())
}

fn request_hash(method: &Method, path: &str, body: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    for part in [method.as_str().as_bytes(), b"\n", path.as_bytes(), b"\n", body] {
        hasher.update(part);
    }
    Hash(hasher.finalize().into())
}

fn parse(bytes: &[u8]) -> Result<Value, Problem> {
    deed_chain::json::parse(bytes, MOST_DEPTH).map_err(|e| {
        Problem::bad_request(
            "json-invalid",
            e.to_string(),
            "Send RFC 8259 JSON in UTF-8: no duplicate keys, no U+0000, no lone surrogates, numbers that an IEEE double holds exactly (send others as strings).",
        )
    })
}

/// The shape that an endpoint wants.
pub(crate) fn shaped<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_json::from_value(value).map_err(|e| misshapen(&e.to_string()))
}

/// 422 for a body, or a part of one, of another shape.
pub(crate) fn misshapen(detail: &str) -> Problem {
    Problem::unprocessable(
        "request-invalid",
        format!("the body does not have the expected shape: {detail}"),
        "Compare the body with the operation's schema in /openapi.json.",
    )
}
