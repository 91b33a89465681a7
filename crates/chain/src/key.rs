//! Ed25519 public keys (RFC 8032) and their thumbprints.

use std::fmt;

use ciborium::value::Value as Cbor;
use coset::{CoseKey, CoseKeyBuilder, KeyType, Label, RegisteredLabelWithPrivate, iana};
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Value, json};

use crate::{base64url, cbor::Writer, hash::sha256};

/// COSE_Key label of the curve (RFC 9053 section 7.2).
const OKP_CRV: i64 = -1;
/// COSE_Key label of the public key's bytes.
const OKP_X: i64 = -2;
/// COSE curve number of Ed25519.
const ED25519: u64 = 6;

/// The order of the prime subgroup, little-endian: S of a signature must be below it
/// (RFC 8032 section 5.1.7).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// COSE key thumbprint with SHA-256 (RFC 9679). Its text form, base64url without padding, is the
/// `kid` of published keys; its 32 bytes are the `kid` in a statement's header.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thumbprint(pub [u8; 32]);

impl Thumbprint {
    /// The thumbprint of the Ed25519 key with public bytes `x`.
    fn of(x: &[u8; 32]) -> Self {
        let mut key = Writer::with_capacity(40);
        key.map(3);
        key.int(1);
        key.int(1);
        key.int(OKP_CRV);
        key.uint(ED25519);
        key.int(OKP_X);
        key.bytes(x);
        Self(sha256(key.0).0)
    }

    /// The text form, 43 characters.
    pub fn kid(&self) -> String {
        base64url::encode(self.0)
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kid())
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

/// Why a key is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The bytes are no point of the curve, or not the one encoding of it.
    #[error("not the canonical encoding of a curve point")]
    NotCanonical,
    /// The point has a component of small order: signatures under it would not bind a message,
    /// or verifiers would disagree about them.
    #[error("weak key: the point is not in the prime-order subgroup")]
    Weak,
    /// Not an Ed25519 public key in the expected form.
    #[error("{0}")]
    Form(&'static str),
    /// The `kid` is not the key's thumbprint.
    #[error("kid {found} is not the key's thumbprint {expected}")]
    KidMismatch {
        /// What the document says.
        found: String,
        /// What the key has.
        expected: String,
    },
}

/// Why a signature is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// S is not below the group order: somebody altered a valid signature into another.
    #[error("the signature is not canonical")]
    NotCanonical,
    /// The signature is not one by this key over this message.
    #[error("the signature does not fit the message and key")]
    Invalid,
}

/// An Ed25519 public key known to be a canonical point of the prime-order subgroup.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: VerifyingKey,
    thumbprint: Thumbprint,
}

impl PublicKey {
    /// Takes the 32 bytes of RFC 8032 section 5.1.5.
    ///
    /// # Errors
    /// [`KeyError::NotCanonical`] and [`KeyError::Weak`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotCanonical)?;
        let point = key.to_edwards();
        if point.compress().as_bytes() != bytes {
            return Err(KeyError::NotCanonical);
        }
        if key.is_weak() || !point.is_torsion_free() {
            return Err(KeyError::Weak);
        }
        Ok(Self { key, thumbprint: Thumbprint::of(bytes) })
    }

    /// The 32 bytes of RFC 8032.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// The key's RFC 9679 thumbprint.
    pub const fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// Verifies without any of the leniencies of RFC 8032: S must be below the group order, R
    /// must be canonically encoded and not of small order.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify_strict(
        &self,
        message: &[u8],
        signature: &[u8; 64],
    ) -> Result<(), SignatureError> {
        if !signature[32..].iter().rev().lt(ORDER.iter().rev()) {
            return Err(SignatureError::NotCanonical);
        }
        self.key
            .verify_strict(message, &Signature::from_bytes(signature))
            .map_err(|_| SignatureError::Invalid)
    }

    /// The JSON Web Key (RFC 8037) in the exact form that Deed publishes.
    pub fn to_jwk(&self) -> Value {
        json!({
            "kty": "OKP",
            "crv": "Ed25519",
            "x": base64url::encode(self.as_bytes()),
            "kid": self.thumbprint.kid(),
            "alg": "EdDSA",
            "use": "sig",
        })
    }

    /// Reads a JSON Web Key. Members that RFC 7517 allows and this crate does not know are
    /// ignored; a missing `kid` is computed.
    ///
    /// # Errors
    /// [`KeyError`], also for a JWK that holds a private key (`d`).
    pub fn from_jwk(jwk: &Value) -> Result<Self, KeyError> {
        let member = |name: &str| jwk.get(name);
        let is = |name: &str, value: &str| member(name).and_then(Value::as_str) == Some(value);
        if member("d").is_some() {
            return Err(KeyError::Form("a private key does not belong into a set of public keys"));
        }
        if !is("kty", "OKP") || !is("crv", "Ed25519") {
            return Err(KeyError::Form("not an Ed25519 JSON Web Key"));
        }
        if member("alg").is_some() && !is("alg", "EdDSA") && !is("alg", "Ed25519") {
            return Err(KeyError::Form("alg of the JSON Web Key is not EdDSA"));
        }
        let bytes = member("x").and_then(Value::as_str).and_then(base64url::decode_array);
        let key = Self::from_bytes(&bytes.ok_or(KeyError::Form("x is not 32 base64url bytes"))?)?;
        match member("kid").map(|kid| kid.as_str().unwrap_or_default()) {
            Some(kid) => key.check_kid(kid),
            None => Ok(key),
        }
    }

    /// The COSE_Key (RFC 9052 section 7), labels in deterministic order.
    pub(crate) fn to_cose_key(&self) -> CoseKey {
        CoseKeyBuilder::new_okp_key()
            .key_id(self.thumbprint.0.to_vec())
            .algorithm(iana::Algorithm::EdDSA)
            .param(OKP_CRV, Cbor::from(ED25519))
            .param(OKP_X, Cbor::Bytes(self.as_bytes().to_vec()))
            .build()
    }

    /// Reads a COSE_Key; the counterpart of [`PublicKey::from_jwk`].
    pub(crate) fn from_cose_key(key: &CoseKey) -> Result<Self, KeyError> {
        let param = |label| {
            let mut found = key.params.iter().filter(|(l, _)| *l == Label::Int(label));
            found.next().map(|(_, value)| value)
        };
        if param(-4).is_some() {
            return Err(KeyError::Form("a private key does not belong into a set of public keys"));
        }
        let okp = key.kty == KeyType::Assigned(iana::KeyType::OKP);
        if !okp || param(OKP_CRV) != Some(&Cbor::from(ED25519)) {
            return Err(KeyError::Form("not an Ed25519 COSE_Key"));
        }
        let eddsa = RegisteredLabelWithPrivate::Assigned(iana::Algorithm::EdDSA);
        if key.alg.as_ref().is_some_and(|alg| *alg != eddsa) {
            return Err(KeyError::Form("alg of the COSE_Key is not EdDSA"));
        }
        let bytes =
            param(OKP_X).and_then(Cbor::as_bytes).and_then(|x| x.as_slice().try_into().ok());
        let public = Self::from_bytes(&bytes.ok_or(KeyError::Form("x is not 32 bytes"))?)?;
        if key.key_id.is_empty() {
            return Ok(public);
        }
        public.check_kid(&base64url::encode(&key.key_id))
    }

    fn check_kid(self, kid: &str) -> Result<Self, KeyError> {
        let expected = self.thumbprint.kid();
        if kid == expected {
            return Ok(self);
        }
        let found = kid.chars().take(64).collect();
        Err(KeyError::KidMismatch { found, expected })
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.thumbprint)
    }
}
