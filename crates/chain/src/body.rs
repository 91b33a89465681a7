//! Bodies: the JSON a statement is about.

use serde_json::{Map, Value};

use crate::{
    base64url,
    hash::{Hash, sha256},
    json,
};

/// Deepest nesting of a body, itself included: an export nests it five levels further down.
pub const MAX_DEPTH: usize = 56;
/// Length of a salt in bytes.
pub const SALT_LENGTH: usize = 16;

/// `kind` of an installation's first statement.
pub const KIND_GENESIS: &str = "genesis";
/// `kind` of the statement that closes an export.
pub const KIND_EXPORT: &str = "export";
/// `kind` of a vault checkpoint, see [`crate::checkpoint`].
pub const KIND_CHECKPOINT: &str = "checkpoint";
/// `kind` of an entry that records the erasure of an earlier body of the same record; its
/// `position` member says which.
pub const KIND_BODY_ERASED: &str = "body.erased";

/// Makes a body of `fields`, its `kind` and its salt: 16 fresh random bytes, without which the
/// hash of a guessable body would give the body away. `kind` and `salt` among `fields` are
/// overwritten.
pub fn salted(kind: &str, salt: &[u8; SALT_LENGTH], mut fields: Map<String, Value>) -> Value {
    fields.insert("kind".to_owned(), kind.into());
    fields.insert("salt".to_owned(), base64url::encode(salt).into());
    Value::Object(fields)
}

/// The canonical form (RFC 8785) of `body`, and its SHA-256: the payload of the statement.
pub fn body_hash(body: &Value) -> (Vec<u8>, Hash) {
    let bytes = json::canonical(body);
    let hash = sha256(&bytes);
    (bytes, hash)
}
