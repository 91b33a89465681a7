//! Stored answers, made small: an answer repeats what the vault holds anyway.
//!
//! The answer to an append consists mostly of the entry's statement and body. It is kept as a recipe
//! (see [`crate::recipe`]) or compressed against these, which never change, so that an idempotency
//! key costs the append path a few hundred bytes instead of several times the record.

use deed_chain::base64url;
use uuid::Uuid;

use crate::error::Error;
use crate::tx::Tx;
use crate::{recipe, rows};

/// Text that answers have in common. Part of the storage format: never change it.
const COMMON: &[u8] = br#"{"record":{"id":"","orgId":"","type":"","typeVersion":1,"status":"RECORDED","principalAgentId":"","rootRecordId":"","criteria":{},"createdAt":"","head":{"position":0,"hash":""}},"entry":{"position":0,"hash":"","previous":"","signedStatement":"","body":},"nextSteps":[{"action":"read","method":"GET","href":"/v1/records/","description":"read the record"},{"action":"entries","method":"GET","href":"/v1/records//entries","description":"read its signed entries"},{"action":"add-note","method":"POST","href":"/v1/records//notes","description":"append a signed note: a correction adds, it never edits"},{"action":"delegate","method":"POST","href":"/v1/records","description":"notarize a child of this record: send its id as parentRecordId"},{"action":"export","method":"GET","href":"/v1/records//audit-export","description":"get a document that verifies offline"}]}"#;

/// An answer as the database keeps it.
#[derive(Debug)]
pub(crate) struct Stored {
    /// A recipe or compressed if `entry` is there, otherwise the answer itself.
    pub(crate) bytes: Vec<u8>,
    /// The vault entry that it is made of.
    pub(crate) entry: Option<(Uuid, i64)>,
}

impl Stored {
    /// An answer about one entry.
    pub(crate) fn about(
        record: Uuid,
        position: i64,
        entry: &[u8],
        body: &[u8],
        answer: &[u8],
    ) -> Self {
        let bytes =
            lz4_flex::block::compress_prepend_size_with_dict(answer, &dictionary(entry, body));
        Self { bytes, entry: Some((record, position)) }
    }

    /// An answer about the first entry of a record, as its recipe.
    pub(crate) fn recipe(record: Uuid, recipe: Vec<u8>) -> Self {
        Self { bytes: recipe, entry: Some((record, 0)) }
    }

    /// An answer about several entries or none.
    pub(crate) fn plain(answer: &[u8]) -> Self {
        Self { bytes: answer.to_vec(), entry: None }
    }

    /// The answer, byte for byte.
    pub(crate) async fn open(self, tx: Tx<'_>) -> Result<Vec<u8>, Error> {
        let Some((record, position)) = self.entry else { return Ok(self.bytes) };
        let sql = "SELECT entry, body, hash, previous FROM vault_entries
                   WHERE record_id = $1 AND position = $2";
        let row = tx.client.query_opt(sql, &[&record, &position]).await?;
        let damaged = || Error::Damaged(format!("the answer about entry {position} of {record}"));
        let row = row.ok_or_else(damaged)?;
        let (entry, body) = (row.get(0), row.get(1));
        if self.bytes.starts_with(&recipe::MARK) {
            let (hash, previous) = (rows::hash(row.get(2))?, rows::hash(row.get(3))?);
            return recipe::make(&self.bytes, record, &hash, &previous, entry, body)
                .ok_or_else(damaged);
        }
        let dictionary = dictionary(entry, body);
        lz4_flex::block::decompress_size_prepended_with_dict(&self.bytes, &dictionary)
            .map_err(|_| damaged())
    }
}

fn dictionary(entry: &[u8], body: &[u8]) -> Vec<u8> {
    let statement = base64url::encode(entry);
    let mut all = Vec::with_capacity(COMMON.len() + statement.len() + body.len());
    all.extend_from_slice(COMMON);
    all.extend_from_slice(statement.as_bytes());
    all.extend_from_slice(body);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_shrinks_and_comes_back_byte_for_byte() {
        let (entry, body) = (vec![7; 400], br#"{"criteria":{"summary":"x"},"kind":"k"}"#.to_vec());
        let text = format!(
            r#"{{"entry":{{"signedStatement":"{}","body":{}}}}}"#,
            base64url::encode(&entry),
            String::from_utf8_lossy(&body)
        );
        let stored = Stored::about(Uuid::nil(), 0, &entry, &body, text.as_bytes());
        assert!(stored.bytes.len() < text.len() / 4);
        let opened = lz4_flex::block::decompress_size_prepended_with_dict(
            &stored.bytes,
            &dictionary(&entry, &body),
        );
        assert_eq!(opened.expect("it was just compressed"), text.as_bytes());
    }
}
