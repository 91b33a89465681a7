//! Answers: JSON bytes that were rendered once and are given again, byte for byte, on a retry.

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use deed_store::append::Appended;
use deed_store::idempotency::{Answer, Idempotency, Mutated, Replay};
use deed_store::{Body, Tx};
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

    /// What a refused request is answered with: the answer that its key was given before, if it
    /// was used, because a retry must not depend on what has changed since.
    pub(crate) async fn or_answered_before(
        app: &App,
        used: Option<&Idempotency>,
        problem: Problem,
    ) -> Result<Self, Problem> {
        let Some(used) = used else { return Err(problem) };
        match app.store().answered_before(used).await? {
            Some(replay) => Self::opened(app, Some(used), replay),
            None => Err(problem),
        }
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
            Mutated::Replayed(replay) => Self::opened(app, used, replay),
        }
    }

    fn opened(app: &App, used: Option<&Idempotency>, mut replay: Replay) -> Result<Self, Problem> {
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

/// Runs a mutation whose answer is known beforehand, together with its idempotency key. An answer
/// with a `secret` is sealed before it is stored.
pub(crate) async fn mutate<F>(
    app: &App,
    name: &'static str,
    used: Option<Idempotency>,
    answer: NewAnswer,
    write: F,
) -> Result<Reply, Problem>
where
    F: for<'a> Fn(Tx<'a>) -> Body<'a, ()> + Send + Sync + 'static,
{
    let sealed = match (&used, answer.secret) {
        (Some(used), true) => {
            let sealed = app.sealer().seal(used, answer.body.clone());
            Some(sealed.ok_or_else(internal_error)?)
        }
        _ => None,
    };
    let answer = Answer { status: answer.status.as_u16(), body: answer.body, sealed };
    let write = Arc::new(write);
    let done = app.store().mutate(name, used.clone(), move |tx| {
        let (write, answer) = (Arc::clone(&write), answer.clone());
        Box::pin(async move {
            write(tx).await?;
            Ok(answer)
        })
    });
    Reply::mutated(app, used.as_ref(), done.await?)
}

/// An answer that is given when its mutation is committed.
pub(crate) struct NewAnswer {
    status: StatusCode,
    body: Vec<u8>,
    secret: bool,
}

impl NewAnswer {
    pub(crate) fn new(status: StatusCode, view: &impl Serialize) -> Result<Self, Problem> {
        Ok(Self { status, body: render(view)?, secret: false })
    }

    /// The answer is rendered already.
    pub(crate) fn rendered(status: StatusCode, body: Bytes) -> Self {
        Self { status, body: body.into(), secret: false }
    }

    /// The answer holds a secret that must not lie in the database in the clear.
    pub(crate) fn secret(status: StatusCode, view: &impl Serialize) -> Result<Self, Problem> {
        Ok(Self { secret: true, ..Self::new(status, view)? })
    }
}
