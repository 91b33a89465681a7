//! Statements: our encoding against another library's, and everything the decoder refuses.

use ciborium::value::Value as Cbor;
use coset::{
    CborSerializable as _, CoseSign1, CoseSign1Builder, Header, TaggedCborSerializable as _,
};
use deed_chain::{
    Claims, Entry, Hash, Link,
    entry::{CborError, EntryError, decode},
    hash::leaf_hash,
    sha256,
};
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use crate::world::{id, key, public, seal};

fn claims(link: Option<Link>) -> Claims {
    Claims { issuer: "https://deed.example".into(), subject: id(1), issued_at: 1_790_000_000, link }
}

fn link() -> Link {
    Link { position: 300, previous: Hash([7; 32]), epoch: 2 }
}

/// The protected header as the wire format lists it, by way of ciborium.
fn header(claims: &Claims, kid: &[u8]) -> Vec<u8> {
    let mut cwt: Vec<(Cbor, Cbor)> = vec![
        (1.into(), claims.issuer.clone().into()),
        (2.into(), format!("urn:uuid:{}", claims.subject).into()),
        (6.into(), claims.issued_at.into()),
    ];
    if let Some(link) = claims.link {
        cwt.push(((-70_001).into(), link.position.into()));
        cwt.push(((-70_002).into(), Cbor::Bytes(link.previous.0.to_vec())));
        cwt.push(((-70_003).into(), link.epoch.into()));
    }
    let header = Cbor::Map(vec![
        (1.into(), (-8).into()),
        (4.into(), Cbor::Bytes(kid.to_vec())),
        (15.into(), Cbor::Map(cwt)),
        (16.into(), "application/scitt-statement+cose".into()),
        (258.into(), (-16).into()),
        (259.into(), "application/json".into()),
    ]);
    let mut bytes = Vec::new();
    ciborium::into_writer(&header, &mut bytes).unwrap();
    bytes
}

fn arbitrary_claims() -> impl Strategy<Value = Claims> {
    let link = (any::<u64>(), any::<[u8; 32]>(), any::<u64>())
        .prop_map(|(position, previous, epoch)| Link { position, previous: Hash(previous), epoch });
    ("\\PC{1,40}", any::<u128>(), any::<i64>(), prop::option::of(link)).prop_map(
        |(issuer, subject, issued_at, link)| Claims {
            issuer,
            subject: Uuid::from_u128(subject),
            issued_at,
            link,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn coset_reads_what_we_write(claims in arbitrary_claims(), text in "[a-z]{0,20}") {
        let body = json!({ "text": text });
        let entry = seal(&key(1), &claims, &body);
        let sign1 = CoseSign1::from_tagged_slice(entry.as_bytes()).unwrap();
        let kid = public(&key(1)).thumbprint();
        prop_assert_eq!(sign1.protected.original_data.as_deref(), Some(&*header(&claims, &kid.0)));
        prop_assert_eq!(&sign1.protected.header.key_id, &kid.0);
        prop_assert!(sign1.unprotected.is_empty());
        let payload = sha256(body.to_string());
        prop_assert_eq!(sign1.payload.as_deref(), Some(&payload.0[..]));
        let decoded = entry.decode().unwrap();
        prop_assert_eq!(sign1.tbs_data(&[]), decoded.to_be_signed());
        prop_assert_eq!(&decoded.claims, &claims);
        prop_assert_eq!(decoded.body_hash, payload);
        prop_assert_eq!(decoded.verify(&public(&key(1))), Ok(()));
        prop_assert!(decoded.verify(&public(&key(2))).is_err());
        prop_assert_eq!(entry.hash(), leaf_hash(entry.as_bytes()));
    }

    #[test]
    fn a_damaged_statement_is_refused_or_not_signed(
        place: prop::sample::Index, flip in 1..=255_u8, linked: bool,
    ) {
        let entry = seal(&key(1), &claims(linked.then(link)), &json!({}));
        let mut bytes = entry.into_bytes();
        let place = place.index(bytes.len());
        bytes[place] ^= flip;
        if let Ok(decoded) = decode(&bytes) {
            prop_assert!(decoded.verify(&public(&key(1))).is_err(), "byte {}", place);
        }
        prop_assert!(decode(&bytes[..place]).is_err());
    }
}

/// A statement around `protected`, by way of coset.
fn statement(protected: Vec<u8>, unprotected: Header, payload: &[u8], signature: &[u8]) -> Vec<u8> {
    let sign1 = CoseSign1Builder::new()
        .unprotected(unprotected)
        .payload(payload.to_vec())
        .signature(signature.to_vec())
        .build();
    let Cbor::Array(mut items) = Cbor::from_slice(&sign1.to_vec().unwrap()).unwrap() else {
        panic!("a COSE_Sign1 is an array")
    };
    items[0] = Cbor::Bytes(protected);
    let mut bytes = Vec::new();
    ciborium::into_writer(&Cbor::Tag(18, Box::new(Cbor::Array(items))), &mut bytes).unwrap();
    bytes
}

/// The decoder's answer to a header that `change` altered.
fn refuse_header(change: impl FnOnce(&mut Vec<(Cbor, Cbor)>)) -> EntryError {
    let original = header(&claims(Some(link())), &[1; 32]);
    let Ok(Cbor::Map(mut labels)) = Cbor::from_slice(&original) else { panic!("a map") };
    change(&mut labels);
    let mut protected = Vec::new();
    ciborium::into_writer(&Cbor::Map(labels), &mut protected).unwrap();
    let bytes = statement(protected, Header::default(), &[2; 32], &[3; 64]);
    decode(&bytes).expect_err("an altered header")
}

fn refuse_claims(change: impl FnOnce(&mut Vec<(Cbor, Cbor)>)) -> EntryError {
    refuse_header(|labels| {
        let Cbor::Map(claims) = &mut labels[2].1 else { panic!("claims") };
        change(claims);
    })
}

#[test]
fn the_unaltered_statement_is_read() {
    let protected = header(&claims(Some(link())), &[1; 32]);
    let bytes = statement(protected, Header::default(), &[2; 32], &[3; 64]);
    assert_eq!(decode(&bytes).unwrap().claims, claims(Some(link())));
}

#[test]
fn other_headers_are_refused() {
    let count = |found| EntryError::LabelCount { what: "the protected header", found };
    let crit = |labels: &mut Vec<(Cbor, Cbor)>| labels.insert(1, (2.into(), Cbor::Array(vec![])));
    assert_eq!(refuse_header(crit), count(7));
    assert_eq!(refuse_header(|labels| labels.push((260.into(), "x".into()))), count(7));
    assert_eq!(refuse_header(|labels| drop(labels.pop())), count(5));
    let swapped = refuse_header(|labels| labels.swap(4, 5));
    assert_eq!(swapped, EntryError::Label { expected: 258, found: 259 });
    let content_type = refuse_header(|labels| labels[3].0 = 3.into());
    assert_eq!(content_type, EntryError::Label { expected: 16, found: 3 });
    let other = |label, problem| EntryError::Value { label, problem };
    let algorithm = "not the algorithm of the wire format";
    assert_eq!(refuse_header(|labels| labels[0].1 = (-7).into()), other(1, algorithm));
    assert_eq!(refuse_header(|labels| labels[4].1 = (-44).into()), other(258, algorithm));
    let media_type = "not the media type of the wire format";
    assert_eq!(refuse_header(|labels| labels[3].1 = "text/plain".into()), other(16, media_type));
    let short = refuse_header(|labels| labels[1].1 = Cbor::Bytes(vec![1; 31]));
    assert!(matches!(short, EntryError::Cbor(CborError::Expected { .. })), "{short}");
}

#[test]
fn other_claims_are_refused() {
    let count = |found| EntryError::LabelCount { what: "the claim set", found };
    assert_eq!(refuse_claims(|claims| drop(claims.pop())), count(5));
    assert_eq!(refuse_claims(|claims| claims.push((4.into(), 1.into()))), count(7));
    let label = refuse_claims(|claims| claims[5].0 = (-70_004).into());
    assert_eq!(label, EntryError::Label { expected: -70_003, found: -70_004 });
    for subject in [
        "urn:uuid:01990000-0000-7000-8000-00000000000A",
        "urn:uuid:01990000000070008000000000000001",
        "uuid:01990000-0000-7000-8000-000000000001",
        "urn:uuid:urn:uuid:01990000-0000-7000-8000-000000000001",
        "",
    ] {
        let error = refuse_claims(|claims| claims[1].1 = subject.into());
        assert!(matches!(error, EntryError::Value { label: 2, .. }), "{subject}: {error}");
    }
    for issuer in [String::new(), "x".repeat(2049)] {
        let error = refuse_claims(|claims| claims[0].1 = issuer.into());
        assert!(matches!(error, EntryError::Value { label: 1, .. }), "{error}");
    }
    let float = refuse_claims(|claims| claims[2].1 = Cbor::Float(1.5));
    assert!(matches!(float, EntryError::Cbor(_)), "{float}");
    let negative = refuse_claims(|claims| claims[3].1 = (-1).into());
    assert!(matches!(negative, EntryError::Cbor(_)), "{negative}");
}

#[test]
fn other_envelopes_are_refused() {
    let protected = || header(&claims(None), &[1; 32]);
    let plain = Header::default();
    let unprotected = Header { key_id: vec![1], ..Header::default() };
    for bytes in [
        statement(protected(), unprotected, &[2; 32], &[3; 64]),
        statement(protected(), plain.clone(), &[2; 31], &[3; 64]),
        statement(protected(), plain.clone(), &[2; 33], &[3; 64]),
        statement(protected(), plain.clone(), &[2; 32], &[3; 63]),
        statement(Vec::new(), plain.clone(), &[2; 32], &[3; 64]),
        statement([protected(), vec![0]].concat(), plain.clone(), &[2; 32], &[3; 64]),
    ] {
        assert!(decode(&bytes).is_err());
    }
    let good = statement(protected(), plain, &[2; 32], &[3; 64]);
    assert!(decode(&good).is_ok());
    assert_eq!(decode(&good[1..]), Err(EntryError::NotCoseSign1), "untagged");
    let other_tag = [&[0xd1], &good[1..]].concat();
    assert_eq!(decode(&other_tag), Err(EntryError::NotCoseSign1));
    let trailing = [&good[..], &[0]].concat();
    let end = EntryError::Cbor(CborError::Trailing(good.len()));
    assert_eq!(decode(&trailing), Err(end));
}

#[test]
fn other_encodings_of_the_same_content_are_refused() {
    let good = seal(&key(1), &claims(None), &json!({})).into_bytes();
    let longer_array = [&good[..1], &[0x98, 4], &good[2..]].concat();
    let indefinite = [&good[..1], &[0x9f], &good[2..], &[0xff]].concat();
    let longer_tag = [&[0xd8, 18], &good[1..]].concat();
    for bytes in [longer_array, indefinite, longer_tag] {
        assert!(decode(&bytes).is_err(), "{}", hex::encode(bytes));
    }
    // Lengths that promise more than there is, up to the whole address space.
    let huge = [&good[..2], &[0x5b], &[0xff; 8][..]].concat();
    assert!(matches!(decode(&huge), Err(EntryError::Cbor(CborError::Truncated(_)))));
}

#[test]
fn text_form_of_an_entry() {
    let entry = seal(&key(1), &claims(None), &json!({}));
    let text = serde_json::to_string(&entry).unwrap();
    assert_eq!(text, format!("\"{}\"", entry.to_base64url()));
    assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
    assert!(serde_json::from_str::<Entry>("\"a+b\"").is_err());
    let hash = entry.hash();
    assert_eq!(hash.to_string().parse(), Ok(hash));
    assert!(hash.to_string().to_uppercase().parse::<Hash>().is_err());
    assert!(serde_json::from_str::<Hash>(&serde_json::to_string(&hash).unwrap()).unwrap() == hash);
    assert!("00".parse::<Hash>().is_err());
}
