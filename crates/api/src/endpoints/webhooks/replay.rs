//! `POST /v1/webhooks/{id}/deliveries/{deliveryId}/replay` and `POST /v1/webhooks/{id}/replay`.

use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use deed_store::idempotency::Answer;
use deed_store::webhooks::{self, DeliveryState, MOST_REPLAYED, Replayable};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::view::next_steps;
use super::{Nothing, wanted};
use crate::auth::Caller;
use crate::body::Mutation;
use crate::next_steps::NextStep;
use crate::problem::Problem;
use crate::query::Path;
use crate::reply::{NewAnswer, Reply, mutate};
use crate::state::App;

/// How many deliveries were put back.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReplayedDeliveriesView {
    replayed: u64,
    /// Whether the range may hold more: then ask again.
    more: bool,
    next_steps: Vec<NextStep>,
}

#[utoipa::path(
    post, path = "/v1/webhooks/{id}/deliveries/{deliveryId}/replay", tag = "Webhooks", operation_id = "replayWebhookDelivery",
    summary = "Deliver once more what was delivered or given up",
    description = "With the same webhook-id and body, and all its attempts.",
    params(
        ("id" = Uuid, Path, description = "Webhook"),
        ("deliveryId" = Uuid, Path, description = "A delivery that is delivered or dead"),
        crate::openapi::IdempotencyKey,
    ),
    request_body = Nothing,
    responses(
        (status = 200, description = "It is pending", body = ReplayedDeliveriesView),
        (status = 404, description = "No such delivery for this key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is pending anyway", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn one(
    State(app): State<App>,
    caller: Caller,
    Path((id, delivery)): Path<(Uuid, Uuid)>,
    Mutation { idempotency, .. }: Mutation<Nothing>,
) -> Result<Reply, Problem> {
    let webhook = app.store().webhook(id, caller.org()).await?;
    let next_steps = next_steps(&webhook, &caller);
    let view = ReplayedDeliveriesView { replayed: 1, more: false, next_steps };
    let answer = NewAnswer::new(StatusCode::OK, &view)?;
    mutate(&app, "replay_webhook_delivery", idempotency, answer, move |tx| {
        Box::pin(async move { webhooks::replay(tx, id, delivery).await })
    })
    .await
}

/// Which deliveries.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ReplayRange {
    /// Deliveries that were added at this time or later.
    #[schema(format = DateTime)]
    from: DateTime<Utc>,
    /// And before this time.
    #[schema(format = DateTime)]
    to: DateTime<Utc>,
    /// `dead` (when absent) or `delivered`.
    status: Option<String>,
}

#[utoipa::path(
    post, path = "/v1/webhooks/{id}/replay", tag = "Webhooks", operation_id = "replayWebhookRange",
    summary = "Deliver once more what was given up, or delivered, in a range of time",
    description = "At most 1,000 deliveries a request, the oldest first; ask again, with a fresh Idempotency-Key, while `more` is true. A range of delivered ones has to move on: begin where the last one ended.",
    params(("id" = Uuid, Path, description = "Webhook"), crate::openapi::IdempotencyKey),
    request_body = ReplayRange,
    responses(
        (status = 200, description = "They are pending", body = ReplayedDeliveriesView),
        (status = 404, description = "No such webhook for this key", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn range(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Mutation { body, idempotency }: Mutation<ReplayRange>,
) -> Result<Reply, Problem> {
    let name = body.status.as_deref().unwrap_or("dead");
    let state = DeliveryState::parse(name).filter(|state| *state != DeliveryState::Pending);
    let state = state.ok_or_else(|| wanted::one_of("status", name, &["dead", "delivered"]))?;
    let bounds = DateTime::UNIX_EPOCH..=end_of_times();
    if body.from >= body.to || !bounds.contains(&body.from) || !bounds.contains(&body.to) {
        return Err(Problem::unprocessable(
            "range-invalid",
            "from must be before to, both between the years 1970 and 9999",
            "Give the time from which and the time until which to deliver again.",
        ));
    }
    let range = Replayable { state, from: body.from, to: body.to };
    let webhook = app.store().webhook(id, caller.org()).await?;
    let next_steps = next_steps(&webhook, &caller);
    let done = app.store().mutate("replay_webhook_range", idempotency.clone(), move |tx| {
        let next_steps = next_steps.clone();
        Box::pin(async move {
            let replayed = webhooks::replay_range(tx, id, &range).await?;
            let more = i64::try_from(replayed).is_ok_and(|count| count == MOST_REPLAYED);
            let view = ReplayedDeliveriesView { replayed, more, next_steps };
            let body = serde_json::to_vec(&view)
                .map_err(|e| deed_store::Error::Damaged(format!("an answer: {e}")))?;
            Ok(Answer { status: 200, body, sealed: None })
        })
    });
    Reply::mutated(&app, idempotency.as_ref(), done.await?)
}

/// The last second of the year 9999.
fn end_of_times() -> DateTime<Utc> {
    DateTime::from_timestamp(253_402_300_799, 0).unwrap_or(DateTime::UNIX_EPOCH)
}
