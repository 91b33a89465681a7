//! RFC 9457 problem details: one type for every refusal, one mapping from the store's errors.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use deed_store::Error;
use serde::Serialize;
use utoipa::ToSchema;

use crate::next_steps::NextStep;
use crate::telemetry::in_request;

/// Media type of a problem.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// Problem details (RFC 9457) with what an automated caller needs to recover.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// URN of the kind of problem, stable across versions.
    #[serde(rename = "type")]
    #[schema(example = "urn:deed:problem:validation-failed")]
    pub kind: String,
    /// The status line's reason.
    pub title: &'static str,
    /// HTTP status.
    pub status: u16,
    /// What happened in this case.
    pub detail: String,
    /// How the request can be made to succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_hint: Option<String>,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// The single violations, when a schema refused the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Violation>,
    /// Where the record is, when the state machine refused the request.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Standing)]
    pub(crate) standing: Option<Box<Standing>>,
    /// Seconds after which a retry makes sense (`Retry-After`).
    #[serde(skip)]
    pub retry_after: Option<u32>,
}

/// Where a record is, and what this caller may do about it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Standing {
    /// State of the record.
    #[schema(example = "AWAITING_VERDICT", required = false)]
    pub(crate) current_state: &'static str,
    /// Names of the actions that this caller may do in this state.
    #[schema(required = false)]
    pub(crate) allowed_actions: Vec<&'static str>,
    /// Where to read the record again.
    #[schema(required = false)]
    pub(crate) refresh_url: String,
    /// The allowed actions as requests.
    #[schema(required = false)]
    pub(crate) next_steps: Vec<NextStep>,
}

/// One place of the request that does not fit.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Violation {
    /// JSON Pointer (RFC 6901) into the request body.
    pub path: String,
    /// What was wanted there.
    pub expected: String,
    /// What was found there, shortened.
    pub found: String,
    /// Both in a sentence.
    pub message: String,
}

impl Problem {
    /// A problem of this status; `code` is a stable kebab-case name.
    #[must_use]
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:deed:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            recovery_hint: None,
            retryable: false,
            errors: Vec::new(),
            standing: None,
            retry_after: None,
        }
    }

    /// 400 with a hint.
    #[must_use]
    pub fn bad_request(code: &str, detail: impl Into<String>, hint: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail).hint(hint)
    }

    /// 422 with a hint.
    #[must_use]
    pub fn unprocessable(code: &str, detail: impl Into<String>, hint: &str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail).hint(hint)
    }

    /// 404 for a thing that is not there, or not for this caller.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", format!("{what} not found"))
            .hint("Check the identifier, and that it belongs to the organisation of your API key.")
    }

    /// Adds how the request can be made to succeed.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.recovery_hint = Some(hint.into());
        self
    }

    /// Marks the problem as one that passes, and says when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retryable = true;
        self.retry_after = Some(seconds);
        self
    }

    /// Adds where the record is that the state machine refused to move.
    #[must_use]
    pub(crate) fn standing(mut self, standing: Standing) -> Self {
        self.standing = Some(Box::new(standing));
        self
    }

    /// Adds the single violations.
    #[must_use]
    pub fn violations(mut self, errors: Vec<Violation>) -> Self {
        self.errors = errors;
        self
    }
}

/// Kind of the problem that an answer is, for the audit log.
#[derive(Clone)]
pub(crate) struct ProblemKind(pub(crate) String);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(ProblemKind(self.kind));
        response
    }
}

/// The one mapping of the store's errors. What a client cannot act on goes to the log, not to it.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound(what) => Self::not_found(what),
            Error::Conflict { code, detail } => Self::new(StatusCode::CONFLICT, code, detail)
                .hint("Read the current state first; the request conflicts with what is there."),
            Error::Refused(refusal) => {
                let (action, state) = (refusal.action.as_str(), refusal.record.status.as_str());
                Self::unprocessable(
                    "action-not-allowed",
                    format!("{action} is refused in state {state}"),
                    "Read the record: its nextSteps are what may be done now.",
                )
            }
            Error::IdempotencyMismatch => Self::unprocessable(
                "idempotency-key-reused",
                "this Idempotency-Key was used before with another request",
                "Use a fresh key for a new request; repeat method, path and body unchanged for a retry.",
            ),
            Error::Overloaded => {
                unavailable("overloaded", "more appends wait than the limit allows", 1)
                    .hint("Nothing was written. Retry after the time in Retry-After.")
            }
            Error::Unavailable(reason) => {
                in_request(|| tracing::warn!(reason, "the database cannot be used"));
                unavailable("database-unavailable", "the database cannot be reached now", 2)
                    .hint("Nothing was written. Retry after the time in Retry-After.")
            }
            Error::OutcomeUnknown => {
                in_request(|| tracing::warn!("the outcome of a commit is unknown"));
                unavailable(
                    "outcome-unknown",
                    "the database went away during the commit: the request may or may not have been carried out",
                    2,
                )
                .hint("Retry with the same Idempotency-Key and body: it gives the original answer or carries the request out, never twice. Without a key, list before you repeat.")
            }
            raced if raced.is_serialization() => {
                unavailable("raced", "the request kept losing a race with others", 1)
                    .hint("Nothing was written. Retry after the time in Retry-After.")
            }
            internal @ (Error::Database(_) | Error::Damaged(_) | Error::Unfit(_)) => {
                in_request(
                    || tracing::error!(error = %internal, "a request failed inside the server"),
                );
                internal_error()
            }
        }
    }
}

fn unavailable(code: &str, detail: &str, seconds: u32) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(seconds)
}

/// 500 that says nothing of the server's inside.
#[must_use]
pub fn internal_error() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "the server failed to carry out the request",
    )
    .hint("Report the X-Request-Id of this answer to the operator of the server.")
}
