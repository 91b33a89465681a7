//! base64url without padding (RFC 4648 section 5): how bytes appear inside JSON.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Encodes `bytes` without padding.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes `text`; `None` for padding, foreign characters, or unused trailing bits that are set,
/// so that every byte string has exactly one text form.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Decodes `text` into exactly `N` bytes; `None` under the conditions of [`decode`] or for
/// another length.
pub fn decode_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    decode(text)?.try_into().ok()
}
