//! Vault checkpoints: signed statements of how long a record's chain was and how it ended. A copy that
//! is out of the operator's reach shows later that a tail was cut off or a chain written anew.
//!
//! A checkpoint has the form of an entry without a place in a chain; its subject is the record.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    body,
    entry::{Claims, Unsigned},
    hash::Hash,
    key::Thumbprint,
};

/// The state of one chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The record.
    pub record: Uuid,
    /// Number of entries, at least 1.
    pub size: u64,
    /// Hash of the last of them.
    pub head: Hash,
}

impl Checkpoint {
    /// The body, with fresh random bytes as its salt.
    pub fn body(&self, salt: &[u8; body::SALT_LENGTH]) -> Value {
        let mut fields = Map::new();
        let state = json!({ "recordId": self.record, "size": self.size, "head": self.head });
        fields.insert("checkpoint".to_owned(), state);
        body::salted(body::KIND_CHECKPOINT, salt, fields)
    }

    /// What a body says, if it is exactly that of a checkpoint.
    #[must_use]
    pub fn of_body(body: &Value) -> Option<Self> {
        let members = body.as_object().filter(|members| members.len() == 3)?;
        let kind = members.get("kind")?.as_str()?;
        let state = members.get("checkpoint")?.as_object().filter(|state| state.len() == 3)?;
        let record = state.get("recordId")?.as_str()?;
        let id = Uuid::try_parse(record).ok().filter(|id| id.to_string() == record)?;
        let size = state.get("size")?.as_u64().filter(|size| *size > 0)?;
        let head = state.get("head")?.as_str()?.parse().ok()?;
        (kind == body::KIND_CHECKPOINT).then_some(Self { record: id, size, head })
    }

    /// The statement to sign by the key `kid` at `issued_at` (seconds since 1970), and its canonical
    /// body.
    pub fn unsigned(
        &self,
        issuer: &str,
        kid: &Thumbprint,
        issued_at: i64,
        salt: &[u8; body::SALT_LENGTH],
    ) -> (Unsigned, Vec<u8>) {
        let (canonical, hash) = body::body_hash(&self.body(salt));
        let claims =
            Claims { issuer: issuer.to_owned(), subject: self.record, issued_at, link: None };
        (Unsigned::new(&claims, kid, &hash), canonical)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_says_what_the_chain_was() {
        let checkpoint = Checkpoint { record: Uuid::from_u128(1), size: 3, head: Hash([2; 32]) };
        let kid = Thumbprint([3; 32]);
        let (_, canonical) = checkpoint.unsigned("https://x.example", &kid, 7, &[4; 16]);
        let text = String::from_utf8(canonical).expect("JSON is UTF-8");
        let head = "02".repeat(32);
        assert_eq!(
            text,
            format!(
                r#"{{"checkpoint":{{"head":"{head}","recordId":"00000000-0000-0000-0000-000000000001","size":3}},"kind":"checkpoint","salt":"BAQEBAQEBAQEBAQEBAQEBA"}}"#
            )
        );
        let body = crate::json::parse(text.as_bytes(), 8).expect("canonical JSON");
        assert_eq!(Checkpoint::of_body(&body), Some(checkpoint));
        for (member, other) in [("size", "0"), ("size", "-1"), ("head", "\"ab\""), ("more", "1")] {
            let mut body = body.clone();
            let state = body["checkpoint"].as_object_mut().expect("an object");
            state.insert(member.to_owned(), serde_json::from_str(other).expect("JSON"));
            assert_eq!(Checkpoint::of_body(&body), None, "{member}: {other}");
        }
    }
}
