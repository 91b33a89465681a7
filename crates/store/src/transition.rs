//! One transition of a record: decided by the table on the row as it is under the record's lock.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use deed_chain::body;
use deed_chain::hash::Hash;
use deed_lifecycle::{self as lifecycle, Action, Denied, Role, Signal, State};
use deed_notify::EventType;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::error::{Error, Refusal};
use crate::queue::NewJob;
use crate::random;
use crate::records::{Actor, Record, Work};

/// Kind of the job that has the rules judge a completion.
pub const EVALUATE: &str = "gate.evaluate";

/// What somebody wants to do to a record.
#[derive(Debug, Clone)]
pub struct Transition {
    /// Who.
    pub actor: Actor,
    /// What.
    pub action: Action,
    /// The action's own members of the entry's body. The members that every transition has
    /// (`from`, `to`, `action`, `actor`, `signal`, `createdAt`, `createdBy`) are overwritten.
    pub fields: Map<String, Value>,
    /// What else changes in the row.
    pub set: Set,
    /// Position of the completion that a judgement is about: a judgement of one that a revision
    /// has replaced meanwhile is refused.
    pub concerning: Option<i64>,
    /// When.
    pub at: DateTime<Utc>,
}

/// Columns that an action sets beyond those that follow from it.
#[derive(Debug, Clone, Default)]
pub struct Set {
    /// Who does the work.
    pub performer: Option<Uuid>,
    /// Who may read the chain and decide the dispute.
    pub accessor: Option<Uuid>,
    /// The deadline.
    pub deadline: Option<DateTime<Utc>>,
    /// The limits, as canonical JSON, or that there are none.
    pub limits: Option<Option<String>>,
    /// Whether the entry's body holds criteria that are in force from now on.
    pub criteria: bool,
}

/// What a decision writes.
pub(crate) struct Step {
    /// The row afterwards, except for its head.
    pub(crate) next: Record,
    pub(crate) body: Vec<u8>,
    pub(crate) body_hash: Hash,
    pub(crate) event: EventType,
    /// The settlement signal that is emitted.
    pub(crate) signal: Option<Signal>,
    pub(crate) job: Option<NewJob>,
}

impl Transition {
    /// Checks the transition against a row and works out what it writes. Run again whenever the
    /// row is read again: nothing of an earlier decision is kept.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a record that the actor cannot see; [`Error::Refused`].
    pub(crate) fn decide(&self, record: &Record) -> Result<Step, Error> {
        let row = self.check(record)?;
        let position = record.head_position + 1;
        let mut next = record.clone();
        next.status = row.to;
        next.deadline = self.set.deadline.or(next.deadline);
        if let Some(limits) = &self.set.limits {
            next.limits.clone_from(limits);
        }
        if let Some(work) = &mut next.work {
            self.advance(work, row, position);
        }
        let job = evaluation_job(&next, self.action, position);
        let value = self.body(record, row);
        let (body, body_hash) = body::body_hash(&value);
        let event = EventType::of(self.action);
        Ok(Step { next, body, body_hash, event, signal: row.signal, job })
    }

    /// Looks the transition up.
    ///
    /// # Errors
    /// As [`Transition::decide`].
    pub fn check(&self, record: &Record) -> Result<&'static lifecycle::Transition, Error> {
        if !record.is_visible_to(&self.actor) {
            return Err(Error::NotFound("record"));
        }
        let refused = |denied| {
            let record = record.clone();
            Error::Refused(Box::new(Refusal { record, action: self.action, denied }))
        };
        let mut facts = record.facts(self.at).ok_or_else(|| refused(Denied::State))?;
        let newest = record.work.as_ref().and_then(|work| work.completion_position);
        facts.concerns_newest = self.concerning.is_none() || self.concerning == newest;
        let roles = record.roles_of(&self.actor);
        lifecycle::decide(record.status, self.action, roles, &facts).map_err(refused)
    }

    fn advance(&self, work: &mut Work, row: &lifecycle::Transition, position: i64) {
        work.performer_agent_id = self.set.performer.or(work.performer_agent_id);
        work.accessor_agent_id = self.set.accessor.or(work.accessor_agent_id);
        if self.set.criteria {
            work.criteria_position = position;
        }
        if row.signal.is_some() || self.action == Action::ResolveUphold {
            work.verdict_position = Some(position);
        }
        match self.action {
            Action::Complete => work.completion_position = Some(position),
            Action::RequestRevision => work.revisions += 1,
            Action::Dispute => work.dispute_position = Some(position),
            Action::EvaluationPassed
            | Action::EvaluationFailed
            | Action::EvaluationUndecided
            | Action::ReevaluationPassed
            | Action::ReevaluationFailed => work.evaluation_position = Some(position),
            _ => {}
        }
    }

    /// What is signed.
    fn body(&self, record: &Record, row: &lifecycle::Transition) -> Value {
        let mut fields = self.fields.clone();
        let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        set("from", row.from.as_str().into());
        set("to", row.to.as_str().into());
        set("action", row.action.as_str().into());
        let role = record.roles_of(&self.actor).both(row.roles).iter().next();
        let mut actor = json!({ "role": role.map(Role::as_str) });
        let key = match self.actor {
            Actor::Agent { agent, key, .. } => {
                actor["agentId"] = json!(agent);
                Some(key)
            }
            Actor::Admin { key, .. } => Some(key),
            Actor::Platform | Actor::System => None,
        };
        set("actor", actor);
        set("createdAt", self.at.to_rfc3339_opts(SecondsFormat::Millis, true).into());
        if let Some(key) = key {
            set("createdBy", json!(key));
        }
        if let Some(signal) = row.signal {
            set("signal", signal.as_str().into());
        }
        body::salted(self.action.event(), &random::bytes(), fields)
    }
}

/// Unique key of the job that has the rules judge what the entry at this position asks for.
#[must_use]
pub fn evaluation_key(record: Uuid, position: i64) -> String {
    format!("{record}:{position}")
}

/// The rules judge a completion, and in mode `auto` once more in the first tier of a dispute.
fn evaluation_job(next: &Record, action: Action, position: i64) -> Option<NewJob> {
    let work = next.work.as_ref()?;
    let again = action == Action::Dispute && work.reevaluation_due();
    if next.status != State::Evaluating && !again {
        return None;
    }
    Some(NewJob {
        kind: EVALUATE,
        org_id: Some(next.org_id),
        record_id: Some(next.id),
        unique_key: Some(evaluation_key(next.id, position)),
        payload: json!({ "recordId": next.id, "completionPosition": work.completion_position }),
        priority: 0,
        delay: Duration::ZERO,
    })
}
