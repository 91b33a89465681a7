//! Sets of public keys, as published under `/.well-known/` and pinned by whoever verifies.

use std::collections::BTreeMap;

use coset::{CborSerializable as _, CoseKeySet};
use serde_json::{Value, json};

use crate::{
    json::{self, JsonError},
    key::{KeyError, PublicKey, Thumbprint},
};

/// Most keys that one document may hold.
pub const MAX_KEYS: usize = 1024;
/// Deepest nesting of a JWK Set document.
const MAX_DEPTH: usize = 16;

/// Public keys by thumbprint, in the order of their `kid` text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet(BTreeMap<String, PublicKey>);

/// Why a document is not a usable key set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Neither JSON nor CBOR that could be a key set.
    #[error("not a JWK Set, a JWK or a COSE Key Set")]
    Form,
    /// Unacceptable JSON.
    #[error("not a JWK Set: {0}")]
    Json(#[from] JsonError),
    /// Not a COSE Key Set.
    #[error("not a COSE Key Set: {0}")]
    Cose(String),
    /// One key is not acceptable.
    #[error("key {index}: {error}")]
    Key {
        /// Which one, from 0.
        index: usize,
        /// Why.
        error: KeyError,
    },
    /// The same key twice.
    #[error("key {0} occurs twice")]
    Repeated(String),
    /// No key, or more than [`MAX_KEYS`].
    #[error("a key set holds between 1 and {MAX_KEYS} keys, this one {0}")]
    Size(usize),
}

impl KeySet {
    /// The key with this thumbprint.
    pub fn get(&self, thumbprint: &Thumbprint) -> Option<&PublicKey> {
        self.0.get(&thumbprint.kid())
    }

    /// Whether the set holds the key with this thumbprint.
    pub fn contains(&self, thumbprint: &Thumbprint) -> bool {
        self.get(thumbprint).is_some()
    }

    /// Adds a key; `false` if it was there.
    pub fn insert(&mut self, key: PublicKey) -> bool {
        self.0.insert(key.thumbprint().kid(), key).is_none()
    }

    /// All keys in the order of their `kid`.
    pub fn iter(&self) -> impl Iterator<Item = &PublicKey> {
        self.0.values()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The JWK Set (RFC 7517 section 5).
    pub fn to_jwk_set(&self) -> Value {
        json!({ "keys": self.iter().map(PublicKey::to_jwk).collect::<Vec<_>>() })
    }

    /// The COSE Key Set (RFC 9052 section 7), deterministically encoded.
    pub fn to_cose_key_set(&self) -> Vec<u8> {
        let keys = self.iter().map(PublicKey::to_cose_key).collect();
        CoseKeySet(keys).to_vec().expect("integers and byte strings always encode")
    }

    /// Reads a JWK Set or a single JWK (JSON), or a COSE Key Set (CBOR).
    ///
    /// The whole document is refused if any key in it is unusable, weak, repeated, private, or
    /// has a `kid` that is not its thumbprint. The caller bounds the size of `bytes`.
    ///
    /// # Errors
    /// [`KeySetError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, KeySetError> {
        let text = bytes.trim_ascii_start();
        match text.first() {
            Some(b'{') => Self::from_json(&json::parse(text, MAX_DEPTH)?),
            Some(0x80..=0x9f) => Self::from_cose(bytes),
            _ => Err(KeySetError::Form),
        }
    }

    fn from_json(document: &Value) -> Result<Self, KeySetError> {
        match document.get("keys") {
            Some(Value::Array(keys)) => Self::collect(keys.iter().map(PublicKey::from_jwk)),
            Some(_) => Err(KeySetError::Form),
            None => Self::collect([PublicKey::from_jwk(document)].into_iter()),
        }
    }

    fn from_cose(bytes: &[u8]) -> Result<Self, KeySetError> {
        let set = CoseKeySet::from_slice(bytes).map_err(|e| KeySetError::Cose(e.to_string()))?;
        Self::collect(set.0.iter().map(PublicKey::from_cose_key))
    }

    fn collect(
        keys: impl ExactSizeIterator<Item = Result<PublicKey, KeyError>>,
    ) -> Result<Self, KeySetError> {
        if !(1..=MAX_KEYS).contains(&keys.len()) {
            return Err(KeySetError::Size(keys.len()));
        }
        let mut set = Self::default();
        for (index, key) in keys.enumerate() {
            let key = key.map_err(|error| KeySetError::Key { index, error })?;
            let kid = key.thumbprint().kid();
            if !set.insert(key) {
                return Err(KeySetError::Repeated(kid));
            }
        }
        Ok(set)
    }
}

impl FromIterator<PublicKey> for KeySet {
    fn from_iter<I: IntoIterator<Item = PublicKey>>(keys: I) -> Self {
        let mut set = Self::default();
        for key in keys {
            set.insert(key);
        }
        set
    }
}
