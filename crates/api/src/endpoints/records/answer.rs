//! The answer of a notarization, written in one pass together with the recipe that a retry gets it
//! from. It has the shape of [`WrittenView`](super::view::WrittenView), which documents it.

use deed_store::recipe::{Answer, Phrase};
use deed_store::records::MOST_DEPTH;

use super::prepare::Prepared;
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

/// The answer to one notarization, with the next steps of `caller`; and its recipe.
pub(super) fn written(prepared: &Prepared, caller: &Caller) -> (Vec<u8>, Vec<u8>) {
    let new = &prepared.new;
    let record = &new.record;
    let mut answer =
        Answer::about(record.id, &record.head_hash, &new.previous, &new.entry, &new.body);
    answer.literal(b"{");
    write_members(&mut answer, prepared);
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

fn write_members(answer: &mut Answer<'_>, prepared: &Prepared) {
    let record = &prepared.new.record;
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
    if record.root_id == record.id { answer.id() } else { answer.uuid(record.root_id) }
    answer.literal(b"\"");
    if let Some(references) = &prepared.parts.references {
        answer.phrase(Phrase::References);
        answer.body(references.clone());
    }
    answer.phrase(Phrase::Criteria);
    answer.body(prepared.parts.criteria.clone());
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
    answer.body(0..prepared.new.body.len());
    answer.literal(b"}");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use chrono::DateTime;
    use deed_chain::hash::Hash;
    use deed_store::access::{ApiKey, Role};
    use deed_store::append::NewRecord;
    use deed_store::records::{Record, Status};
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;
    use crate::auth::PROFILES;
    use crate::endpoints::records::first_body::Parts;

    fn record(depth: i16) -> Record {
        Record {
            id: Uuid::from_u128(1),
            org_id: Uuid::from_u128(2),
            type_name: "a-type".to_owned(),
            type_version: 12,
            status: Status::Recorded,
            principal_agent_id: (depth > 0).then(|| Uuid::from_u128(3)),
            requested_by: (depth > 0).then(|| "the \"board\"\n".to_owned()),
            created_by: Uuid::from_u128(4),
            parent_id: (depth > 0).then(|| Uuid::from_u128(5)),
            root_id: Uuid::from_u128(if depth > 0 { 6 } else { 1 }),
            depth,
            created_at: DateTime::from_timestamp_millis(1_700_000_000_001).unwrap(),
            head_position: 0,
            head_hash: Hash([7; 32]),
        }
    }

    fn prepared(depth: i16) -> Prepared {
        let body = br#"{"criteria":{"a":[1,"x"]},"references":{"k":"v"}}"#.to_vec();
        let references = (depth > 0).then_some(39..48);
        let new = NewRecord {
            record: record(depth),
            references: Vec::new(),
            previous: Hash([8; 32]),
            entry: vec![9; 33],
            body,
            event: "record.recorded",
        };
        Prepared { new, parts: Parts { criteria: 12..25, references } }
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
                let (prepared, caller) = (prepared(depth), caller(profile.name));
                let (text, _) = written(&prepared, &caller);
                let mut body = prepared.body();
                if depth == 0 {
                    body.as_object_mut().unwrap().remove("references");
                }
                let mut view = prepared.view(&body);
                view.next_steps = Some(view::next_steps(&caller, &prepared.new.record));
                let mut expected = serde_json::to_value(view).unwrap();
                expected["entry"]["body"] = prepared.body();
                let found: Value = serde_json::from_slice(&text).unwrap();
                assert_eq!(found, expected, "depth {depth}, {}", profile.name);
            }
        }
        assert_eq!(prepared(1).body()["references"], json!({"k": "v"}));
    }
}
