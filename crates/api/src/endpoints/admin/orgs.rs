//! `POST` and `GET /v1/admin/orgs`.

use axum::extract::State;
use axum::http::StatusCode;
use deed_store::access::{self, Org};
use deed_store::{random, types};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::check_name;
use crate::auth::{Caller, Scope};
use crate::body::Mutation;
use crate::endpoints::records::view::time;
use crate::endpoints::types::generic;
use crate::next_steps::{NextStep, NextSteps};
use crate::page::{PageQuery, PageView};
use crate::problem::Problem;
use crate::query::Query;
use crate::reply::{NewAnswer, Reply, mutate, ok};
use crate::state::App;

/// An organisation to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrg {
    /// Unique on the server, 1 to 200 characters.
    #[schema(example = "Example Ltd", min_length = 1, max_length = 200)]
    name: String,
}

/// An organisation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct OrgView<'a> {
    id: Uuid,
    name: &'a str,
    #[schema(format = DateTime)]
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_steps: Option<Vec<NextStep>>,
}

fn view(org: &Org, next_steps: Option<Vec<NextStep>>) -> OrgView<'_> {
    OrgView { id: org.id, name: &org.name, created_at: time(org.created_at), next_steps }
}

#[utoipa::path(
    post, path = "/v1/admin/orgs", tag = "Access", operation_id = "createOrg",
    summary = "Make an organisation, with the Type notarize-generic-v1 in it",
    params(crate::openapi::IdempotencyKey),
    request_body = NewOrg,
    responses(
        (status = 201, description = "Made", body = OrgView<'static>),
        (status = 409, description = "The name is taken", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Mutation { body, idempotency }: Mutation<NewOrg>,
) -> Result<Reply, Problem> {
    check_name("name", &body.name)?;
    let now = app.store().clock().now();
    let org = Org { id: random::uuid_v7(now), name: body.name, created_at: now };
    let next = NextSteps::of(&caller)
        .post(Scope::AgentsWrite, "create-agent", "/v1/admin/agents", "make an agent of it")
        .post(Scope::KeysWrite, "mint-key", "/v1/admin/api-keys", "mint an admin key for it")
        .done();
    let answer = NewAnswer::new(StatusCode::CREATED, &view(&org, Some(next)))?;
    let seed = generic(org.id, now)?;
    mutate(&app, "create_org", idempotency, answer, move |tx| {
        let (org, seed) = (org.clone(), seed.clone());
        Box::pin(async move {
            access::create_org(tx, &org).await?;
            types::register(tx, &seed).await
        })
    })
    .await
}

#[utoipa::path(
    get, path = "/v1/admin/orgs", tag = "Access", operation_id = "listOrgs",
    summary = "List organisations, newest first",
    params(PageQuery),
    responses((status = 200, description = "A page", body = PageView<OrgView<'static>>)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    Query(page): Query<PageQuery>,
) -> Result<Reply, Problem> {
    let page = app.store().orgs(page.before()?, page.limit()?).await?;
    ok(&PageView::new(page.items.iter().map(|org| view(org, None)).collect(), page.next))
}
