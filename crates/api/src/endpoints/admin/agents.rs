//! `POST` and `GET /v1/admin/agents`.

use axum::extract::State;
use axum::http::StatusCode;
use deed_store::access::{self, Agent};
use deed_store::random;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::check_name;
use crate::auth::{Caller, Scope};
use crate::body::Mutation;
use crate::endpoints::records::view::time;
use crate::next_steps::{NextStep, NextSteps};
use crate::page::{PageQuery, PageView};
use crate::problem::Problem;
use crate::query::Query;
use crate::reply::{NewAnswer, Reply, mutate, ok};
use crate::state::App;

/// An agent to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewAgent {
    /// Unique in the organisation, 1 to 200 characters.
    #[schema(example = "release-bot", min_length = 1, max_length = 200)]
    name: String,
    /// Organisation; the key's own when absent.
    org_id: Option<Uuid>,
}

/// An agent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AgentView<'a> {
    id: Uuid,
    org_id: Uuid,
    name: &'a str,
    #[schema(format = DateTime)]
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_steps: Option<Vec<NextStep>>,
}

fn view(agent: &Agent, next_steps: Option<Vec<NextStep>>) -> AgentView<'_> {
    AgentView {
        id: agent.id,
        org_id: agent.org_id,
        name: &agent.name,
        created_at: time(agent.created_at),
        next_steps,
    }
}

#[utoipa::path(
    post, path = "/v1/admin/agents", tag = "Access", operation_id = "createAgent",
    summary = "Make an agent",
    params(crate::openapi::IdempotencyKey),
    request_body = NewAgent,
    responses(
        (status = 201, description = "Made", body = AgentView<'static>),
        (status = 404, description = "No such organisation for this key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The name is taken", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Mutation { body, idempotency }: Mutation<NewAgent>,
) -> Result<Reply, Problem> {
    check_name("name", &body.name)?;
    let now = app.store().clock().now();
    let org_id = caller.org_for(body.org_id)?;
    let agent = Agent { id: random::uuid_v7(now), org_id, name: body.name, created_at: now };
    let next = NextSteps::of(&caller)
        .post(Scope::KeysWrite, "mint-key", "/v1/admin/api-keys", "mint a key for the agent")
        .done();
    let answer = NewAnswer::new(StatusCode::CREATED, &view(&agent, Some(next)))?;
    mutate(&app, "create_agent", idempotency, answer, move |tx| {
        let agent = agent.clone();
        Box::pin(async move { access::create_agent(tx, &agent).await })
    })
    .await
}

/// Which agents.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OfOrg {
    /// Organisation; only for a platform key, which otherwise sees all.
    org_id: Option<Uuid>,
    /// Items of the page, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

impl OfOrg {
    /// The organisation to narrow to, and the page.
    pub(super) fn split(self, caller: &Caller) -> Result<(Option<Uuid>, PageQuery), Problem> {
        let page = PageQuery::new(self.limit, self.cursor);
        Ok((caller.narrowed(self.org_id)?, page))
    }
}

#[utoipa::path(
    get, path = "/v1/admin/agents", tag = "Access", operation_id = "listAgents",
    summary = "List agents, newest first",
    params(OfOrg),
    responses((status = 200, description = "A page", body = PageView<AgentView<'static>>)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<OfOrg>,
) -> Result<Reply, Problem> {
    let (org, page) = query.split(&caller)?;
    let page = app.store().agents(org, page.before()?, page.limit()?).await?;
    ok(&PageView::new(page.items.iter().map(|agent| view(agent, None)).collect(), page.next))
}
