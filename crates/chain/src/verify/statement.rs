use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Checked, Failure, Place, Reason};
use crate::{
    Entry, Hash, Thumbprint, base64url,
    body::{SALT_LENGTH, body_hash},
    entry::Claims,
    key::SignatureError,
    key_set::KeySet,
    time,
};

/// Checks statements one by one, and remembers which keys signed them.
pub(super) struct Checker<'a> {
    issuer: &'a str,
    keys: &'a KeySet,
    used: BTreeSet<Thumbprint>,
    pub(super) checked: &'a mut Checked,
}

/// A statement whose signature was verified.
pub(super) struct Opened {
    pub(super) claims: Claims,
    pub(super) kid: Thumbprint,
    pub(super) body_hash: Hash,
    pub(super) hash: Hash,
    /// The time claim as RFC 3339.
    pub(super) issued_at: String,
}

impl<'a> Checker<'a> {
    pub(super) fn new(issuer: &'a str, keys: &'a KeySet, checked: &'a mut Checked) -> Self {
        Self { issuer, keys, used: BTreeSet::new(), checked }
    }

    /// Reads a statement from its text form and opens it.
    pub(super) fn open(&mut self, place: Place, statement: &str) -> Result<Opened, Failure> {
        let entry = Entry::from_base64url(statement)
            .ok_or_else(|| place.fail(Reason::StatementMalformed, "not base64url"))?;
        self.open_entry(place, &entry)
    }

    /// Decodes a statement, verifies its signature, and checks its issuer and time.
    pub(super) fn open_entry(&mut self, place: Place, entry: &Entry) -> Result<Opened, Failure> {
        let decoded =
            entry.decode().map_err(|error| place.fail(Reason::StatementMalformed, error))?;
        let key = self.keys.get(&decoded.kid).ok_or_else(|| {
            place.fail(Reason::UnknownKey, format!("key {} is not listed", decoded.kid))
        })?;
        decoded.verify(key).map_err(|error| {
            let reason = match error {
                SignatureError::NotCanonical => Reason::SignatureNotCanonical,
                SignatureError::Invalid => Reason::SignatureInvalid,
            };
            place.fail(reason, error)
        })?;
        self.used.insert(decoded.kid);
        self.checked.signatures += 1;
        let issuer = &decoded.claims.issuer;
        place.require(
            issuer == self.issuer,
            Reason::IssuerMismatch,
            format_args!("issued by {issuer:?}, the document is of {:?}", self.issuer),
        )?;
        let issued_at = time::rfc3339(decoded.claims.issued_at)
            .ok_or_else(|| place.fail(Reason::IssuedAtRange, "before 1970 or after 9999"))?;
        let hash = entry.hash();
        let (kid, body_hash) = (decoded.kid, decoded.body_hash);
        Ok(Opened { claims: decoded.claims, kid, body_hash, hash, issued_at })
    }

    /// Checks that `body` is the one that was signed, and a salted body at all; returns its
    /// members and its kind.
    pub(super) fn body<'b>(
        &mut self,
        place: Place,
        body: &'b Value,
        signed: &Hash,
    ) -> Result<(&'b Map<String, Value>, &'b str), Failure> {
        let hash = body_hash(body).1;
        place.require(
            hash == *signed,
            Reason::BodyHashMismatch,
            format_args!("the body's hash is {hash}, signed was {signed}"),
        )?;
        let malformed = |detail| place.fail(Reason::BodyMalformed, detail);
        let members = body.as_object().ok_or_else(|| malformed("the body is not an object"))?;
        let text = |name| members.get(name).and_then(Value::as_str);
        let kind = text("kind").filter(|kind| !kind.is_empty());
        let kind = kind.ok_or_else(|| malformed("the body has no kind"))?;
        text("salt")
            .and_then(base64url::decode_array::<SALT_LENGTH>)
            .ok_or_else(|| malformed("the body has no salt of 22 base64url characters"))?;
        self.checked.bodies += 1;
        Ok((members, kind))
    }

    /// Whether the document lists no key but those that signed something.
    pub(super) fn all_keys_used(&self) -> Result<(), Failure> {
        match self.keys.iter().find(|key| !self.used.contains(&key.thumbprint())) {
            None => Ok(()),
            Some(key) => {
                let detail = format!("{} signed nothing here", key.thumbprint());
                Err(Place::part("keys").fail(Reason::UnusedKey, detail))
            }
        }
    }
}
