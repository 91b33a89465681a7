//! Statements: COSE_Sign1 (RFC 9052) over the hash of a body.
//!
//! A statement with a [`Link`] is an entry of a chain; one without is an export statement. The
//! encoding is deterministic CBOR with one fixed set of labels, so that every statement has
//! exactly one encoding and [`decode`] accepts no other.

mod decode;
mod encode;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

pub use decode::{CborError, Decoded, EntryError, decode};
pub use encode::Unsigned;

use crate::{
    base64url,
    hash::{Hash, leaf_hash},
};

/// Greatest length of an issuer in bytes that [`decode`] accepts.
pub const MAX_ISSUER_LENGTH: usize = 2048;

/// What a statement claims, apart from its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The installation's issuer URL, 1 to [`MAX_ISSUER_LENGTH`] bytes.
    pub issuer: String,
    /// The record (or, for a genesis statement, the installation).
    pub subject: Uuid,
    /// Seconds since 1970.
    pub issued_at: i64,
    /// The place in the record's chain; `None` for an export statement.
    pub link: Option<Link>,
}

/// An entry's place in its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Position, from 0 and without gaps.
    pub position: u64,
    /// Hash of the entry before; at position 0 the hash of the genesis statement.
    pub previous: Hash,
    /// Count of database promotions noticed; never decreases along a chain.
    pub epoch: u64,
}

/// An encoded statement. Bytes of any origin may be held; [`decode`] judges them.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    bytes: Vec<u8>,
}

impl Entry {
    /// Holds `bytes` without looking at them.
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// Reads base64url without padding; `None` if it is not.
    pub fn from_base64url(text: &str) -> Option<Self> {
        base64url::decode(text).map(Self::from_bytes)
    }

    /// The encoded statement.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Gives the bytes away.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The encoded statement in base64url without padding, as JSON carries it.
    pub fn to_base64url(&self) -> String {
        base64url::encode(&self.bytes)
    }

    /// SHA-256(0x00 || bytes), the leaf hash of RFC 9162 section 2.1.1.
    pub fn hash(&self) -> Hash {
        leaf_hash(&self.bytes)
    }

    /// Reads the statement; see [`decode`].
    ///
    /// # Errors
    /// [`EntryError`].
    pub fn decode(&self) -> Result<Decoded, EntryError> {
        decode(&self.bytes)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({})", self.hash())
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_base64url())
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_base64url(&text).ok_or_else(|| de::Error::custom("not base64url"))
    }
}
