//! COSE labels, algorithm numbers and media types of the wire format.

/// COSE header parameter `alg` (RFC 9052 section 3.1).
pub const ALG: i64 = 1;
/// COSE header parameter `kid` (RFC 9052 section 3.1); here an RFC 9679 thumbprint.
pub const KID: i64 = 4;
/// COSE header parameter `CWT Claims` (RFC 9597).
pub const CWT_CLAIMS: i64 = 15;
/// COSE header parameter `typ` (RFC 9596).
pub const TYP: i64 = 16;
/// COSE header parameter `payload-hash-alg` (hash envelope).
pub const PAYLOAD_HASH_ALG: i64 = 258;
/// COSE header parameter `preimage-content-type` (hash envelope).
pub const PREIMAGE_CONTENT_TYPE: i64 = 259;

/// CWT claim `iss` (RFC 8392): the installation's issuer URL.
pub const CLAIM_ISSUER: i64 = 1;
/// CWT claim `sub` (RFC 8392): `urn:uuid:` and the record's identifier.
pub const CLAIM_SUBJECT: i64 = 2;
/// CWT claim `iat` (RFC 8392): seconds since 1970.
pub const CLAIM_ISSUED_AT: i64 = 6;
/// Private-use claim: position in the chain, from 0.
pub const CLAIM_POSITION: i64 = -70_001;
/// Private-use claim: hash of the previous entry, 32 bytes.
pub const CLAIM_PREVIOUS: i64 = -70_002;
/// Private-use claim: count of database promotions noticed.
pub const CLAIM_EPOCH: i64 = -70_003;

/// COSE algorithm EdDSA (RFC 9053 section 2.2), with Ed25519 keys only.
pub const EDDSA: i64 = -8;
/// COSE algorithm SHA-256 (RFC 9054).
pub const SHA_256: i64 = -16;
/// CBOR tag of COSE_Sign1 (RFC 9052 section 2).
pub const TAG_COSE_SIGN1: u64 = 18;

/// `typ` of every statement.
pub const STATEMENT_TYPE: &str = "application/scitt-statement+cose";
/// Media type of a body, the preimage of a statement's payload.
pub const BODY_TYPE: &str = "application/json";
/// Media type of a JWK Set (RFC 7517 section 8.5.2).
pub const JWK_SET_TYPE: &str = "application/jwk-set+json";
/// Media type of a COSE Key Set (RFC 9052 section 11.3.2).
pub const COSE_KEY_SET_TYPE: &str = "application/cose-key-set";
/// What precedes the identifier in a subject (RFC 9562 section 4).
pub const SUBJECT_PREFIX: &str = "urn:uuid:";
