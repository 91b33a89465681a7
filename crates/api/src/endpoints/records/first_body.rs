//! The body of a record's first entry, written in canonical form (RFC 8785) straight away.
//!
//! Its members are known and few, so they are written in their canonical order instead of being
//! collected in a tree that would then be sorted, written and taken down again.

use std::collections::BTreeMap;
use std::ops::Range;

use deed_chain::{base64url, json};
use deed_notify::EventType;
use deed_store::random;
use deed_store::records::Record;
use serde_json::Value;
use uuid::Uuid;

use super::view;
use crate::cache::LoadedType;

/// Where parts of a body lie in its canonical form.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) criteria: Range<usize>,
    pub(crate) references: Option<Range<usize>>,
}

/// What a first entry says beside criteria and references.
pub(super) struct FirstBody<'a> {
    pub(super) record: &'a Record,
    pub(super) loaded: &'a LoadedType,
    pub(super) parent: Option<&'a Record>,
}

impl FirstBody<'_> {
    /// Everything that is signed of a record at its creation, with a fresh salt.
    pub(super) fn write(
        &self,
        criteria: &Value,
        references: &BTreeMap<String, String>,
    ) -> (Vec<u8>, Parts) {
        let mut out = Vec::with_capacity(2048);
        out.extend_from_slice(br#"{"criteria":"#);
        let from = out.len();
        json::write_value(criteria, &mut out);
        let criteria = from..out.len();
        out.extend_from_slice(br#","kind":""#);
        out.extend_from_slice(event(self.record).as_str().as_bytes());
        out.push(b'"');
        if let Some(parent) = self.parent {
            out.extend_from_slice(br#","parent":{"entryHash":""#);
            out.extend_from_slice(parent.head_hash.to_string().as_bytes());
            out.extend_from_slice(br#"","recordId":""#);
            uuid(parent.id, &mut out);
            out.extend_from_slice(br#""}"#);
        }
        self.write_record(&mut out);
        let references = (!references.is_empty()).then(|| {
            out.extend_from_slice(br#","references":"#);
            let from = out.len();
            write_references(references, &mut out);
            from..out.len()
        });
        out.extend_from_slice(br#","salt":""#);
        out.extend_from_slice(base64url::encode(random::pooled::<16>()).as_bytes());
        out.extend_from_slice(br#""}"#);
        debug_assert!(is_canonical(&out), "{}", String::from_utf8_lossy(&out));
        (out, Parts { criteria, references })
    }

    fn write_record(&self, out: &mut Vec<u8>) {
        let (record, definition) = (self.record, &self.loaded.definition);
        out.extend_from_slice(br#","record":{"createdAt":""#);
        out.extend_from_slice(view::time(record.created_at).as_bytes());
        out.extend_from_slice(br#"","createdBy":""#);
        uuid(record.created_by, out);
        if let Some(deadline) = record.deadline {
            out.extend_from_slice(br#"","deadline":""#);
            out.extend_from_slice(view::time(deadline).as_bytes());
        }
        out.extend_from_slice(br#"","id":""#);
        uuid(record.id, out);
        out.push(b'"');
        if let Some(limits) = &record.limits {
            out.extend_from_slice(br#","limits":"#);
            out.extend_from_slice(limits.as_bytes());
        }
        out.extend_from_slice(br#","orgId":""#);
        uuid(record.org_id, out);
        let work = record.work.as_ref();
        if let Some(performer) = work.and_then(|work| work.performer_agent_id) {
            out.extend_from_slice(br#"","performerAgentId":""#);
            uuid(performer, out);
        }
        if let Some(agent) = record.principal_agent_id {
            out.extend_from_slice(br#"","principalAgentId":""#);
            uuid(agent, out);
        }
        out.push(b'"');
        if let Some(requested_by) = &record.requested_by {
            out.extend_from_slice(br#","requestedBy":"#);
            json::write_string(requested_by, out);
        }
        out.extend_from_slice(br#","status":""#);
        out.extend_from_slice(record.status.as_str().as_bytes());
        out.extend_from_slice(br#"","type":"#);
        json::write_string(&definition.name, out);
        out.extend_from_slice(br#","typeDigest":""#);
        out.extend_from_slice(definition.digest.to_string().as_bytes());
        out.extend_from_slice(br#"","typeVersion":"#);
        out.extend_from_slice(definition.version.to_string().as_bytes());
        if let Some(work) = work {
            out.extend_from_slice(br#","verdictMode":""#);
            out.extend_from_slice(work.mode.as_str().as_bytes());
            out.push(b'"');
        }
        out.push(b'}');
    }
}

/// The event that a record's creation causes, by whose name its first entry is called.
pub(super) fn event(record: &Record) -> EventType {
    if record.work.is_some() { EventType::RecordCreated } else { EventType::RecordRecorded }
}

fn uuid(id: Uuid, out: &mut Vec<u8>) {
    out.extend_from_slice(id.hyphenated().encode_lower(&mut [0; 36]).as_bytes());
}

/// Reference keys are ASCII, so the map's order is the canonical one.
fn write_references(references: &BTreeMap<String, String>, out: &mut Vec<u8>) {
    let mut separator = b'{';
    for (key, value) in references {
        out.push(separator);
        json::write_string(key, out);
        out.push(b':');
        json::write_string(value, out);
        separator = b',';
    }
    out.push(b'}');
}

fn is_canonical(body: &[u8]) -> bool {
    json::parse(body, json::MAX_DEPTH).is_ok_and(|value| json::canonical(&value) == body)
}
