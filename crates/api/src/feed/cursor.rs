//! Cursors into the outbox: sealed, because a bare sequence number would tell how many events other
//! organisations have.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use deed_chain::base64url;

/// Seals and opens cursors under a key of the installation's, so that every process knows every cursor.
pub(crate) struct Cursors(RandomizedNonceKey);

impl Cursors {
    pub(crate) fn new(installation: &[u8; 32]) -> Self {
        let master = hmac::Key::new(hmac::HMAC_SHA256, installation);
        let derived = hmac::sign(&master, b"deed event cursor v1");
        #[expect(clippy::expect_used, reason = "a SHA-256 tag always is an AES-256 key")]
        Self(RandomizedNonceKey::new(&AES_256_GCM, derived.as_ref()).expect("32 bytes are a key"))
    }

    /// The cursor after an event.
    pub(crate) fn seal(&self, seq: i64) -> String {
        let mut bytes = seq.to_be_bytes().to_vec();
        let Ok(nonce) = self.0.seal_in_place_append_tag(Aad::empty(), &mut bytes) else {
            // Eight bytes are never too long to seal.
            return String::new();
        };
        base64url::encode([&nonce.as_ref()[..], &bytes].concat())
    }

    /// What [`Cursors::seal`] was given.
    pub(crate) fn open(&self, cursor: &str) -> Option<i64> {
        let mut bytes = base64url::decode(cursor)?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let seq = self.0.open_in_place(nonce, Aad::empty(), sealed).ok()?;
        Some(i64::from_be_bytes((&*seq).try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_cursor_opens_to_what_was_sealed_and_tells_nothing() {
        let cursors = Cursors::new(&[1; 32]);
        let cursor = cursors.seal(4711);
        assert_eq!(cursors.open(&cursor), Some(4711));
        assert_ne!(cursors.seal(4711), cursor, "two cursors cannot be compared");
        assert_eq!(Cursors::new(&[2; 32]).open(&cursor), None);
        assert_eq!(cursors.open(&cursor[1..]), None);
        let bare = base64url::encode(4711_i64.to_be_bytes());
        assert_eq!((cursors.open(&bare), cursors.open("")), (None, None));
    }
}
