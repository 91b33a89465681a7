//! Anchor objects: files of vault checkpoints that are kept out of the database's reach. Specified in
//! `docs/spec/checkpoint.md`.
//!
//! An object holds statements and the bodies of checkpoints alone, so no payload of a record leaves the
//! database with it. It is not signed as a whole: each statement in it is.

use serde_json::Value;
use uuid::Uuid;

use crate::{base64url, json};

/// Format of an object.
pub const FORMAT: &str = "deed-anchor/1";
/// Most checkpoints of one object.
pub const MOST_CHECKPOINTS: usize = 4096;
/// Largest object that is read, in bytes: checkpoints under the longest issuer fit.
pub const MOST_BYTES: usize = 32 << 20;
/// Deepest nesting of an object.
const MAX_DEPTH: usize = 8;
/// Digits of a number in a key, so that keys are in the order of their numbers.
const DIGITS: usize = 16;

/// The checkpoints of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// Issuer URL of the installation.
    pub issuer: String,
    /// The installation.
    pub installation: Uuid,
    /// Number of the object, from 1 and without gaps.
    pub number: u64,
    /// 1 to [`MOST_CHECKPOINTS`].
    pub checkpoints: Vec<Sealed>,
}

/// A checkpoint and its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// COSE_Sign1 bytes.
    pub statement: Vec<u8>,
    /// The body in canonical form.
    pub body: Vec<u8>,
}

/// The bytes are no anchor object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an anchor object: {0}")]
pub struct ParseAnchorError(String);

/// Key of all objects of an installation, before the number.
#[must_use]
pub fn folder(installation: Uuid) -> String {
    format!("{installation}/checkpoints/")
}

/// Key of one object.
#[must_use]
pub fn key(installation: Uuid, number: u64) -> String {
    format!("{}{number:0DIGITS$}.json", folder(installation))
}

/// Number of the object with this key; `None` when it is not the key of one.
#[must_use]
pub fn number(installation: Uuid, key: &str) -> Option<u64> {
    let digits = key.strip_prefix(&folder(installation))?.strip_suffix(".json")?;
    let plain = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten().filter(|number| *number > 0)
}

impl Anchor {
    /// The object: canonical JSON (RFC 8785). The bodies are taken as they are.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let each = |sealed: &Sealed| sealed.body.len() + sealed.statement.len() * 4 / 3 + 40;
        let length = self.checkpoints.iter().map(each).sum::<usize>();
        let mut bytes = Vec::with_capacity(length + self.issuer.len() + 256);
        bytes.extend_from_slice(b"{\"checkpoints\":[");
        for (n, sealed) in self.checkpoints.iter().enumerate() {
            bytes.extend_from_slice(if n == 0 { b"{\"body\":" } else { b",{\"body\":" });
            bytes.extend_from_slice(&sealed.body);
            bytes.extend_from_slice(b",\"statement\":\"");
            bytes.extend_from_slice(base64url::encode(&sealed.statement).as_bytes());
            bytes.extend_from_slice(b"\"}");
        }
        let Self { installation, number, .. } = self;
        let rest =
            format!("],\"format\":\"{FORMAT}\",\"installationId\":\"{installation}\",\"issuer\":");
        bytes.extend_from_slice(rest.as_bytes());
        bytes.extend_from_slice(&json::canonical(&Value::from(self.issuer.as_str())));
        bytes.extend_from_slice(format!(",\"number\":{number}}}").as_bytes());
        bytes
    }

    /// Reads an object: exactly the form that [`Anchor::to_bytes`] gives. No signature is checked. The
    /// caller bounds the size of `bytes`.
    ///
    /// # Errors
    /// [`ParseAnchorError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseAnchorError> {
        let refuse = |what: &str| ParseAnchorError(what.to_owned());
        let value =
            json::parse(bytes, MAX_DEPTH).map_err(|error| ParseAnchorError(error.to_string()))?;
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let positive = |name: &str| value.get(name).and_then(Value::as_u64).filter(|n| *n > 0);
        if text("format") != Some(FORMAT) {
            return Err(ParseAnchorError(format!("the format is not {FORMAT:?}")));
        }
        let installation = text("installationId").and_then(|id| Uuid::try_parse(id).ok());
        let checkpoints = value.get("checkpoints").and_then(Value::as_array);
        let checkpoints = checkpoints.filter(|all| (1..=MOST_CHECKPOINTS).contains(&all.len()));
        let checkpoints = checkpoints.and_then(|all| all.iter().map(sealed).collect());
        let anchor = Self {
            issuer: text("issuer").ok_or_else(|| refuse("no issuer"))?.to_owned(),
            installation: installation.ok_or_else(|| refuse("no installationId"))?,
            number: positive("number").ok_or_else(|| refuse("no number"))?,
            checkpoints: checkpoints.ok_or_else(|| refuse("checkpoints of another form"))?,
        };
        // One form for one content; it also refuses what was not looked at.
        if anchor.to_bytes() != bytes {
            return Err(refuse("not in its one canonical form"));
        }
        Ok(anchor)
    }
}

fn sealed(value: &Value) -> Option<Sealed> {
    let statement = base64url::decode(value.get("statement")?.as_str()?)?;
    let body = value.get("body").filter(|body| body.is_object())?;
    Some(Sealed { statement, body: json::canonical(body) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchor() -> Anchor {
        let sealed = |n| Sealed { statement: vec![n; 5], body: br#"{"kind":"x"}"#.to_vec() };
        Anchor {
            issuer: "https://\"x\".example".to_owned(),
            installation: Uuid::from_u128(7),
            number: 3,
            checkpoints: vec![sealed(1), sealed(2)],
        }
    }

    #[test]
    fn an_object_reads_back_and_has_one_form() {
        let bytes = anchor().to_bytes();
        assert_eq!(Anchor::parse(&bytes).as_ref(), Ok(&anchor()));
        let text = String::from_utf8(bytes).expect("JSON is UTF-8");
        for (from, to) in [
            ("\"number\":3", "\"number\": 3"),
            ("\"number\":3", "\"number\":0"),
            ("\"number\":3", "\"number\":3,\"zero\":1"),
            ("deed-anchor/1", "deed-anchor/2"),
            (",\"number\":3", ""),
            ("\"statement\":\"", "\"statement\":\"="),
        ] {
            let other = text.replacen(from, to, 1);
            assert_ne!(other, text);
            assert!(Anchor::parse(other.as_bytes()).is_err(), "{other}");
        }
        assert!(Anchor::parse(&Anchor { checkpoints: Vec::new(), ..anchor() }.to_bytes()).is_err());
    }

    #[test]
    fn a_key_says_its_number() {
        let id = Uuid::from_u128(7);
        let key = key(id, 42);
        assert_eq!(key, format!("{id}/checkpoints/0000000000000042.json"));
        assert_eq!(number(id, &key), Some(42));
        for other in ["x.json", "42.json", "000000000000004x.json", "0000000000000000.json", ""] {
            assert_eq!(number(id, &format!("{}{other}", folder(id))), None, "{other}");
        }
        assert_eq!(number(Uuid::from_u128(8), &key), None);
    }
}
