//! Records and entries as clients see them.

use chrono::{DateTime, SecondsFormat, Utc};
use deed_chain::base64url;
use deed_chain::hash::Hash;
use deed_store::records::{MOST_DEPTH, Record, StoredEntry};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::work_view::WorkView;
use crate::auth::{Caller, Scope};
use crate::next_steps::{NextStep, NextSteps};
use crate::problem::{Problem, internal_error};

/// RFC 3339, UTC, milliseconds.
pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A record.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordView<'a> {
    id: Uuid,
    org_id: Uuid,
    /// Name of its Type.
    #[serde(rename = "type")]
    type_name: &'a str,
    type_version: i32,
    /// State, see docs/state-machine.md.
    #[schema(example = "RECORDED")]
    status: &'static str,
    /// Agent that answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    principal_agent_id: Option<Uuid>,
    /// Who asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    requested_by: Option<&'a str>,
    /// Record that delegated it.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_record_id: Option<Uuid>,
    /// First record of its delegation tree.
    root_record_id: Uuid,
    /// Join keys. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    references: Option<&'a Value>,
    /// What was notarized. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    criteria: Option<&'a Value>,
    #[schema(format = DateTime)]
    created_at: String,
    /// When the work must be handed in, its own or inherited.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    deadline: Option<String>,
    /// Numbers by name that neither it nor what is delegated below it may exceed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    limits: Option<Value>,
    /// Of a record under a gate.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    work: Option<WorkView>,
    /// Its newest entry.
    head: HeadView,
}

/// The newest entry of a chain.
#[derive(Debug, Serialize, ToSchema)]
struct HeadView {
    /// Position from 0.
    position: i64,
    /// Entry hash, 64 hexadecimal digits.
    #[schema(value_type = String)]
    hash: Hash,
}

impl<'a> RecordView<'a> {
    /// A record without its content, as lists have it.
    pub(crate) fn summary(record: &'a Record) -> Self {
        Self {
            id: record.id,
            org_id: record.org_id,
            type_name: &record.type_name,
            type_version: record.type_version,
            status: record.status.as_str(),
            principal_agent_id: record.principal_agent_id,
            requested_by: record.requested_by.as_deref(),
            parent_record_id: record.parent_id,
            root_record_id: record.root_id,
            references: None,
            criteria: None,
            created_at: time(record.created_at),
            deadline: record.deadline.map(time),
            limits: record.limits.as_ref().and_then(|limits| serde_json::from_str(limits).ok()),
            work: WorkView::of(record),
            head: HeadView { position: record.head_position, hash: record.head_hash },
        }
    }

    /// With criteria that were amended after the first entry.
    pub(crate) fn with_criteria(self, amended: &'a Value) -> Self {
        Self { criteria: amended.get("criteria"), ..self }
    }

    /// A record with what the body of its first entry says.
    pub(crate) fn full(record: &'a Record, first_body: &'a Value) -> Self {
        Self {
            criteria: first_body.get("criteria"),
            references: first_body.get("references"),
            ..Self::summary(record)
        }
    }
}

/// An entry of a record's chain.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EntryView<'a> {
    /// Position from 0.
    pub(crate) position: i64,
    /// Entry hash: SHA-256(0x00 || statement), 64 hexadecimal digits.
    #[schema(value_type = String)]
    pub(crate) hash: Hash,
    /// Hash of the entry before it, or of the genesis statement.
    #[schema(value_type = String)]
    pub(crate) previous: Hash,
    /// COSE_Sign1 (RFC 9052) in base64url: keep it, it is half of a proof.
    pub(crate) signed_statement: String,
    /// What the statement's payload is the hash of.
    #[schema(value_type = Object)]
    pub(crate) body: &'a Value,
}

impl<'a> EntryView<'a> {
    pub(crate) fn stored(entry: &StoredEntry, body: &'a Value) -> Self {
        Self {
            position: entry.position,
            hash: entry.hash,
            previous: entry.previous,
            signed_statement: base64url::encode(&entry.entry),
            body,
        }
    }
}

/// The answer of everything that adds an entry.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WrittenView<'a> {
    pub(crate) record: RecordView<'a>,
    pub(crate) entry: EntryView<'a>,
    /// What this caller may do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_steps: Option<Vec<NextStep>>,
}

/// A stored body, which the server itself wrote in canonical form.
pub(crate) fn body_of(entry: &StoredEntry) -> Result<Value, Problem> {
    serde_json::from_slice(&entry.body).map_err(|_| internal_error())
}

/// What may follow an append to this record.
pub(crate) fn next_steps(caller: &Caller, record: &Record) -> Vec<NextStep> {
    let base = format!("/v1/records/{}", record.id);
    let steps = NextSteps::of(caller)
        .get(Scope::RecordsRead, "read", base.clone(), "read the record")
        .get(Scope::RecordsRead, "entries", format!("{base}/entries"), "read its signed entries");
    let judged = record.work.as_ref().is_some_and(|work| work.verdict_position.is_some());
    let steps = if judged {
        let what = "read the settlement signals of its verdicts";
        steps.get(Scope::RecordsRead, "signals", format!("{base}/signals"), what)
    } else {
        steps
    };
    // The third party of a dispute reads another organisation's chain and adds nothing to it.
    let own = caller.org().is_none_or(|org| org == record.org_id);
    let steps = if own {
        steps.post(
            Scope::RecordsWrite,
            "add-note",
            format!("{base}/notes"),
            "append a signed note: a correction adds, it never edits",
        )
    } else {
        steps
    };
    let steps = if own && record.depth < MOST_DEPTH && record.status.may_delegate() {
        steps.post(
            Scope::RecordsWrite,
            "delegate",
            "/v1/records",
            "notarize a child of this record: send its id as parentRecordId",
        )
    } else {
        steps
    };
    steps
        .get(
            Scope::RecordsExport,
            "export",
            format!("{base}/audit-export"),
            "get a document that verifies offline",
        )
        .done()
}
