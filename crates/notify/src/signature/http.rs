//! HTTP Message Signatures (RFC 9421) with Ed25519, over the digest of the content (RFC 9530).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};

/// Label of the signature in both headers.
const LABEL: &str = "deed";
/// What the signature is for (RFC 9421, section 2.3, `tag`): one made for a webhook is none for
/// anything else.
pub const TAG: &str = "deed-webhook";

/// The parts of a request that are signed. All of them are visible ASCII, as headers are.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// Absolute URL that is posted to (`@target-uri`).
    pub target_uri: &'a str,
    /// Value of `Content-Type`.
    pub content_type: &'a str,
    /// Value of `Content-Digest`.
    pub content_digest: &'a str,
    /// Value of `webhook-id`.
    pub id: &'a str,
    /// Value of `webhook-timestamp`, and the parameter `created`: seconds since 1970.
    pub timestamp: i64,
    /// Name of the key in the server's JWK Set.
    pub key_id: &'a str,
}

/// A message that waits for its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsigned {
    parameters: String,
    base: String,
}

/// Value of `Content-Digest` (RFC 9530) with SHA-256.
#[must_use]
pub fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", BASE64.encode(Sha256::digest(body)))
}

impl Unsigned {
    /// The signature base of a POST with these parts (RFC 9421, section 2.5).
    #[must_use]
    pub fn new(parts: &Parts<'_>) -> Self {
        let timestamp = parts.timestamp.to_string();
        let components = [
            ("@method", "POST"),
            ("@target-uri", parts.target_uri),
            ("content-digest", parts.content_digest),
            ("content-type", parts.content_type),
            ("webhook-id", parts.id),
            ("webhook-timestamp", &timestamp),
        ];
        let names: Vec<String> = components.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let parameters = format!(
            "({});created={timestamp};keyid=\"{}\";alg=\"ed25519\";tag=\"{TAG}\"",
            names.join(" "),
            parts.key_id
        );
        let mut base = String::new();
        for (name, value) in components {
            base.push_str(&format!("\"{name}\": {value}\n"));
        }
        base.push_str(&format!("\"@signature-params\": {parameters}"));
        Self { parameters, base }
    }

    /// What the key signs.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Values of `Signature-Input` and `Signature`.
    #[must_use]
    pub fn finish(self, signature: &[u8; 64]) -> (String, String) {
        let value = BASE64.encode(signature);
        (format!("{LABEL}={}", self.parameters), format!("{LABEL}=:{value}:"))
    }
}
