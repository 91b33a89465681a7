//! What a record under a gate shows beyond a notarized one.

use deed_lifecycle::{Facts, Role, awaited};
use deed_store::records::Record;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// The gate's part of a record.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct WorkView {
    /// Who judges: `principal`, `auto` or `auto-then-principal`.
    #[schema(example = "principal")]
    verdict_mode: &'static str,
    /// Agent that does the work.
    #[serde(skip_serializing_if = "Option::is_none")]
    performer_agent_id: Option<Uuid>,
    /// Third party of the dispute, which may read this chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    accessor_agent_id: Option<Uuid>,
    /// Revisions asked for so far, of 5.
    revisions: i16,
    /// Whose move it is: `principal`, `performer`, `accessor`, `admin`, `system`.
    awaiting: Vec<&'static str>,
    /// Position of the entry with the newest completion.
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_position: Option<i64>,
    /// Position of the entry with the newest verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict_position: Option<i64>,
}

impl WorkView {
    pub(super) fn of(record: &Record) -> Option<Self> {
        let work = record.work.as_ref()?;
        Some(Self {
            verdict_mode: work.mode.as_str(),
            performer_agent_id: work.performer_agent_id,
            accessor_agent_id: work.accessor_agent_id,
            revisions: work.revisions,
            awaiting: awaiting(record),
            completion_position: work.completion_position,
            verdict_position: work.verdict_position,
        })
    }
}

/// Whose move it is, as long as the deadline has not passed.
pub(super) fn awaiting(record: &Record) -> Vec<&'static str> {
    let Some(facts) = record.facts(record.created_at) else { return Vec::new() };
    let facts = Facts { deadline_passed: false, ..facts };
    awaited(record.status, &facts).iter().map(Role::as_str).collect()
}
