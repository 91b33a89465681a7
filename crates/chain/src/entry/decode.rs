use uuid::Uuid;

use super::{Claims, Link, MAX_ISSUER_LENGTH, Unsigned, encode::subject};
pub use crate::cbor::CborError;
use crate::{
    cbor::Reader,
    hash::Hash,
    key::{PublicKey, SignatureError, Thumbprint},
    labels::{
        ALG, BODY_TYPE, CLAIM_EPOCH, CLAIM_ISSUED_AT, CLAIM_ISSUER, CLAIM_POSITION, CLAIM_PREVIOUS,
        CLAIM_SUBJECT, CWT_CLAIMS, EDDSA, KID, PAYLOAD_HASH_ALG, PREIMAGE_CONTENT_TYPE, SHA_256,
        STATEMENT_TYPE, SUBJECT_PREFIX, TAG_COSE_SIGN1, TYP,
    },
};

/// Why bytes are not a statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Not the expected CBOR, or not deterministically encoded.
    #[error("{0}")]
    Cbor(#[from] CborError),
    /// Not a COSE_Sign1 of four items under tag 18.
    #[error("not a tagged COSE_Sign1")]
    NotCoseSign1,
    /// A header or claim map does not hold exactly the labels of the wire format in order.
    #[error("expected label {expected}, found {found}")]
    Label {
        /// The label that belongs there.
        expected: i64,
        /// The label that is there.
        found: i64,
    },
    /// A map has more or fewer labels than the wire format.
    #[error("{what} has {found} labels")]
    LabelCount {
        /// Which map.
        what: &'static str,
        /// How many labels it has.
        found: u64,
    },
    /// A label has a value that the wire format does not allow.
    #[error("value of label {label}: {problem}")]
    Value {
        /// The label.
        label: i64,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// A statement taken apart. The protected header is kept as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// What it claims.
    pub claims: Claims,
    /// Thumbprint of the signing key.
    pub kid: Thumbprint,
    /// SHA-256 of the canonical body.
    pub body_hash: Hash,
    /// The Ed25519 signature.
    pub signature: [u8; 64],
    to_be_signed: Vec<u8>,
}

impl Decoded {
    /// The Sig_structure around the protected header as received.
    pub fn to_be_signed(&self) -> &[u8] {
        &self.to_be_signed
    }

    /// Verifies the signature strictly; see [`PublicKey::verify_strict`]. The caller looks `key`
    /// up by [`Decoded::kid`].
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), SignatureError> {
        key.verify_strict(&self.to_be_signed, &self.signature)
    }
}

/// Reads a statement: tag 18, an empty unprotected header, exactly the labels of the wire format,
/// deterministic encoding throughout, nothing after it. Checks no signature.
///
/// # Errors
/// [`EntryError`] for anything else.
pub fn decode(bytes: &[u8]) -> Result<Decoded, EntryError> {
    let mut statement = Reader::new(bytes);
    if statement.tag().ok() != Some(TAG_COSE_SIGN1) || statement.array().ok() != Some(4) {
        return Err(EntryError::NotCoseSign1);
    }
    let mut header = statement.embedded()?;
    let (claims, kid) = protected_header(&mut header)?;
    header.end()?;
    empty_map(&mut statement)?;
    let body_hash = Hash(statement.byte_array("a payload of 32 bytes")?);
    let signature = statement.byte_array("a signature of 64 bytes")?;
    statement.end()?;
    let unsigned = Unsigned::new(&claims, &kid, &body_hash);
    let to_be_signed = unsigned.to_be_signed().to_vec();
    // The reader admits one encoding only; this makes sure that reader and writer agree on it, so
    // that the bytes verified are the bytes received.
    if unsigned.finish(&signature).as_bytes() != bytes {
        return Err(CborError::NotDeterministic(0).into());
    }
    Ok(Decoded { claims, kid, body_hash, signature, to_be_signed })
}

fn empty_map(reader: &mut Reader<'_>) -> Result<(), EntryError> {
    match reader.map()? {
        0 => Ok(()),
        found => Err(EntryError::LabelCount { what: "the unprotected header", found }),
    }
}

fn label(reader: &mut Reader<'_>, expected: i64) -> Result<(), EntryError> {
    match reader.int()? {
        found if found == expected => Ok(()),
        found => Err(EntryError::Label { expected, found }),
    }
}

fn fixed_int(reader: &mut Reader<'_>, of: i64, value: i64) -> Result<(), EntryError> {
    label(reader, of)?;
    if reader.int()? == value {
        return Ok(());
    }
    Err(EntryError::Value { label: of, problem: "not the algorithm of the wire format" })
}

fn fixed_text(reader: &mut Reader<'_>, of: i64, value: &str) -> Result<(), EntryError> {
    label(reader, of)?;
    if reader.text()? == value {
        return Ok(());
    }
    Err(EntryError::Value { label: of, problem: "not the media type of the wire format" })
}

fn protected_header(header: &mut Reader<'_>) -> Result<(Claims, Thumbprint), EntryError> {
    match header.map()? {
        6 => {}
        found => return Err(EntryError::LabelCount { what: "the protected header", found }),
    }
    fixed_int(header, ALG, EDDSA)?;
    label(header, KID)?;
    let kid = Thumbprint(header.byte_array("a thumbprint of 32 bytes")?);
    label(header, CWT_CLAIMS)?;
    let claims = read_claims(header)?;
    fixed_text(header, TYP, STATEMENT_TYPE)?;
    fixed_int(header, PAYLOAD_HASH_ALG, SHA_256)?;
    fixed_text(header, PREIMAGE_CONTENT_TYPE, BODY_TYPE)?;
    Ok((claims, kid))
}

fn read_claims(header: &mut Reader<'_>) -> Result<Claims, EntryError> {
    let linked = match header.map()? {
        3 => false,
        6 => true,
        found => return Err(EntryError::LabelCount { what: "the claim set", found }),
    };
    label(header, CLAIM_ISSUER)?;
    let issuer = header.text()?.to_owned();
    if !(1..=MAX_ISSUER_LENGTH).contains(&issuer.len()) {
        return Err(EntryError::Value { label: CLAIM_ISSUER, problem: "empty or too long" });
    }
    label(header, CLAIM_SUBJECT)?;
    let subject = read_subject(header.text()?)?;
    label(header, CLAIM_ISSUED_AT)?;
    let issued_at = header.int()?;
    let link = if linked { Some(read_link(header)?) } else { None };
    Ok(Claims { issuer, subject, issued_at, link })
}

fn read_link(header: &mut Reader<'_>) -> Result<Link, EntryError> {
    label(header, CLAIM_POSITION)?;
    let position = header.uint()?;
    label(header, CLAIM_PREVIOUS)?;
    let previous = Hash(header.byte_array("a hash of 32 bytes")?);
    label(header, CLAIM_EPOCH)?;
    let epoch = header.uint()?;
    Ok(Link { position, previous, epoch })
}

fn read_subject(text: &str) -> Result<Uuid, EntryError> {
    let id = text.strip_prefix(SUBJECT_PREFIX).and_then(|id| Uuid::try_parse(id).ok());
    // A UUID has several spellings; only the one that the encoder writes is a subject.
    id.filter(|id| subject(id) == text)
        .ok_or(EntryError::Value { label: CLAIM_SUBJECT, problem: "not urn:uuid: and a UUID" })
}
