//! `GET /v1/webhooks/{id}/deliveries`.

use axum::extract::State;
use deed_store::webhooks::DeliveryState;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::view::DeliveryView;
use crate::auth::Caller;
use crate::page::{PageQuery, PageView};
use crate::problem::Problem;
use crate::query::{Path, Query};
use crate::reply::{Reply, ok};
use crate::state::App;

/// Which deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveriesQuery {
    /// `pending`, `delivered` or `dead`; all when absent.
    status: Option<String>,
    /// Items of the page, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

#[utoipa::path(
    get, path = "/v1/webhooks/{id}/deliveries", tag = "Webhooks", operation_id = "listWebhookDeliveries",
    summary = "The log of a webhook's deliveries, newest first; status=dead lists the dead letters",
    description = "Settled deliveries are kept for 30 days.",
    params(("id" = Uuid, Path, description = "Webhook"), DeliveriesQuery),
    responses(
        (status = 200, description = "A page", body = PageView<DeliveryView<'static>>),
        (status = 404, description = "No such webhook for this key", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Query(query): Query<DeliveriesQuery>,
) -> Result<Reply, Problem> {
    let states = match query.status.as_deref() {
        None => DeliveryState::ALL.to_vec(),
        Some(name) => vec![DeliveryState::parse(name).ok_or_else(|| {
            Problem::bad_request(
                "status-invalid",
                format!("{name:?} is no status of a delivery"),
                "Ask for pending, delivered or dead.",
            )
        })?],
    };
    app.store().webhook(id, caller.org()).await?;
    let page = PageQuery::new(query.limit, query.cursor);
    let page = app.store().webhook_deliveries(id, &states, page.before()?, page.limit()?).await?;
    ok(&PageView::new(page.items.iter().map(DeliveryView::of).collect(), page.next))
}
