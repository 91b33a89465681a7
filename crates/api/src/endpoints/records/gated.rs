//! The creation of records under a gate, and the bounds that any child inherits.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use deed_lifecycle::State;
use deed_store::records::{Record, Work};
use serde_json::Number;
use uuid::Uuid;

use super::bounds::{self, Bounds};
use crate::auth::Caller;
use crate::cache::LoadedType;
use crate::problem::Problem;
use crate::state::App;

/// The members of a request that only a Type with a completion schema takes.
#[derive(Debug, Default)]
pub(super) struct Wish {
    pub(super) auto_activate: bool,
    pub(super) performer_agent_id: Option<Uuid>,
    pub(super) deadline: Option<DateTime<Utc>>,
    pub(super) limits: Option<BTreeMap<String, Number>>,
}

/// How a new record begins.
pub(super) struct Beginning {
    pub(super) status: State,
    pub(super) bounds: Bounds,
    pub(super) work: Option<Work>,
}

/// Works out how a new record begins. Touches the database only for a performer other than the
/// caller.
pub(super) async fn begin(
    app: &App,
    caller: &Caller,
    wish: Wish,
    (loaded, principal, parent): (&LoadedType, Option<Uuid>, Option<&Record>),
    now: DateTime<Utc>,
) -> Result<Beginning, Problem> {
    if let Some(parent) = parent.filter(|parent| !parent.status.may_delegate()) {
        return Err(Problem::unprocessable(
            "parent-not-open",
            format!("the parent is {}: nothing can be delegated below it", parent.status.as_str()),
            "Delegate from a record that is RECORDED, ACTIVE or REWORK.",
        ));
    }
    let gated = loaded.gate.is_some();
    if !gated && !wish.is_empty() {
        return Err(Problem::unprocessable(
            "type-not-gated",
            format!("the Type {} has no completion schema: it notarizes", loaded.definition.name),
            "Leave out autoActivate, performerAgentId, deadline and limits, or use a Type with a completion schema.",
        ));
    }
    let bounds = Bounds::new(wish.deadline, wish.limits, now)?.below(parent)?;
    if !gated {
        return Ok(Beginning { status: State::Recorded, bounds, work: None });
    }
    bounds::check_open(bounds.deadline, now)?;
    let Some(principal) = principal else {
        return Err(Problem::unprocessable(
            "principal-required",
            "a record under a gate needs an agent that answers for it and judges the work",
            "Send principalAgentId, or use the key of an agent.",
        ));
    };
    let performer = match wish.performer_agent_id {
        Some(named) => Some(performer(app, caller, named).await?),
        None => caller.key.agent_id,
    };
    let status = if wish.auto_activate { State::Active } else { State::Draft };
    if wish.auto_activate && caller.key.agent_id != Some(principal) {
        return Err(Problem::unprocessable(
            "role-not-allowed",
            "only the principal may activate a record",
            "Leave out autoActivate: the principal activates the draft.",
        ));
    }
    let work = Work::new(loaded.definition.verdict_mode, performer);
    Ok(Beginning { status, bounds, work: Some(work) })
}

impl Wish {
    fn is_empty(&self) -> bool {
        !self.auto_activate
            && self.performer_agent_id.is_none()
            && self.deadline.is_none()
            && self.limits.is_none()
    }
}

/// An agent of the caller's organisation that is to do the work.
pub(super) async fn performer(app: &App, caller: &Caller, named: Uuid) -> Result<Uuid, Problem> {
    let org = caller.org_for(None)?;
    if caller.key.agent_id == Some(named) || app.store().is_agent_of(named, org).await? {
        return Ok(named);
    }
    Err(Problem::unprocessable(
        "performer-unknown",
        "performerAgentId is no agent of this organisation",
        "Use the id of an agent of the organisation; GET /v1/admin/agents lists them.",
    ))
}
