//! The private half of the vault key. A small seam, so that a KMS or PKCS#11 key can sit behind it.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use deed_chain::entry::{Claims, Entry, Unsigned};
use deed_chain::hash::Hash;
use deed_chain::key::{PublicKey, Thumbprint};

use crate::error::Error;

/// Signs entries with one Ed25519 key.
pub struct Signer {
    pair: Ed25519KeyPair,
    public: PublicKey,
    thumbprint: Thumbprint,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("thumbprint", &self.thumbprint).finish_non_exhaustive()
    }
}

impl Signer {
    /// Reads a private key: PKCS#8 as PEM, or as base64 of its DER.
    ///
    /// # Errors
    /// [`Error::Unfit`] when it is not an Ed25519 key in that form; never with the key's text.
    pub fn from_pkcs8_text(text: &str) -> Result<Self, Error> {
        let base64: String =
            text.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
        let der = base64::engine::general_purpose::STANDARD
            .decode(base64)
            .map_err(|_| Error::Unfit("the signing key is neither PEM nor base64".to_owned()))?;
        Self::from_pkcs8_der(&der)
    }

    /// Reads a private key in PKCS#8 DER (RFC 8410), with or without its public half.
    ///
    /// # Errors
    /// [`Error::Unfit`] when it is not an Ed25519 key.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| {
            Error::Unfit("the signing key is not an Ed25519 key in PKCS#8".to_owned())
        })?;
        let bytes: [u8; 32] =
            pair.public_key().as_ref().try_into().map_err(|_| {
                Error::Unfit("the signing key has no 32-byte public key".to_owned())
            })?;
        let public = PublicKey::from_bytes(&bytes)
            .map_err(|e| Error::Unfit(format!("the signing key is weak: {e}")))?;
        Ok(Self { thumbprint: public.thumbprint(), pair, public })
    }

    /// A new private key, as PKCS#8 PEM.
    ///
    /// # Errors
    /// [`Error::Unfit`] when the system gives no randomness.
    pub fn generate_pem() -> Result<String, Error> {
        let none = |_| Error::Unfit("the system gave no randomness".to_owned());
        let pair = Ed25519KeyPair::generate().map_err(none)?;
        let der = pair.to_pkcs8v1().map_err(none)?;
        let text = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
        let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
        for line in text.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        Ok(pem)
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// RFC 9679 thumbprint of the public half: the `kid` of what it signs.
    #[must_use]
    pub fn thumbprint(&self) -> &Thumbprint {
        &self.thumbprint
    }

    /// Signs one statement over a body's hash.
    #[must_use]
    pub fn sign(&self, claims: &Claims, body_hash: &Hash) -> Entry {
        self.complete(Unsigned::new(claims, &self.thumbprint, body_hash))
    }

    /// Signs the base of an HTTP message signature (RFC 9421). It begins with a quotation mark, an entry's
    /// signed structure with a CBOR array: one can never stand for the other.
    #[must_use]
    pub fn sign_http(&self, unsigned: &deed_notify::signature::http::Unsigned) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes.copy_from_slice(self.pair.sign(unsigned.base().as_bytes()).as_ref());
        bytes
    }

    /// Signs a statement that was prepared under this key's thumbprint.
    #[must_use]
    pub fn complete(&self, unsigned: Unsigned) -> Entry {
        let signature = self.pair.sign(unsigned.to_be_signed());
        let mut bytes = [0; 64];
        bytes.copy_from_slice(signature.as_ref());
        unsigned.finish(&bytes)
    }
}
