//! An installation's first statement: who it is and what it registers.
//!
//! Its entry hash is the `previous` of every chain's entry 0, so a chain cannot be moved to
//! another installation, and it is leaf 0 of the log.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    body,
    entry::{Claims, Link, Unsigned},
    hash::Hash,
    key::PublicKey,
    labels::{BODY_TYPE, STATEMENT_TYPE},
    time,
};

/// Version of the registration policy document.
pub const POLICY_FORMAT: &str = "deed-registration-policy/1";

/// The place of every genesis statement.
pub const LINK: Link = Link { position: 0, previous: Hash::ZERO, epoch: 0 };

/// What a genesis statement is made of.
#[derive(Debug, Clone, Copy)]
pub struct Genesis<'a> {
    /// The installation.
    pub installation_id: Uuid,
    /// Its issuer URL.
    pub issuer: &'a str,
    /// Its first key, which signs the statement.
    pub key: &'a PublicKey,
    /// Seconds since 1970, at most [`time::MAX_SECONDS`].
    pub issued_at: i64,
    /// Fresh random bytes.
    pub salt: &'a [u8; body::SALT_LENGTH],
}

impl Genesis<'_> {
    /// The body; `None` if the time cannot be written.
    pub fn body(&self) -> Option<Value> {
        let mut fields = Map::new();
        fields.insert("installationId".to_owned(), self.installation_id.to_string().into());
        fields.insert("issuer".to_owned(), self.issuer.into());
        fields.insert("registrationPolicy".to_owned(), registration_policy(self.issuer));
        fields.insert("key".to_owned(), self.key.to_jwk());
        fields.insert("createdAt".to_owned(), time::rfc3339(self.issued_at)?.into());
        Some(body::salted(body::KIND_GENESIS, self.salt, fields))
    }

    /// The statement to sign, and its body; `None` if the time cannot be written.
    pub fn unsigned(&self) -> Option<(Unsigned, Value)> {
        let body = self.body()?;
        let claims = Claims {
            issuer: self.issuer.to_owned(),
            subject: self.installation_id,
            issued_at: self.issued_at,
            link: Some(LINK),
        };
        let hash = body::body_hash(&body).1;
        Some((Unsigned::new(&claims, &self.key.thumbprint(), &hash), body))
    }
}

/// The policy by which an installation with this issuer registers statements.
pub fn registration_policy(issuer: &str) -> Value {
    json!({
        "format": POLICY_FORMAT,
        "issuers": [issuer],
        "statementType": STATEMENT_TYPE,
        "bodyType": BODY_TYPE,
        "canonicalization": "RFC 8785",
        "payloadHash": "SHA-256",
        "signatureAlgorithm": "EdDSA",
        "curve": "Ed25519",
        "keyIdentifier": "RFC 9679",
        "entryHash": "RFC 9162 leaf hash",
        "positions": "from 0 in each record, gap-free, each signed once",
        "previousOfFirst": "entry hash of this statement",
    })
}
