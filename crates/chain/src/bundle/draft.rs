use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::{
    Bundle, BundledEntry, Chain, Coverage, ExportBody, FORMAT, MAX_ENTRIES, MAX_RECORDS, Sealed,
};
use crate::{
    base64url,
    body::{self, SALT_LENGTH},
    entry::{Claims, Entry, EntryError, Unsigned},
    key::Thumbprint,
    key_set::KeySet,
    time,
};

/// An entry as it is stored: its statement and its body, `None` if that was erased.
pub type Stored = (Entry, Option<Value>);

/// A record with all its entries from position 0.
pub type Record = (Uuid, Vec<Stored>);

/// An export document that lacks only its export statement.
#[derive(Debug, Clone)]
pub struct Draft {
    issuer: String,
    installation_id: Uuid,
    genesis: Sealed,
    records: BTreeMap<Uuid, Vec<Stored>>,
    root: Uuid,
}

/// Why a document cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// More than [`MAX_RECORDS`] or [`MAX_ENTRIES`].
    #[error("too much for one document: {records} records, {entries} entries")]
    TooLarge {
        /// How many records there are.
        records: usize,
        /// How many entries there are.
        entries: usize,
    },
    /// The root record is not among the records, or a record is repeated or has no entry.
    #[error("record {0} is missing, repeated or empty")]
    Record(Uuid),
    /// A stored statement cannot be read.
    #[error("entry {position} of record {record}: {error}")]
    Entry {
        /// The record.
        record: Uuid,
        /// The position.
        position: usize,
        /// Why.
        error: EntryError,
    },
    /// The genesis or export statement cannot be read.
    #[error("{0}")]
    Statement(#[from] EntryError),
    /// A statement is signed by a key that is not in the key set.
    #[error("key {0} is not in the key set")]
    UnknownKey(Thumbprint),
    /// The time cannot be written.
    #[error("time out of range")]
    Time,
}

impl Draft {
    /// Gathers the material. `root` is the record that was asked for; `records` has it and all
    /// descendants that the document covers, in any order.
    ///
    /// # Errors
    /// [`BuildError::TooLarge`] and [`BuildError::Record`].
    pub fn new(
        issuer: &str,
        installation_id: Uuid,
        genesis: (&Entry, Value),
        root: Uuid,
        records: Vec<Record>,
    ) -> Result<Self, BuildError> {
        let entries = records.iter().map(|(_, entries)| entries.len()).sum();
        if records.len() > MAX_RECORDS || entries > MAX_ENTRIES {
            return Err(BuildError::TooLarge { records: records.len(), entries });
        }
        let mut by_id = BTreeMap::new();
        for (id, entries) in records {
            if entries.is_empty() || by_id.insert(id, entries).is_some() {
                return Err(BuildError::Record(id));
            }
        }
        if !by_id.contains_key(&root) {
            return Err(BuildError::Record(root));
        }
        Ok(Self {
            issuer: issuer.to_owned(),
            installation_id,
            genesis: seal(genesis.0, genesis.1),
            records: by_id,
            root,
        })
    }

    /// The export statement to sign by the key with thumbprint `kid`, and its body. `exported_at`
    /// is in seconds since 1970; `salt` is 16 fresh random bytes.
    ///
    /// # Errors
    /// [`BuildError::Time`].
    pub fn export_statement(
        &self,
        kid: &Thumbprint,
        exported_at: i64,
        salt: &[u8; SALT_LENGTH],
    ) -> Result<(Unsigned, Value), BuildError> {
        let records = self.records.iter().filter_map(|(id, entries)| {
            let (head, _) = entries.last()?;
            let (size, head) = (entries.len() as u64, head.hash().to_string());
            Some(Coverage { id: id.to_string(), size, head })
        });
        let body = ExportBody {
            kind: body::KIND_EXPORT.to_owned(),
            salt: base64url::encode(salt),
            root: self.root.to_string(),
            exported_at: time::rfc3339(exported_at).ok_or(BuildError::Time)?,
            records: records.collect(),
        };
        let body = serde_json::to_value(body).expect("text and integers always serialise");
        let claims = Claims {
            issuer: self.issuer.clone(),
            subject: self.root,
            issued_at: exported_at,
            link: None,
        };
        Ok((Unsigned::new(&claims, kid, &body::body_hash(&body).1), body))
    }

    /// The document with its signed export statement. `known` must hold every key that signed
    /// one of the statements; the document lists those that did.
    ///
    /// # Errors
    /// [`BuildError::Entry`], [`BuildError::Statement`] and [`BuildError::UnknownKey`].
    pub fn finish(self, export: (&Entry, Value), known: &KeySet) -> Result<Bundle, BuildError> {
        let mut keys = KeySet::default();
        let mut used = |statement: &Entry| {
            let kid = statement.decode()?.kid;
            let key = known.get(&kid).ok_or(BuildError::UnknownKey(kid))?;
            keys.insert(key.clone());
            Ok(())
        };
        let genesis = Entry::from_base64url(&self.genesis.statement).expect("encoded above");
        used(&genesis)?;
        used(export.0)?;
        for (record, entries) in &self.records {
            for (position, (entry, _)) in entries.iter().enumerate() {
                used(entry).map_err(|problem| match problem {
                    BuildError::Statement(error) => {
                        BuildError::Entry { record: *record, position, error }
                    }
                    other => other,
                })?;
            }
        }
        Ok(Bundle {
            format: FORMAT.to_owned(),
            issuer: self.issuer,
            installation_id: self.installation_id.to_string(),
            genesis: self.genesis,
            keys: keys.iter().map(crate::key::PublicKey::to_jwk).collect(),
            records: self.records.into_iter().map(chain).collect(),
            export: seal(export.0, export.1),
        })
    }
}

fn seal(statement: &Entry, body: Value) -> Sealed {
    Sealed { statement: statement.to_base64url(), body }
}

fn chain((id, entries): Record) -> Chain {
    let entries = entries.into_iter().enumerate().map(|(position, (entry, body))| BundledEntry {
        position: position as u64,
        hash: entry.hash().to_string(),
        statement: entry.to_base64url(),
        erased: body.is_none(),
        body: body.unwrap_or(Value::Null),
    });
    Chain { id: id.to_string(), entries: entries.collect() }
}
