use serde_json::Value;

use super::{Failure, Place, Reason, statement::Checker, uuid};
use crate::{
    Hash,
    body::KIND_GENESIS,
    bundle::Sealed,
    genesis::LINK,
    key::{PublicKey, Thumbprint},
};

const GENESIS: Place = Place::part("genesis");

/// The members of a genesis body.
const MEMBERS: [&str; 7] =
    ["createdAt", "installationId", "issuer", "key", "kind", "registrationPolicy", "salt"];

/// Checks the genesis statement; returns its entry hash.
pub(super) fn check(
    checker: &mut Checker<'_>,
    installation_id: &str,
    genesis: &Sealed,
) -> Result<Hash, Failure> {
    let opened = checker.open(GENESIS, &genesis.statement)?;
    let installation = uuid(installation_id)
        .ok_or_else(|| GENESIS.fail(Reason::Malformed, "installationId is not a UUID"))?;
    GENESIS.require(
        opened.claims.subject == installation,
        Reason::InstallationMismatch,
        format_args!("is of installation {}", opened.claims.subject),
    )?;
    let first = opened.claims.link == Some(LINK);
    GENESIS.require(first, Reason::GenesisInvalid, "not at position 0, epoch 0, after nothing")?;
    let (body, kind) = checker.body(GENESIS, &genesis.body, &opened.body_hash)?;
    let exact = body.len() == MEMBERS.len() && MEMBERS.iter().all(|name| body.contains_key(*name));
    GENESIS.require(exact, Reason::GenesisInvalid, "members missing or unknown")?;
    let is = |name: &str, value: &str| {
        let equal = body.get(name).and_then(Value::as_str) == Some(value);
        GENESIS.require(equal, Reason::GenesisInvalid, format_args!("{name} is not {value:?}"))
    };
    GENESIS.require(kind == KIND_GENESIS, Reason::GenesisInvalid, "of another kind")?;
    is("installationId", installation_id)?;
    is("issuer", &opened.claims.issuer)?;
    is("createdAt", &opened.issued_at)?;
    let policy = body.get("registrationPolicy").is_some_and(Value::is_object);
    GENESIS.require(policy, Reason::GenesisInvalid, "registrationPolicy is not an object")?;
    let own_key = body.get("key").is_some_and(|jwk| is_key(jwk, &opened.kid));
    GENESIS.require(own_key, Reason::GenesisInvalid, "not signed by the key it names")?;
    checker.checked.genesis += 1;
    Ok(opened.hash)
}

/// Whether `jwk` is the key with this thumbprint, in the published form.
fn is_key(jwk: &Value, kid: &Thumbprint) -> bool {
    PublicKey::from_jwk(jwk).is_ok_and(|key| key.thumbprint() == *kid && key.to_jwk() == *jwk)
}
