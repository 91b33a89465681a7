//! `GET /v1/records`: list and search, newest first.

use axum::extract::State;
use chrono::{DateTime, Utc};
use deed_store::records::{Actor, Filter, Status};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::view::RecordView;
use crate::auth::Caller;
use crate::page::{PageQuery, PageView};
use crate::problem::Problem;
use crate::query::Query;
use crate::reply::{Reply, ok};
use crate::state::App;

/// All conditions that are given must hold.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Search {
    /// Name of the Type.
    #[serde(rename = "type")]
    type_name: Option<String>,
    /// State, for example RECORDED.
    status: Option<String>,
    /// `accessor`: records, of whatever organisation, whose dispute was handed to this key's agent. When
    /// absent, the records of the key's organisation.
    role: Option<String>,
    /// Agent that answers for it.
    principal_agent_id: Option<Uuid>,
    /// Agent that does the work.
    performer_agent_id: Option<Uuid>,
    /// Record that delegated it.
    parent_record_id: Option<Uuid>,
    /// Name of a join key; needs referenceValue.
    reference_key: Option<String>,
    /// Value of the join key.
    reference_value: Option<String>,
    /// Made at or after this time (RFC 3339).
    from: Option<DateTime<Utc>>,
    /// Made before this time (RFC 3339).
    to: Option<DateTime<Utc>>,
    /// Organisation; only for a platform key, which otherwise sees all.
    org_id: Option<Uuid>,
    /// Items of the page, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

#[utoipa::path(
    get, path = "/v1/records", tag = "Records", operation_id = "listRecords",
    summary = "List and search records, newest first",
    params(Search),
    responses((status = 200, description = "A page; records without criteria", body = PageView<RecordView<'static>>)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(search): Query<Search>,
) -> Result<Reply, Problem> {
    let page = PageQuery::new(search.limit, search.cursor.clone());
    let (limit, before) = (page.limit()?, page.before()?);
    let filter = filter(&caller, search)?;
    let page = app.store().records(filter, before, limit).await?;
    let items = page.items.iter().map(RecordView::summary).collect();
    ok(&PageView::new(items, page.next))
}

fn filter(caller: &Caller, search: Search) -> Result<Filter, Problem> {
    let accessor = accessor(caller, search.role.as_deref())?;
    // What was granted to the agent may be of any organisation, its own or another.
    let org =
        caller.narrowed(search.org_id)?.filter(|_| accessor.is_none() || search.org_id.is_some());
    let status = search.status.map(|name| {
        Status::parse(&name).ok_or_else(|| {
            let known: Vec<&str> = Status::ALL.into_iter().map(Status::as_str).collect();
            Problem::bad_request(
                "status-unknown",
                format!("there is no status {name:?}"),
                &format!("Use one of: {}.", known.join(", ")),
            )
        })
    });
    let reference = match (search.reference_key, search.reference_value) {
        (Some(key), Some(value)) => Some((key, value)),
        (None, None) => None,
        _ => {
            return Err(Problem::bad_request(
                "reference-incomplete",
                "referenceKey and referenceValue go together",
                "Send both, or neither.",
            ));
        }
    };
    Ok(Filter {
        org,
        accessor_agent_id: accessor,
        type_name: search.type_name,
        status: status.transpose()?,
        principal_agent_id: search.principal_agent_id,
        performer_agent_id: search.performer_agent_id,
        parent_id: search.parent_record_id,
        reference,
        from: search.from,
        to: search.to,
    })
}

/// The agent whose grants are listed, if they are.
fn accessor(caller: &Caller, role: Option<&str>) -> Result<Option<Uuid>, Problem> {
    match (role, caller.actor()) {
        (None, _) => Ok(None),
        (Some("accessor"), Actor::Agent { agent, .. }) => Ok(Some(agent)),
        (Some("accessor"), _) => Err(Problem::bad_request(
            "role-needs-agent",
            "only an agent has disputes handed to it",
            "Use a key of the agent, or leave role out.",
        )),
        (Some(other), _) => Err(Problem::bad_request(
            "role-unknown",
            format!("role is accessor or absent, not {other:?}"),
            "For the other parties use principalAgentId or performerAgentId.",
        )),
    }
}
