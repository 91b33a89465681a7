//! `GET /v1/webhooks` and `GET /v1/webhooks/{id}`.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::view::WebhookView;
use crate::auth::Caller;
use crate::page::{PageQuery, PageView};
use crate::problem::Problem;
use crate::query::{Path, Query};
use crate::reply::{Reply, ok};
use crate::state::App;

/// Which webhooks.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WebhooksQuery {
    /// Organisation, for a platform key, which must name one; the key's own when absent.
    org_id: Option<Uuid>,
    /// Items of the page, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

#[utoipa::path(
    get, path = "/v1/webhooks", tag = "Webhooks", operation_id = "listWebhooks",
    summary = "List the webhooks of an organisation, newest first",
    params(WebhooksQuery),
    responses((status = 200, description = "A page", body = PageView<WebhookView<'static>>)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<WebhooksQuery>,
) -> Result<Reply, Problem> {
    let org = caller.org_for(query.org_id)?;
    let page = PageQuery::new(query.limit, query.cursor);
    let page = app.store().webhooks(org, page.before()?, page.limit()?).await?;
    ok(&PageView::new(page.items.iter().map(WebhookView::of).collect(), page.next))
}

#[utoipa::path(
    get, path = "/v1/webhooks/{id}", tag = "Webhooks", operation_id = "readWebhook",
    summary = "One webhook: how its endpoint is, and how much is left to deliver",
    params(("id" = Uuid, Path, description = "Webhook")),
    responses(
        (status = 200, description = "The webhook", body = WebhookView<'static>),
        (status = 404, description = "No such webhook for this key", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn one(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Reply, Problem> {
    let webhook = app.store().webhook(id, caller.org()).await?;
    let backlog = app.store().webhook_backlog(id).await?;
    ok(&WebhookView::of(&webhook).with_backlog(backlog))
}
