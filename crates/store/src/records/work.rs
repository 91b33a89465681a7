//! What a record under a gate has beyond a notarized one, and what a caller is to it.

use chrono::{DateTime, Utc};
use deed_lifecycle::{Action, Facts, Role, Roles, State, VerdictMode};
use tokio_postgres::Row;
use uuid::Uuid;

use super::Record;
use crate::error::Error;

/// Who acts on a record, or reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// An agent of an organisation, by one of its keys.
    Agent {
        /// Its organisation.
        org: Uuid,
        /// The agent.
        agent: Uuid,
        /// The API key.
        key: Uuid,
    },
    /// An administrator of an organisation.
    Admin {
        /// The organisation.
        org: Uuid,
        /// The API key.
        key: Uuid,
    },
    /// The platform: reads every record and acts on none.
    Platform,
    /// The server itself.
    System,
}

/// The part of a record that its gate needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// Who judges.
    pub mode: VerdictMode,
    /// Who does the work; a draft may still lack it.
    pub performer_agent_id: Option<Uuid>,
    /// Third party of a dispute, which may read this chain.
    pub accessor_agent_id: Option<Uuid>,
    /// Revisions asked for.
    pub revisions: i16,
    /// Entry that holds the criteria in force.
    pub criteria_position: i64,
    /// Entry that holds the newest completion.
    pub completion_position: Option<i64>,
    /// Entry that holds the newest verdict.
    pub verdict_position: Option<i64>,
    /// Entry that holds the newest judgement of the rules.
    pub evaluation_position: Option<i64>,
    /// Entry that opened the dispute.
    pub dispute_position: Option<i64>,
}

impl Work {
    /// Work that begins, its criteria in the first entry.
    #[must_use]
    pub fn new(mode: VerdictMode, performer_agent_id: Option<Uuid>) -> Self {
        Self {
            mode,
            performer_agent_id,
            accessor_agent_id: None,
            revisions: 0,
            criteria_position: 0,
            completion_position: None,
            verdict_position: None,
            evaluation_position: None,
            dispute_position: None,
        }
    }

    /// Reads the columns from `at` on, in the order of [`super::COLUMNS`].
    pub(super) fn from_row(row: &Row, at: usize) -> Result<Option<Self>, Error> {
        let Some(mode) = row.get::<_, Option<&str>>(at) else { return Ok(None) };
        let mode = VerdictMode::parse(mode)
            .ok_or_else(|| Error::Damaged(format!("a record has verdict mode {mode}")))?;
        Ok(Some(Self {
            mode,
            performer_agent_id: row.get(at + 1),
            accessor_agent_id: row.get(at + 2),
            revisions: row.get::<_, Option<i16>>(at + 3).unwrap_or(0),
            criteria_position: row.get::<_, Option<i64>>(at + 4).unwrap_or(0),
            completion_position: row.get(at + 5),
            verdict_position: row.get(at + 6),
            evaluation_position: row.get(at + 7),
            dispute_position: row.get(at + 8),
        }))
    }

    /// Whether the newest verdict is one of the rules: they have judged by it or after it. A verdict that
    /// they left to the principal, because they could not decide, comes after their judgement.
    #[must_use]
    pub fn verdict_by_rules(&self) -> bool {
        self.mode == VerdictMode::Auto
            && self.verdict_position.is_some()
            && self.verdict_position <= self.evaluation_position
    }

    /// Whether the rules have still to judge again in the dispute that was opened: only what they
    /// have decided themselves.
    #[must_use]
    pub fn reevaluation_due(&self) -> bool {
        self.verdict_by_rules() && self.dispute_position > self.evaluation_position
    }
}

impl Record {
    /// Whether it may be read: by its organisation, by the third party of its dispute, by the platform.
    #[must_use]
    pub fn is_visible_to(&self, actor: &Actor) -> bool {
        match *actor {
            Actor::Platform | Actor::System => true,
            Actor::Admin { org, .. } => org == self.org_id,
            Actor::Agent { org, agent, .. } => {
                org == self.org_id
                    || self.work.as_ref().is_some_and(|w| w.accessor_agent_id == Some(agent))
            }
        }
    }

    /// What `actor` is to this record.
    #[must_use]
    pub fn roles_of(&self, actor: &Actor) -> Roles {
        let Some(work) = &self.work else { return Roles::NONE };
        match *actor {
            Actor::Platform => Roles::NONE,
            Actor::System => Roles::of(&[Role::System]),
            Actor::Admin { org, .. } => Roles::NONE.with(Role::Admin, org == self.org_id),
            Actor::Agent { agent, .. } => Roles::NONE
                .with(Role::Principal, self.principal_agent_id == Some(agent))
                .with(Role::Performer, work.performer_agent_id == Some(agent))
                .with(Role::Accessor, work.accessor_agent_id == Some(agent)),
        }
    }

    /// What is true of it at a time; `None` for a record without a gate.
    #[must_use]
    pub fn facts(&self, now: DateTime<Utc>) -> Option<Facts> {
        let work = self.work.as_ref()?;
        Some(Facts {
            mode: work.mode,
            deadline_passed: self.deadline.is_some_and(|deadline| deadline <= now),
            performer_named: work.performer_agent_id.is_some(),
            revisions: work.revisions,
            disputed: work.dispute_position.is_some(),
            verdict_by_rules: work.verdict_by_rules(),
            reevaluation_due: work.reevaluation_due(),
            concerns_newest: true,
        })
    }

    /// The actions that `actor` may do now.
    #[must_use]
    pub fn allowed(&self, actor: &Actor, now: DateTime<Utc>) -> Vec<Action> {
        let Some(facts) = self.facts(now) else { return Vec::new() };
        let rows = deed_lifecycle::allowed(self.status, self.roles_of(actor), &facts);
        rows.map(|row| row.action).collect()
    }

    /// The deadline while it runs: from then on the sweep ends the record.
    #[must_use]
    pub fn due_at(&self) -> Option<DateTime<Utc>> {
        let runs = self.work.is_some() && State::has_running_deadline(self.status);
        self.deadline.filter(|_| runs)
    }
}
