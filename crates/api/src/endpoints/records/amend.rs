//! `POST /v1/records/{id}/amend`: while it is a draft, criteria, deadline and limits may be replaced.

use std::collections::BTreeMap;

use axum::extract::State;
use chrono::{DateTime, Utc};
use deed_lifecycle::Action;
use deed_store::transition::Set;
use serde::Deserialize;
use serde_json::{Map, Number, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::attempt::Attempt;
use super::bounds::Bounds;
use super::prepare::check_criteria;
use super::view::{self, WrittenView};
use crate::auth::Caller;
use crate::body::Mutation;
use crate::problem::Problem;
use crate::query::Path;
use crate::reply::Reply;
use crate::state::App;

/// What is replaced; at least one member.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Amendment {
    /// All criteria anew; valid by the Type's schema.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    criteria: Option<Map<String, Value>>,
    /// RFC 3339, at most the parent's.
    #[serde(default)]
    deadline: Option<DateTime<Utc>>,
    /// All limits anew, at most the parent's.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    limits: Option<BTreeMap<String, Number>>,
}

#[utoipa::path(
    post, path = "/v1/records/{id}/amend", tag = "Lifecycle", operation_id = "amendRecord",
    summary = "Replace criteria, deadline or limits of a draft",
    params(("id" = Uuid, Path, description = "Record"), crate::openapi::IdempotencyKey),
    request_body = Amendment,
    responses(
        (status = 200, description = "The record in its new state, and the signed entry", body = WrittenView),
        (status = 404, description = "No such record for this key", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Refused by the state machine or by a rule: see currentState, allowedActions and nextSteps", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn amend(
    State(app): State<App>,
    caller: Caller,
    Path(record): Path<Uuid>,
    Mutation { body, idempotency }: Mutation<Amendment>,
) -> Result<Reply, Problem> {
    let attempt = Attempt::open(app, caller, record, idempotency).await?;
    if body.criteria.is_none() && body.deadline.is_none() && body.limits.is_none() {
        return Err(Problem::unprocessable(
            "request-invalid",
            "nothing is to be amended",
            "Send criteria, deadline or limits.",
        ));
    }
    match changes(&attempt, body).await {
        Ok((fields, set)) => attempt.run(Action::Amend, fields, set).await,
        Err(problem) => attempt.refuse(problem).await,
    }
}

/// What the entry says and the row holds, checked as at the creation.
async fn changes(attempt: &Attempt, body: Amendment) -> Result<(Map<String, Value>, Set), Problem> {
    let (mut fields, mut set) = (Map::new(), Set::default());
    // Whether it may be amended at all is told first, by the state machine.
    if !attempt.record.allowed(&attempt.caller.actor(), attempt.now).contains(&Action::Amend) {
        return Ok((fields, set));
    }
    if let Some(criteria) = body.criteria {
        let criteria = Value::Object(criteria);
        check_criteria(&attempt.loaded, &criteria)?;
        fields.insert("criteria".to_owned(), criteria);
        set.criteria = true;
    }
    let parent = match attempt.record.parent_id {
        // Its limits cannot change any more: only a record whose limits are locked delegates.
        Some(parent) => Some(attempt.app.store().record(parent, None).await?),
        None => None,
    };
    let (deadline, limits) = (body.deadline.is_some(), body.limits.is_some());
    let bounds = Bounds::new(body.deadline, body.limits, attempt.now)?.below(parent.as_ref())?;
    if let Some(deadline) = bounds.deadline.filter(|_| deadline) {
        fields.insert("deadline".to_owned(), view::time(deadline).into());
        set.deadline = Some(deadline);
    }
    if limits {
        fields.insert("limits".to_owned(), bounds.limits_value());
        set.limits = Some(bounds.limits());
    }
    Ok((fields, set))
}
