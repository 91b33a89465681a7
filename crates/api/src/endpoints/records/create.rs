//! `POST /v1/records`: validate, canonicalise, sign, append; 201 with the signed entry.

use axum::extract::State;
use axum::http::StatusCode;
use bytes::Bytes;
use deed_store::append::{Appended, Create};

use super::answer;
use super::prepare::{CreateRecord, prepare};
use super::view::WrittenView;
use crate::auth::Caller;
use crate::body::JsonMutation;
use crate::problem::Problem;
use crate::reply::{Reply, render};
use crate::state::App;

#[utoipa::path(
    post, path = "/v1/records", tag = "Records", operation_id = "createRecord",
    summary = "Notarize",
    params(crate::openapi::IdempotencyKey),
    request_body = CreateRecord,
    responses(
        (status = 201, description = "Recorded: the record and its signed entry", body = WrittenView),
        (status = 422, description = "Not valid by the Type, or refused by a rule", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    JsonMutation { body, idempotency }: JsonMutation,
) -> Result<Reply, Problem> {
    let prepared =
        match prepare(&app, &caller, CreateRecord::from_json(body)?, app.store().clock().now())
            .await
        {
            Ok(prepared) => prepared,
            Err(problem) => {
                return Reply::or_answered_before(&app, idempotency.as_ref(), problem).await;
            }
        };
    let status = StatusCode::CREATED;
    let (response, item) = if answer::is_plain(&prepared.new.record) {
        let (response, recipe) = answer::written(&prepared.new, &prepared.parts, &caller);
        (response, Create::one(prepared.new, idempotency, status.as_u16(), recipe))
    } else {
        let response = render(&prepared.view(Some(&caller), &prepared.body()))?;
        let item = Create::new(vec![prepared.new], idempotency, status.as_u16(), &response);
        (response, item)
    };
    let done = match app.appender().create(item).await? {
        Appended::Written(()) => Appended::Written(Bytes::from(response)),
        Appended::Replayed(replay) => Appended::Replayed(replay),
    };
    Reply::appended(status, done)
}
