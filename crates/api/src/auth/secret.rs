//! API keys as clients hold them, and the keyed hash that the server stores instead.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deed_store::access::Role;
use deed_store::random;

use crate::config::Secret;

/// Random bytes in a key.
const LENGTH: usize = 32;

/// Computes the keyed hash of API keys: whoever reads the database cannot test guesses.
#[derive(Debug, Clone)]
pub(crate) struct KeyHasher(hmac::Key);

impl KeyHasher {
    pub(crate) fn new(secret: &Secret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &secret.0))
    }

    pub(crate) fn hash(&self, key: &str) -> [u8; 32] {
        let tag = hmac::sign(&self.0, key.as_bytes());
        let mut hash = [0; 32];
        hash.copy_from_slice(tag.as_ref());
        hash
    }
}

fn prefix(role: Role) -> &'static str {
    match role {
        Role::Agent => "deed_agt_",
        Role::Admin => "deed_adm_",
        Role::Platform => "deed_plt_",
    }
}

/// A new key: the role's prefix, then 256 random bits in base64url.
pub(crate) fn generate(role: Role) -> String {
    format!("{}{}", prefix(role), URL_SAFE_NO_PAD.encode(random::bytes::<LENGTH>()))
}

/// The first characters of a key, enough to tell keys apart and far too few to guess one.
pub(crate) fn hint(key: &str) -> String {
    key.chars().take(13).collect()
}

/// Whether a text can be a key at all; spares the database what cannot.
pub(crate) fn is_plausible(key: &str) -> bool {
    Role::ALL
        .iter()
        .any(|role| key.strip_prefix(prefix(*role)).is_some_and(|rest| rest.len() == 43))
}
