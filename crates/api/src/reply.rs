//! Answers: JSON bytes that were rendered once and are given again, byte for byte, on a retry.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use deed_store::append::Appended;
use deed_store::idempotency::{Idempotency, Mutated, Replay};
use serde::Serialize;

use crate::problem::{Problem, internal_error};
use crate::state::App;

/// Header that tells a client that its answer is the one of an earlier request.
const REPLAYED: &str = "idempotency-replayed";

/// A finished JSON answer.
pub(crate) struct Reply {
    status: StatusCode,
    body: Bytes,
    replayed: bool,
}

impl Reply {
    pub(crate) fn new(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, body: body.into(), replayed: false }
    }

    fn again(replay: Replay) -> Result<Self, Problem> {
        let status = StatusCode::from_u16(replay.status).map_err(|_| internal_error())?;
        Ok(Self { status, body: replay.body.into(), replayed: true })
    }

    /// The answer of an append: `body` when it was written now.
    pub(crate) fn appended(status: StatusCode, done: Appended<Bytes>) -> Result<Self, Problem> {
        match done {
            Appended::Written(body) => Ok(Self::new(status, body)),
            Appended::Replayed(replay) => Self::again(replay),
        }
    }

    /// The answer of a mutation; a sealed one is opened with the key that came with the request.
    pub(crate) fn mutated(
        app: &App,
        used: Option<&Idempotency>,
        done: Mutated,
    ) -> Result<Self, Problem> {
        match done {
            Mutated::Done(answer) => {
                let status = StatusCode::from_u16(answer.status).map_err(|_| internal_error())?;
                Ok(Self::new(status, answer.body))
            }
            Mutated::Replayed(mut replay) => {
                if replay.sealed {
                    let opened = used.and_then(|used| app.sealer().open(used, &replay.body));
                    replay.body = opened.ok_or_else(|| {
                        Problem::unprocessable(
                            "answer-sealed",
                            "the stored answer was sealed under another API_KEY_SECRET",
                            "Use a fresh Idempotency-Key; revoke what the first request made.",
                        )
                    })?;
                }
                Self::again(replay)
            }
        }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// A view as JSON.
pub(crate) fn render(view: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(view).map_err(|_| internal_error())
}

/// 200 with a view.
pub(crate) fn ok(view: &impl Serialize) -> Result<Reply, Problem> {
    Ok(Reply::new(StatusCode::OK, render(view)?))
}
