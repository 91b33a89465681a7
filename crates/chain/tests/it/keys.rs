//! Keys, their thumbprints and their published forms.

use coset::{CborSerializable as _, CoseKey, CoseKeySet, iana};
use deed_chain::{
    KeySet, PublicKey, base64url,
    key::{KeyError, SignatureError},
    key_set::KeySetError,
    sha256,
};
use ed25519_dalek::Signer as _;
use serde_json::json;

use crate::{
    forgeries::add_order,
    world::{key, known_keys, public},
};

/// All encodings of points of small order: canonical ones, and those with y >= p.
const SMALL_ORDER: [&str; 14] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

fn bytes32(text: &str) -> [u8; 32] {
    hex::decode(text).unwrap().try_into().unwrap()
}

#[test]
fn small_order_keys_are_refused() {
    for text in SMALL_ORDER {
        assert!(PublicKey::from_bytes(&bytes32(text)).is_err(), "{text}");
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": base64url::encode(bytes32(text))});
        let set = KeySet::parse(jwk.to_string().as_bytes());
        assert!(matches!(set, Err(KeySetError::Key { index: 0, .. })), "{text}");
    }
    let weak = PublicKey::from_bytes(&bytes32(SMALL_ORDER[6]));
    assert_eq!(weak, Err(KeyError::Weak));
    assert_eq!(PublicKey::from_bytes(&bytes32(SMALL_ORDER[10])), Err(KeyError::NotCanonical));
}

/// A genuine key plus a point of order 8: some verifiers would multiply the difference away.
#[test]
fn mixed_order_keys_are_refused() {
    use curve25519_dalek::edwards::CompressedEdwardsY;
    let torsion = CompressedEdwardsY(bytes32(SMALL_ORDER[6])).decompress().unwrap();
    let mixed = key(1).verifying_key().to_edwards() + torsion;
    assert_eq!(PublicKey::from_bytes(&mixed.compress().0), Err(KeyError::Weak));
}

#[test]
fn bytes_off_the_curve_are_refused() {
    let mut two = [0; 32];
    two[0] = 2;
    assert_eq!(PublicKey::from_bytes(&two), Err(KeyError::NotCanonical));
}

/// RFC 8032 section 7.1, test 2.
#[test]
fn strict_verification() {
    let public = bytes32("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    let key = PublicKey::from_bytes(&public).unwrap();
    let signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                     085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
    let mut signature: [u8; 64] = hex::decode(signature).unwrap().try_into().unwrap();
    assert_eq!(key.verify_strict(&[0x72], &signature), Ok(()));
    assert_eq!(key.verify_strict(&[0x73], &signature), Err(SignatureError::Invalid));
    add_order(&mut signature);
    assert_eq!(key.verify_strict(&[0x72], &signature), Err(SignatureError::NotCanonical));
    // R of small order with S = 0: the one signature that would fit every message of a weak key.
    let mut universal = [0; 64];
    universal[0] = 1;
    assert_eq!(key.verify_strict(&[0x72], &universal), Err(SignatureError::Invalid));
}

/// RFC 9679: the hash of {1: 1, -1: 6, -2: x}, here encoded by another implementation.
#[test]
fn thumbprint() {
    let key = public(&key(1));
    let required = ciborium::value::Value::Map(vec![
        (1.into(), 1.into()),
        ((-1).into(), 6.into()),
        ((-2).into(), ciborium::value::Value::Bytes(key.as_bytes().to_vec())),
    ]);
    let mut encoded = Vec::new();
    ciborium::into_writer(&required, &mut encoded).unwrap();
    assert_eq!(key.thumbprint().0, sha256(encoded).0);
    assert_eq!(key.thumbprint().kid().len(), 43);
}

#[test]
fn both_published_forms_read_back() {
    let keys = known_keys();
    let jwks = serde_json::to_vec_pretty(&keys.to_jwk_set()).unwrap();
    assert_eq!(KeySet::parse(&jwks).unwrap(), keys);
    assert_eq!(KeySet::parse(&keys.to_cose_key_set()).unwrap(), keys);
    let first = public(&key(1));
    let single = KeySet::parse(first.to_jwk().to_string().as_bytes()).unwrap();
    assert_eq!(single.iter().collect::<Vec<_>>(), [&first]);
    assert!(single.contains(&first.thumbprint()));
    assert!(!single.contains(&public(&key(2)).thumbprint()));
    let kids: Vec<_> = keys.iter().map(|key| key.thumbprint().kid()).collect();
    assert!(kids.is_sorted());
}

#[test]
fn other_libraries_understand_the_cose_key_set() {
    let set = CoseKeySet::from_slice(&known_keys().to_cose_key_set()).unwrap();
    assert_eq!(set.0.len(), 3);
    for (cose, ours) in set.0.iter().zip(known_keys().iter()) {
        assert_eq!(cose.key_id, ours.thumbprint().0);
        assert_eq!(cose.kty, coset::KeyType::Assigned(iana::KeyType::OKP));
    }
}

fn refuse_jwk(change: impl FnOnce(&mut serde_json::Value)) -> KeySetError {
    let mut set = known_keys().to_jwk_set();
    change(&mut set);
    KeySet::parse(set.to_string().as_bytes()).expect_err("a faulty set")
}

fn fault(error: KeySetError) -> KeyError {
    let KeySetError::Key { index: 1, error } = error else { panic!("{error}") };
    error
}

#[test]
fn faulty_jwk_sets_are_refused() {
    let other = public(&key(9));
    let error = fault(refuse_jwk(|set| set["keys"][1]["kid"] = other.thumbprint().kid().into()));
    assert!(matches!(error, KeyError::KidMismatch { .. }));
    for (member, value) in [
        ("kid", json!(7)),
        ("x", json!("AA")),
        ("x", json!(7)),
        ("kty", json!("EC")),
        ("crv", json!("X25519")),
        ("alg", json!("ES256")),
        ("d", json!("secret")),
    ] {
        let error = fault(refuse_jwk(|set| set["keys"][1][member] = value));
        assert!(!error.to_string().contains("secret"));
    }
    let repeated = refuse_jwk(|set| set["keys"][1] = set["keys"][0].clone());
    assert!(matches!(repeated, KeySetError::Repeated(_)));
    assert_eq!(refuse_jwk(|set| set["keys"] = json!([])), KeySetError::Size(0));
    assert_eq!(refuse_jwk(|set| set["keys"] = json!({})), KeySetError::Form);
}

#[test]
fn a_kid_may_be_absent_and_foreign_members_are_ignored() {
    let mut jwk = public(&key(1)).to_jwk();
    jwk.as_object_mut().unwrap().remove("kid");
    jwk["x5u"] = "https://deed.example/x".into();
    assert_eq!(PublicKey::from_jwk(&jwk).unwrap(), public(&key(1)));
}

#[test]
fn faulty_cose_key_sets_are_refused() {
    let refuse = |change: fn(&mut CoseKey)| {
        let mut set = CoseKeySet::from_slice(&known_keys().to_cose_key_set()).unwrap();
        change(&mut set.0[1]);
        fault(KeySet::parse(&set.to_vec().unwrap()).expect_err("a faulty set"))
    };
    assert!(matches!(refuse(|key| key.key_id[0] ^= 1), KeyError::KidMismatch { .. }));
    refuse(|key| key.params.truncate(1));
    refuse(|key| key.params[1].1 = ciborium::value::Value::Bytes(vec![1; 31]));
    refuse(|key| key.kty = coset::KeyType::Assigned(iana::KeyType::EC2));
    refuse(|key| key.params.push((coset::Label::Int(-4), ciborium::value::Value::Bytes(vec![1]))));
    refuse(|key| {
        key.alg = Some(coset::RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES256));
    });
}

#[test]
fn what_is_no_key_set() {
    for bytes in
        [&b""[..], b" ", b"[]", b"null", b"\x80", b"{}", b"{\"keys\":[1]}", b"\xa1\x01\x01"]
    {
        assert!(KeySet::parse(bytes).is_err(), "{bytes:?}");
    }
    let mut trailing = known_keys().to_cose_key_set();
    trailing.push(0);
    assert!(KeySet::parse(&trailing).is_err());
}

#[test]
fn a_signature_of_the_other_library_verifies() {
    let signature = key(1).sign(b"message").to_bytes();
    assert_eq!(public(&key(1)).verify_strict(b"message", &signature), Ok(()));
    assert!(public(&key(2)).verify_strict(b"message", &signature).is_err());
}
