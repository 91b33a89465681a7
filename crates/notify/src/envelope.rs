//! The form in which events are told: plain (the payload of Standard Webhooks) and CloudEvents 1.0.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// One event, as everyone who may see it sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Stable and unique: whoever gets it twice recognises it by this.
    pub id: Uuid,
    /// Name of its type: [`crate::EventType::as_str`], or of a type that only a newer version knows.
    pub kind: String,
    /// When the transaction began that caused it, by the database's clock.
    pub timestamp: DateTime<Utc>,
    /// Whose event it is; `None` is the server's own.
    pub org_id: Option<Uuid>,
    /// The record that it is about.
    pub record_id: Option<Uuid>,
    /// Position of the record's entry that it tells of.
    pub position: Option<i64>,
    /// By the schema of its type.
    pub data: Value,
}

impl Event {
    /// As plain JSON: `type`, `timestamp` and `data` are where Standard Webhooks wants them.
    #[must_use]
    pub fn plain(&self) -> Value {
        let mut event = Map::new();
        event.insert("id".to_owned(), json!(self.id));
        event.insert("type".to_owned(), self.kind.clone().into());
        event.insert("timestamp".to_owned(), self.time().into());
        let mut optional = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                event.insert(name.to_owned(), value);
            }
        };
        optional("orgId", self.org_id.map(|id| json!(id)));
        optional("recordId", self.record_id.map(|id| json!(id)));
        optional("position", self.position.map(Value::from));
        event.insert("data".to_owned(), self.data.clone());
        Value::Object(event)
    }

    /// In the structured mode of CloudEvents 1.0 (`application/cloudevents+json`). `source` is the
    /// server's issuer URL; the organisation and the position are extension attributes.
    #[must_use]
    pub fn cloud_event(&self, source: &str) -> Value {
        let mut event = Map::new();
        event.insert("specversion".to_owned(), "1.0".into());
        event.insert("id".to_owned(), json!(self.id));
        event.insert("source".to_owned(), source.into());
        event.insert("type".to_owned(), self.kind.clone().into());
        event.insert("time".to_owned(), self.time().into());
        event.insert("datacontenttype".to_owned(), "application/json".into());
        if let Some(record) = self.record_id {
            event.insert("subject".to_owned(), json!(record));
        }
        if let Some(org) = self.org_id {
            event.insert("orgid".to_owned(), json!(org));
        }
        // An Integer of CloudEvents has 32 bits; a position may have more.
        if let Some(position) = self.position {
            event.insert("entryposition".to_owned(), position.to_string().into());
        }
        event.insert("data".to_owned(), self.data.clone());
        Value::Object(event)
    }

    fn time(&self) -> String {
        self.timestamp.to_rfc3339_opts(SecondsFormat::Millis, true)
    }
}

/// The id of the event with this sequence number: a UUIDv8 (RFC 9562) of a keyed hash, so that it tells
/// nobody how many events the server has seen. `key` is the installation's own and never leaves it.
#[must_use]
pub fn event_id(key: &[u8; 32], seq: i64) -> Uuid {
    let digest = Sha256::new()
        .chain_update(key)
        .chain_update(b"deed event id v1")
        .chain_update(seq.to_be_bytes())
        .finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
