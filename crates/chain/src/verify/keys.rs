use serde_json::Value;

use super::{Checked, Failure, Place, Reason};
use crate::{
    key::{KeyError, PublicKey},
    key_set::KeySet,
};

const KEYS: Place = Place::part("keys");

/// Reads the document's keys, each in exactly the published form.
pub(super) fn read(
    keys: &[Value],
    trusted: Option<&KeySet>,
    checked: &mut Checked,
) -> Result<KeySet, Failure> {
    let mut set = KeySet::default();
    let mut last = None;
    for jwk in keys {
        let key = PublicKey::from_jwk(jwk).map_err(refuse)?;
        KEYS.require(key.to_jwk() == *jwk, Reason::InvalidKey, "not in the published form")?;
        let kid = key.thumbprint().kid();
        let ascending = last.as_ref().is_none_or(|last| *last < kid);
        KEYS.require(ascending, Reason::KeyOrder, format!("{kid} is out of order or repeated"))?;
        if let Some(trusted) = trusted {
            let known = trusted.contains(&key.thumbprint());
            KEYS.require(known, Reason::UntrustedKey, format!("{kid} is not a trusted key"))?;
            checked.trusted_keys += 1;
        }
        checked.keys += 1;
        last = Some(kid);
        set.insert(key);
    }
    Ok(set)
}

fn refuse(error: KeyError) -> Failure {
    let reason = match error {
        KeyError::Weak => Reason::WeakKey,
        KeyError::KidMismatch { .. } => Reason::KidMismatch,
        KeyError::NotCanonical | KeyError::Form(_) => Reason::InvalidKey,
    };
    KEYS.fail(reason, error)
}
