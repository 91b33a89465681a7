//! The answer of a notarization, written in one pass together with the recipe that a retry gets it
//! from. It has the shape of [`WrittenView`](super::view::WrittenView), which documents it.

use deed_store::append::NewRecord;
use deed_store::recipe::{Answer, Phrase};
use deed_store::records::{MOST_DEPTH, Record};

use super::first_body::Parts;
use super::view;
use crate::auth::{Caller, Scope};

/// Scope, text before the record's id, and text after it.
type Step = (Scope, Phrase, Option<Phrase>);

/// What may follow a notarization, as [`view::next_steps`] has it.
const STEPS: [Step; 5] = [
    (Scope::RecordsRead, Phrase::Read, Some(Phrase::ReadEnd)),
    (Scope::RecordsRead, Phrase::Entries, Some(Phrase::EntriesEnd)),
    (Scope::RecordsWrite, Phrase::AddNote, Some(Phrase::AddNoteEnd)),
    (Scope::RecordsWrite, Phrase::Delegate, None),
    (Scope::RecordsExport, Phrase::Export, Some(Phrase::ExportEnd)),
];

/// Whether a record has nothing but what a notarization gives it: no work, no limit, no deadline.
pub(super) fn is_plain(record: &Record) -> bool {
    record.work.is_none() && record.limits.is_none() && record.deadline.is_none()
}

/// The answer to one notarization of a plain record, with the next steps of `caller`; and its recipe.
pub(super) fn written(new: &NewRecord, parts: &Parts, caller: &Caller) -> (Vec<u8>, Vec<u8>) {
    let record = &new.record;
    let mut answer =
        Answer::about(record.id, &record.head_hash, &new.previous, &new.entry, &new.body);
    answer.literal(b"{");
    write_members(&mut answer, new, parts);
    answer.phrase(Phrase::NextSteps);
    let mut first = true;
    for (scope, before, after) in STEPS {
        let too_deep = before == Phrase::Delegate && record.depth >= MOST_DEPTH;
        if too_deep || !caller.may(scope) {
            continue;
        }
        if !first {
            answer.literal(b",");
        }
        first = false;
        answer.phrase(before);
        if let Some(after) = after {
            answer.id();
            answer.phrase(after);
        }
    }
    answer.literal(b"]}");
    answer.done()
}

fn write_members(answer: &mut Answer<'_>, new: &NewRecord, parts: &Parts) {
    let record = &new.record;
    answer.phrase(Phrase::RecordId);
    answer.id();
    answer.phrase(Phrase::OrgId);
    answer.uuid(record.org_id);
    answer.phrase(Phrase::Type);
    answer.string(&record.type_name);
    answer.phrase(Phrase::TypeVersion);
    answer.literal(record.type_version.to_string().as_bytes());
    answer.phrase(Phrase::StatusRecorded);
    if let Some(agent) = record.principal_agent_id {
        answer.phrase(Phrase::PrincipalAgentId);
        answer.uuid(agent);
        answer.literal(b"\"");
    }
    if let Some(requested_by) = &record.requested_by {
        answer.phrase(Phrase::RequestedBy);
        answer.string(requested_by);
    }
    if let Some(parent) = record.parent_id {
        answer.phrase(Phrase::ParentRecordId);
        answer.uuid(parent);
        answer.literal(b"\"");
    }
    answer.phrase(Phrase::RootRecordId);
    if record.root_id == record.id {
        answer.id()
    } else {
        answer.uuid(record.root_id)
    }
    answer.literal(b"\"");
    if let Some(references) = &parts.references {
        answer.phrase(Phrase::References);
        answer.body(references.clone());
    }
    answer.phrase(Phrase::Criteria);
    answer.body(parts.criteria.clone());
    answer.phrase(Phrase::CreatedAt);
    answer.literal(view::time(record.created_at).as_bytes());
    answer.phrase(Phrase::FirstHead);
    answer.hash();
    answer.phrase(Phrase::FirstEntry);
    answer.hash();
    answer.phrase(Phrase::Previous);
    answer.previous();
    answer.phrase(Phrase::SignedStatement);
    answer.statement();
    answer.phrase(Phrase::Body);
    answer.body(0..new.body.len());
    answer.literal(b"}");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use chrono::DateTime;
    use deed_chain::base64url;
    use deed_chain::hash::Hash;
    use deed_lifecycle::State;
    use deed_notify::EventType;
    use deed_store::access::{ApiKey, Role};
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;
    use crate::auth::PROFILES;
    use crate::endpoints::records::view::{EntryView, RecordView, WrittenView};

    fn record(depth: i16) -> Record {
        Record {
            id: Uuid::from_u128(1),
            org_id: Uuid::from_u128(2),
            type_name: "a-type".to_owned(),
            type_version: 12,
            status: State::Recorded,
            principal_agent_id: (depth > 0).then(|| Uuid::from_u128(3)),
            requested_by: (depth > 0).then(|| "the \"board\"\n".to_owned()),
            created_by: Uuid::from_u128(4),
            parent_id: (depth > 0).then(|| Uuid::from_u128(5)),
            root_id: Uuid::from_u128(if depth > 0 { 6 } else { 1 }),
            depth,
            created_at: DateTime::from_timestamp_millis(1_700_000_000_001).unwrap(),
            head_position: 0,
            head_hash: Hash([7; 32]),
            deadline: None,
            limits: None,
            work: None,
        }
    }

    fn prepared(depth: i16) -> (NewRecord, Parts) {
        let body = br#"{"criteria":{"a":[1,"x"]},"references":{"k":"v"}}"#.to_vec();
        let references = (depth > 0).then_some(39..48);
        let new = NewRecord {
            record: record(depth),
            references: Vec::new(),
            previous: Hash([8; 32]),
            entry: vec![9; 33],
            body,
            event: EventType::RecordRecorded,
        };
        (new, Parts { criteria: 12..25, references })
    }

    fn caller(profile: &str) -> Caller {
        Caller::of(Arc::new(ApiKey {
            id: Uuid::from_u128(4),
            role: Role::Agent,
            org_id: Some(Uuid::from_u128(2)),
            agent_id: Some(Uuid::from_u128(3)),
            label: String::new(),
            scope_profile: profile.to_owned(),
            hint: String::new(),
            created_at: DateTime::from_timestamp_millis(0).unwrap(),
            expires_at: None,
            revoked_at: None,
            replaced_by: None,
        }))
    }

    #[test]
    fn it_says_what_the_documented_view_says() {
        for depth in [0, 1, MOST_DEPTH] {
            for profile in PROFILES {
                let ((new, parts), caller) = (prepared(depth), caller(profile.name));
                let body: Value = serde_json::from_slice(&new.body).unwrap();
                let mut shown = body.clone();
                if parts.references.is_none() {
                    shown.as_object_mut().unwrap().remove("references");
                }
                let entry = EntryView {
                    position: 0,
                    hash: new.record.head_hash,
                    previous: new.previous,
                    signed_statement: base64url::encode(&new.entry),
                    body: &body,
                };
                let view = WrittenView {
                    record: RecordView::full(&new.record, &shown),
                    entry,
                    next_steps: Some(view::next_steps(&caller, &new.record)),
                };
                let expected = serde_json::to_value(view).unwrap();
                let found: Value =
                    serde_json::from_slice(&written(&new, &parts, &caller).0).unwrap();
                assert_eq!(found, expected, "depth {depth}, {}", profile.name);
                assert_eq!(body["references"], json!({"k": "v"}));
            }
        }
    }
}
