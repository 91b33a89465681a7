//! Seals an answer that holds a secret before it is stored under its idempotency key.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use deed_store::idempotency::Idempotency;

use crate::config::Secret;

/// AES-256-GCM under a key derived from `API_KEY_SECRET`, bound to the idempotency key, so that a
/// stored answer can neither be read from the database nor moved to another key.
pub(crate) struct Sealer(RandomizedNonceKey);

impl Sealer {
    pub(crate) fn new(secret: &Secret) -> Self {
        let master = hmac::Key::new(hmac::HMAC_SHA256, &secret.0);
        let derived = hmac::sign(&master, b"deed idempotency seal v1");
        #[expect(clippy::expect_used, reason = "a SHA-256 tag always is an AES-256 key")]
        Self(RandomizedNonceKey::new(&AES_256_GCM, derived.as_ref()).expect("32 bytes are a key"))
    }

    /// Nonce, then ciphertext and tag.
    pub(crate) fn seal(&self, used: &Idempotency, mut body: Vec<u8>) -> Option<Vec<u8>> {
        let nonce = self.0.seal_in_place_append_tag(Aad::from(aad(used)), &mut body).ok()?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut body);
        Some(sealed)
    }

    pub(crate) fn open(&self, used: &Idempotency, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut body = body.to_vec();
        let length = self.0.open_in_place(nonce, Aad::from(aad(used)), &mut body).ok()?.len();
        body.truncate(length);
        Some(body)
    }
}

fn aad(used: &Idempotency) -> Vec<u8> {
    let mut aad = used.scope.as_bytes().to_vec();
    aad.extend_from_slice(used.key.as_bytes());
    aad
}
