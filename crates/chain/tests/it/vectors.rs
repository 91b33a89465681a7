//! `testdata/vectors/` holds what this crate writes, byte for byte. `UPDATE_VECTORS=1` writes it
//! anew; a difference without that is a change of the wire format.

use std::{collections::BTreeMap, fs, path::PathBuf};

use coset::{CoseSign1, TaggedCborSerializable as _};
use deed_chain::{
    Claims, Entry, Hash, KeySet, Link, PublicKey, base64url, body::body_hash, json, sha256,
};
use deed_chain::{
    anchor::{self, Anchor, Sealed},
    checkpoint::Checkpoint,
};
use serde_json::{Value, json};

use crate::{
    cases::{self, Case, Expected, installation},
    world::{ISSUER, START, id, key, known_keys, public, salt, seal},
};

/// Files by their path in the folder.
type Files = BTreeMap<String, Vec<u8>>;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/vectors")
}

#[test]
fn vectors_are_byte_exact() {
    let files = files();
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        fs::remove_dir_all(folder().join("bundles")).unwrap_or_default();
        fs::create_dir_all(folder().join("bundles")).unwrap();
        for (name, bytes) in &files {
            fs::write(folder().join(name), bytes).unwrap();
        }
    }
    for (name, bytes) in &files {
        let stored = fs::read(folder().join(name)).unwrap_or_default();
        assert!(stored == *bytes, "{name} differs: UPDATE_VECTORS=1 writes it anew");
    }
    let stored = fs::read_dir(folder().join("bundles")).unwrap().count();
    let expected = files.keys().filter(|name| name.starts_with("bundles/")).count();
    assert_eq!(stored, expected, "files in bundles/ that no case made");
}

fn files() -> Files {
    let mut files = Files::new();
    let mut add = |name: &str, value: Value| {
        let text = serde_json::to_string_pretty(&value).unwrap() + "\n";
        files.insert(name.to_owned(), text.into_bytes());
    };
    add("canonical-json.json", canonical_json());
    add("keys.json", keys());
    add("trusted-keys.json", known_keys().to_jwk_set());
    add("genesis.json", genesis());
    add("entry.json", entries());
    add("checkpoint.json", checkpoints());
    let cases = cases::all();
    let listed: Vec<_> = cases.iter().map(describe).collect();
    add("bundles.json", json!({"trustedKeys": "trusted-keys.json", "cases": listed}));
    for case in cases {
        files.insert(format!("bundles/{}.json", case.name), case.bytes);
    }
    files
}

fn describe(case: &Case) -> Value {
    let mut value = json!({
        "file": format!("bundles/{}.json", case.name),
        "about": case.about,
        "verdict": match case.expected {
            Expected::Valid => "valid",
            Expected::CannotTell => "cannot-tell",
            Expected::Tampered { .. } => "tampered",
        },
    });
    if let Expected::Tampered { reason, record, position } = case.expected {
        value["reason"] = reason.code().into();
        value["record"] = json!(record);
        value["position"] = json!(position);
    }
    value
}

fn canonical_json() -> Value {
    let canonical = [
        r#"{ "b": 1, "a": [ true, false, null ], "": {} }"#,
        r#"{"numbers":[1.0,1e2,-0,0.1,1e21,1e-7,9007199254740992,12345678901234567000]}"#,
        r#"{"\u20ac":"Euro","\r":"CR","\ufb33":"Dalet","1":"one","\ud83d\ude00":"smile","\u0080":"C1","\u00f6":"o"}"#,
        r#""\u0008\u0009\u000a\u000c\u000d\u001f\u007f\u2028\"\\\/<>""#,
        r#"[[],{},"",0,{"a":{"b":{"c":[]}}}]"#,
    ];
    let canonical = canonical.map(|input| {
        let bytes = json::canonical(&json::parse(input.as_bytes(), 64).unwrap());
        let hash = sha256(&bytes);
        json!({"input": input, "canonical": String::from_utf8(bytes).unwrap(), "sha256": hash})
    });
    let refused = [
        r#"{"a":1,"a":1}"#,
        r#"{"a":[{"b":1,"\u0062":2}]}"#,
        r#"{"n":9007199254740993}"#,
        "[1e400]",
        "0.1000000000000000055511",
        r#"{"a":"\u0000"}"#,
        r#"{"a\u0000":1}"#,
        r#""\ud800""#,
        "{} {}",
        "[1,]",
        "",
    ];
    let refused = refused.map(|input| {
        let error = json::parse(input.as_bytes(), 64).unwrap_err();
        json!({"input": input, "error": kind(&error), "pointer": error.pointer()})
    });
    json!({"canonical": canonical, "refused": refused})
}

fn kind(error: &json::JsonError) -> &'static str {
    match error {
        json::JsonError::NotUtf8 { .. } => "not-utf8",
        json::JsonError::TooDeep { .. } => "too-deep",
        json::JsonError::DuplicateKey { .. } => "duplicate-key",
        json::JsonError::InexactNumber { .. } => "inexact-number",
        json::JsonError::Nul { .. } => "nul",
        json::JsonError::Syntax { .. } => "syntax",
    }
}

fn keys() -> Value {
    let keys = [1, 2, 3].map(|seed| {
        let public = public(&key(seed));
        let own: KeySet = [public.clone()].into_iter().collect();
        json!({
            "seed": hex::encode([seed; 32]),
            "publicKey": hex::encode(public.as_bytes()),
            "thumbprint": hex::encode(public.thumbprint().0),
            "kid": public.thumbprint().kid(),
            "jwk": public.to_jwk(),
            "coseKeySetOfOne": hex::encode(own.to_cose_key_set()),
        })
    });
    let refused = [
        [0; 32],
        {
            let mut one = [0; 32];
            one[0] = 1;
            one
        },
        [0xff; 32],
    ]
    .map(|bytes| {
        let error = PublicKey::from_bytes(&bytes).unwrap_err();
        json!({"publicKey": hex::encode(bytes), "error": error.to_string()})
    });
    let cose = hex::encode(known_keys().to_cose_key_set());
    json!({
        "keys": keys,
        "jwkSet": known_keys().to_jwk_set(),
        "coseKeySet": cose,
        "refused": refused,
    })
}

/// Everything an implementation passes through on the way from a body to an entry hash.
fn statement(name: &str, entry: &Entry, body: &Value) -> Value {
    let decoded = entry.decode().unwrap();
    let sign1 = CoseSign1::from_tagged_slice(entry.as_bytes()).unwrap();
    let (canonical, hash) = body_hash(body);
    let claims = &decoded.claims;
    json!({
        "name": name,
        "claims": {
            "issuer": claims.issuer,
            "subject": claims.subject,
            "issuedAt": claims.issued_at,
            "link": claims.link.map(|link| json!({
                "position": link.position,
                "previous": link.previous,
                "epoch": link.epoch,
            })),
        },
        "kid": hex::encode(decoded.kid.0),
        "body": body,
        "canonicalBody": String::from_utf8(canonical).unwrap(),
        "bodyHash": hash,
        "protected": hex::encode(sign1.protected.original_data.unwrap()),
        "toBeSigned": hex::encode(decoded.to_be_signed()),
        "signature": hex::encode(decoded.signature),
        "statement": hex::encode(entry.as_bytes()),
        "statementBase64url": entry.to_base64url(),
        "entryHash": entry.hash(),
    })
}

fn genesis() -> Value {
    let installation = installation();
    let (entry, body) = &installation.genesis;
    json!({"seed": hex::encode([1; 32]), "genesis": statement("genesis", entry, body)})
}

/// Checkpoints, and the anchor object of them.
fn checkpoints() -> Value {
    let installation = installation();
    let (_, records) = installation.tree();
    let (mut all, mut sealed) = (Vec::new(), Vec::new());
    for (n, record) in records.iter().take(2).enumerate() {
        let head = record.1.last().unwrap().0.hash();
        let checkpoint = Checkpoint { record: record.0, size: record.1.len() as u64, head };
        let body = checkpoint.body(&salt(&format!("checkpoint {n}")));
        let claims = Claims {
            issuer: ISSUER.to_owned(),
            subject: checkpoint.record,
            issued_at: START + 3600,
            link: None,
        };
        let entry = seal(&installation.key, &claims, &body);
        let (statement_bytes, body_bytes) = (entry.as_bytes().to_vec(), json::canonical(&body));
        sealed.push(Sealed { statement: statement_bytes, body: body_bytes });
        all.push(statement("checkpoint", &entry, &body));
    }
    let anchor = Anchor {
        issuer: ISSUER.to_owned(),
        installation: installation.id,
        number: 42,
        checkpoints: sealed,
    };
    let object = String::from_utf8(anchor.to_bytes()).unwrap();
    json!({
        "checkpoints": all,
        "anchor": {
            "key": anchor::key(installation.id, 42),
            "sha256": sha256(&object),
            "object": object,
        },
    })
}

fn entries() -> Value {
    let installation = installation();
    let (_, records) = installation.tree();
    let (first, body) = &records[0].1[0];
    let mut statements = vec![statement("first entry of a record", first, body.as_ref().unwrap())];
    let (child, body) = &records[1].1[0];
    statements.push(statement("first entry of a child", child, body.as_ref().unwrap()));
    let link = Link { position: 70_000, previous: Hash([0xab; 32]), epoch: 256 };
    let claims = |link| Claims { issuer: ISSUER.into(), subject: id(9), issued_at: START, link };
    let salt = base64url::encode(salt("vector"));
    let body = json!({"kind": "note.added", "salt": salt, "text": "Grüße"});
    let far = seal(&key(2), &claims(Some(link)), &body);
    statements.push(statement("numbers of several lengths", &far, &body));
    let unlinked = seal(&key(1), &claims(None), &body);
    statements.push(statement("no place in a chain", &unlinked, &body));
    json!({"statements": statements})
}

/// The annotated statement in the specification is that of the vectors.
#[test]
fn the_example_in_the_specification_is_a_vector() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec/entry.md");
    let text = fs::read_to_string(path).unwrap();
    let example = &text[text.find("\nd2 84").unwrap()..text.find("\nentry hash 5c").unwrap()];
    let is_hex = |token: &&str| token.len().is_multiple_of(2) && hex::decode(token).is_ok();
    let bytes: String =
        example.lines().flat_map(|line| line.split_whitespace().take_while(is_hex)).collect();
    let first = &entries()["statements"][0];
    assert_eq!(bytes, first["statement"].as_str().unwrap());
    assert!(text.contains(first["entryHash"].as_str().unwrap()));
    assert!(text.contains(first["bodyHash"].as_str().unwrap()));
}
