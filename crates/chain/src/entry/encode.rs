use std::ops::Range;

use uuid::Uuid;

use super::{Claims, Entry};
use crate::{
    cbor::Writer,
    hash::Hash,
    key::Thumbprint,
    labels::{
        ALG, BODY_TYPE, CLAIM_EPOCH, CLAIM_ISSUED_AT, CLAIM_ISSUER, CLAIM_POSITION, CLAIM_PREVIOUS,
        CLAIM_SUBJECT, CWT_CLAIMS, EDDSA, KID, PAYLOAD_HASH_ALG, PREIMAGE_CONTENT_TYPE, SHA_256,
        STATEMENT_TYPE, SUBJECT_PREFIX, TAG_COSE_SIGN1, TYP,
    },
};

/// What all parts of a statement but the issuer need at most.
const FIXED_LENGTH: usize = 320;
/// The context of a Sig_structure over a COSE_Sign1 (RFC 9052 section 4.4).
const CONTEXT: &str = "Signature1";

/// A statement that lacks only its signature.
#[derive(Debug, Clone)]
pub struct Unsigned {
    to_be_signed: Vec<u8>,
    /// Where the protected header lies in `to_be_signed`.
    protected: Range<usize>,
    payload: Hash,
}

impl Unsigned {
    /// Encodes `claims` over the body with hash `body_hash` (see [`crate::body::body_hash`]), to
    /// be signed by the key with thumbprint `kid`.
    pub fn new(claims: &Claims, kid: &Thumbprint, body_hash: &Hash) -> Self {
        let protected = protected_header(claims, kid);
        let mut to_be_signed = Writer::with_capacity(protected.len() + 64);
        to_be_signed.array(4);
        to_be_signed.text(CONTEXT);
        to_be_signed.bytes(&protected);
        let end = to_be_signed.0.len();
        to_be_signed.bytes(&[]);
        to_be_signed.bytes(&body_hash.0);
        Self {
            to_be_signed: to_be_signed.0,
            protected: end - protected.len()..end,
            payload: *body_hash,
        }
    }

    /// The Sig_structure (RFC 9052 section 4.4): the bytes that Ed25519 signs.
    pub fn to_be_signed(&self) -> &[u8] {
        &self.to_be_signed
    }

    /// The statement with `signature` over [`Unsigned::to_be_signed`], which is not checked.
    pub fn finish(self, signature: &[u8; 64]) -> Entry {
        let protected = &self.to_be_signed[self.protected];
        let mut statement = Writer::with_capacity(protected.len() + 108);
        statement.tag(TAG_COSE_SIGN1);
        statement.array(4);
        statement.bytes(protected);
        statement.map(0);
        statement.bytes(&self.payload.0);
        statement.bytes(signature);
        Entry::from_bytes(statement.0)
    }
}

/// Labels in the bytewise order of their encodings: 1, 4, 15, 16, 258, 259.
fn protected_header(claims: &Claims, kid: &Thumbprint) -> Vec<u8> {
    let mut header = Writer::with_capacity(FIXED_LENGTH + claims.issuer.len());
    header.map(6);
    header.int(ALG);
    header.int(EDDSA);
    header.int(KID);
    header.bytes(&kid.0);
    header.int(CWT_CLAIMS);
    write_claims(&mut header, claims);
    header.int(TYP);
    header.text(STATEMENT_TYPE);
    header.int(PAYLOAD_HASH_ALG);
    header.int(SHA_256);
    header.int(PREIMAGE_CONTENT_TYPE);
    header.text(BODY_TYPE);
    header.0
}

fn write_claims(header: &mut Writer, claims: &Claims) {
    header.map(if claims.link.is_some() { 6 } else { 3 });
    header.int(CLAIM_ISSUER);
    header.text(&claims.issuer);
    header.int(CLAIM_SUBJECT);
    header.text(&subject(&claims.subject));
    header.int(CLAIM_ISSUED_AT);
    header.int(claims.issued_at);
    if let Some(link) = &claims.link {
        header.int(CLAIM_POSITION);
        header.uint(link.position);
        header.int(CLAIM_PREVIOUS);
        header.bytes(&link.previous.0);
        header.int(CLAIM_EPOCH);
        header.uint(link.epoch);
    }
}

/// The `sub` claim of a record.
pub(super) fn subject(record: &Uuid) -> String {
    format!("{SUBJECT_PREFIX}{}", record.hyphenated())
}
