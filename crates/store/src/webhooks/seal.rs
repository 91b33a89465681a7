//! Seals the secrets that deliveries are signed with: they must be recoverable, unlike API keys, but not
//! from the database alone.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use deed_notify::signature::standard::Secret;
use uuid::Uuid;

use crate::error::Error;

/// AES-256-GCM under a key derived from `API_KEY_SECRET`, bound to the webhook: a secret can neither be read
/// from the database nor be moved to another webhook.
pub struct SecretSealer(RandomizedNonceKey);

impl fmt::Debug for SecretSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretSealer(<redacted>)")
    }
}

impl SecretSealer {
    /// A sealer under the server's secret, at least 32 bytes.
    #[must_use]
    pub fn new(server_secret: &[u8]) -> Self {
        let master = hmac::Key::new(hmac::HMAC_SHA256, server_secret);
        let derived = hmac::sign(&master, b"deed webhook secret seal v1");
        #[expect(clippy::expect_used, reason = "a SHA-256 tag always is an AES-256 key")]
        Self(RandomizedNonceKey::new(&AES_256_GCM, derived.as_ref()).expect("32 bytes are a key"))
    }

    /// Nonce, then ciphertext and tag.
    ///
    /// # Errors
    /// [`Error::Unfit`] when the system gives no randomness.
    pub fn seal(&self, webhook: Uuid, secret: &Secret) -> Result<Vec<u8>, Error> {
        let mut bytes = secret.as_bytes().to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(webhook.as_bytes()), &mut bytes)
            .map_err(|_| Error::Unfit("the system gave no randomness".to_owned()))?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut bytes);
        Ok(sealed)
    }

    /// The secret of a webhook.
    ///
    /// # Errors
    /// [`Error::Unfit`] when it was sealed under another `API_KEY_SECRET`, or for another webhook.
    pub fn open(&self, webhook: Uuid, sealed: &[u8]) -> Result<Secret, Error> {
        self.opened(webhook, sealed).ok_or_else(|| {
            Error::Unfit(
                "the secret was sealed under another API_KEY_SECRET: rotate it, or give the worker \
                 the API's API_KEY_SECRET"
                    .to_owned(),
            )
        })
    }

    fn opened(&self, webhook: Uuid, sealed: &[u8]) -> Option<Secret> {
        let (nonce, bytes) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut bytes = bytes.to_vec();
        let opened = self.0.open_in_place(nonce, Aad::from(webhook.as_bytes()), &mut bytes).ok()?;
        Secret::from_bytes(&*opened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_opens_for_its_webhook_and_server_alone() {
        let (sealer, secret) = (SecretSealer::new(&[1; 32]), Secret::from_bytes([9; 32]).unwrap());
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let sealed = sealer.seal(one, &secret).unwrap();
        assert_eq!(sealer.open(one, &sealed).unwrap(), secret);
        assert!(!sealed.windows(8).any(|part| part == [9; 8]));
        assert!(sealer.open(other, &sealed).is_err());
        assert!(SecretSealer::new(&[2; 32]).open(one, &sealed).is_err());
        for at in 0..sealed.len() {
            let mut forged = sealed.clone();
            forged[at] ^= 1;
            assert!(sealer.open(one, &forged).is_err(), "byte {at}");
        }
    }
}
