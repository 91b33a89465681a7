//! `POST /v1/records/batch`: up to 100 records, a result for each.

use axum::extract::State;
use axum::http::StatusCode;
use bytes::Bytes;
use deed_store::append::{Appended, Create};
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::prepare::{CreateRecord, Prepared, prepare};
use super::view::WrittenView;
use crate::auth::{Caller, Scope};
use crate::body::Mutation;
use crate::next_steps::{NextStep, NextSteps};
use crate::problem::Problem;
use crate::reply::{NewAnswer, Reply, mutate, render};
use crate::state::App;

/// Most records of one batch.
const MOST: usize = 100;
/// Items that are prepared at the same time; each may wait for a read of the database.
const AT_ONCE: usize = 8;

/// Records to notarize.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Batch {
    /// 1 to 100 records.
    #[schema(value_type = Vec<CreateRecord>, min_items = 1, max_items = 100)]
    records: Vec<Value>,
}

/// What became of one record.
#[expect(clippy::large_enum_variant, reason = "most are written, and a batch has few")]
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Outcome<'a> {
    /// It is recorded.
    Written {
        /// 201.
        status: u16,
        #[serde(flatten)]
        written: WrittenView<'a>,
    },
    /// It was refused; the others are not affected.
    Refused {
        /// 4xx.
        status: u16,
        problem: &'a Problem,
    },
}

/// A result for each record, in the order of the request.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BatchView<'a> {
    results: Vec<Outcome<'a>>,
    next_steps: Vec<NextStep>,
}

#[utoipa::path(
    post, path = "/v1/records/batch", tag = "Records", operation_id = "createRecords",
    summary = "Notarize up to 100 records",
    description = "The valid records are written in one transaction; a refused one does not affect the others.",
    params(crate::openapi::IdempotencyKey),
    request_body = Batch,
    responses((status = 200, description = "A result for each record", body = BatchView)),
)]
pub(crate) async fn batch(
    State(app): State<App>,
    caller: Caller,
    Mutation { body, idempotency }: Mutation<Batch>,
) -> Result<Reply, Problem> {
    if body.records.is_empty() || body.records.len() > MOST {
        return Err(Problem::unprocessable(
            "batch-size",
            format!("a batch has 1 to {MOST} records, this one {}", body.records.len()),
            "Split it into several requests.",
        ));
    }
    let now = app.store().clock().now();
    let items: Vec<Result<Prepared, Problem>> = futures::stream::iter(body.records)
        .map(|item| async {
            // Validating is work without a pause: others get their turn between two items.
            tokio::task::yield_now().await;
            let request = CreateRecord::from_json(item)?;
            prepare(&app, &caller, request, now).await
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    if let Some(passing) = items.iter().find_map(|r| r.as_ref().err().filter(|p| p.retryable)) {
        // The database is away: no item was judged fairly, so nothing is written.
        return Err(passing.clone());
    }
    let items: Vec<_> = items.into_iter().map(|item| item.map(|p| (p.body(), p))).collect();
    let response = Bytes::from(render(&view(&caller, &items))?);
    let records: Vec<_> = items.into_iter().flatten().map(|(_, p)| p.new).collect();
    if records.is_empty() {
        // Nothing to append, but an answer to keep, or one that was given when the world was
        // another.
        let answer = NewAnswer::rendered(StatusCode::OK, response);
        return mutate(&app, "refused_batch", idempotency, answer, |_| Box::pin(async { Ok(()) }))
            .await;
    }
    let item = Create::new(records, idempotency, StatusCode::OK.as_u16(), &response);
    let done = match app.appender().create(item).await? {
        Appended::Written(()) => Appended::Written(response),
        Appended::Replayed(replay) => Appended::Replayed(replay),
    };
    Reply::appended(StatusCode::OK, done)
}

/// The prepared items come with their bodies as values.
fn view<'a>(caller: &Caller, items: &'a [Result<(Value, Prepared), Problem>]) -> BatchView<'a> {
    let results = items.iter().map(|item| match item {
        Ok((body, prepared)) => {
            Outcome::Written { status: 201, written: prepared.view(None, body) }
        }
        Err(problem) => Outcome::Refused { status: problem.status, problem },
    });
    let next_steps = NextSteps::of(caller)
        .get(Scope::RecordsRead, "list", "/v1/records", "list the records of the organisation")
        .post(Scope::RecordsWrite, "notarize", "/v1/records", "notarize another record")
        .done();
    BatchView { results: results.collect(), next_steps }
}
