use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;

use crate::json;

/// The export document. Identifiers, hashes and statements are kept as text, exactly as they
/// stand in the file; [`verify`](crate::verify::verify) recomputes and compares each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bundle {
    /// [`FORMAT`](super::FORMAT).
    pub format: String,
    /// Issuer URL of the installation.
    pub issuer: String,
    /// UUID of the installation.
    pub installation_id: String,
    /// The installation's first statement.
    pub genesis: Sealed,
    /// JSON Web Keys: exactly those that signed something here, ascending by `kid`.
    pub keys: Vec<Value>,
    /// Complete chains, ascending by identifier.
    pub records: Vec<Chain>,
    /// The statement that pins which records are here and how long each is.
    pub export: Sealed,
}

impl Bundle {
    /// The document as it is served: canonical JSON (RFC 8785), no trailing newline.
    pub fn to_bytes(&self) -> Vec<u8> {
        let value = serde_json::to_value(self).expect("text and JSON values always serialise");
        json::canonical(&value)
    }
}

/// A statement with its body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// COSE_Sign1 in base64url.
    pub statement: String,
    /// The body whose hash is the payload.
    pub body: Value,
}

/// One record's chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    /// UUID of the record.
    pub id: String,
    /// All entries from position 0.
    pub entries: Vec<BundledEntry>,
}

/// One entry of a chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundledEntry {
    /// Position, from 0.
    pub position: u64,
    /// Entry hash in hexadecimal.
    pub hash: String,
    /// COSE_Sign1 in base64url.
    pub statement: String,
    /// The body, or null if it was erased.
    pub body: Value,
    /// Present and true if the body was erased.
    #[serde(default, skip_serializing_if = "is_false", deserialize_with = "only_true")]
    pub erased: bool,
}

/// Body of the export statement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportBody {
    /// [`KIND_EXPORT`](crate::body::KIND_EXPORT).
    pub kind: String,
    /// Salt in base64url.
    pub salt: String,
    /// UUID of the record that was asked for.
    pub root: String,
    /// RFC 3339 time; equals the statement's `iat`.
    pub exported_at: String,
    /// What the document holds, ascending by identifier.
    pub records: Vec<Coverage>,
}

/// How long one record was at the time of the export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// UUID of the record.
    pub id: String,
    /// Number of entries.
    pub size: u64,
    /// Hash of the last entry.
    pub head: String,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// A false that is spelled out would be a second form of the same document.
fn only_true<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match bool::deserialize(deserializer)? {
        true => Ok(true),
        false => Err(de::Error::custom("erased is true or absent")),
    }
}
