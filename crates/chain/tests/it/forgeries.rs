//! The bad documents: what an attacker with and without the signing key could try.

use deed_chain::{Entry, KeySet, PublicKey, base64url, verify::Reason};
use serde_json::{Value, json};

use crate::{
    cases::{
        CHILD, Case, Expected, ROOT, at, bad, elsewhere, foreign_body, in_part, in_record,
        linked_export, recode, regenesis, reissue, reseal, reseal_with, tree,
    },
    world::{ISSUER, Installation, id, key, public, seal},
};

/// The group order L, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Replaces S of a signature by S + L, which verifies wherever the range of S is not checked.
pub(crate) fn add_order(signature: &mut [u8]) {
    let mut carry = 0;
    for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0, "S + L fits 32 bytes");
}

fn raw(
    name: &'static str,
    about: &'static str,
    expected: Expected,
    change: impl FnOnce(String) -> String,
) -> Case {
    let text = String::from_utf8(tree().to_bytes()).unwrap();
    Case { name, about, bytes: change(text).into_bytes(), expected }
}

pub(crate) fn documents() -> Vec<Case> {
    vec![
        raw("newer-format", "a later version", Expected::CannotTell, |text| {
            text.replace("deed-export/1", "deed-export/2")
        }),
        raw("other-format", "no export", in_part(Reason::Malformed), |text| {
            text.replace("deed-export/1", "deed-import/1")
        }),
        raw("newline", "a trailing newline", in_part(Reason::NotCanonical), |text| text + "\n"),
        raw("duplicate-key", "a member twice", in_part(Reason::Malformed), |text| {
            text.replacen('{', "{\"issuer\":\"https://deed.example\",", 1)
        }),
        raw("truncated", "the second half is missing", in_part(Reason::Malformed), |text| {
            text[..text.len() / 2].to_owned()
        }),
        raw("unknown-member", "a member too many", in_part(Reason::Malformed), |text| {
            text.replacen("{\"export\"", "{\"comment\":\"harmless\",\"export\"", 1)
        }),
        raw("erased-false", "a false spelled out", in_part(Reason::Malformed), |text| {
            text.replacen(",\"hash\":", ",\"erased\":false,\"hash\":", 1)
        }),
        bad("upper-case-id", "a UUID in capitals", in_part(Reason::Malformed), |bundle| {
            bundle.installation_id = bundle.installation_id.to_uppercase() + "A";
        }),
    ]
}

pub(crate) fn keys() -> Vec<Case> {
    vec![
        another_key(),
        forged_key(),
        bad("small-order-key", "the neutral element as key", in_part(Reason::WeakKey), |bundle| {
            let mut x = [0; 32];
            x[0] = 1;
            bundle.keys[0]["x"] = base64url::encode(x).into();
        }),
        bad("key-not-canonical", "y is not below p", in_part(Reason::InvalidKey), |bundle| {
            let mut x = [0xff; 32];
            (x[0], x[31]) = (0xf0, 0x7f);
            bundle.keys[0]["x"] = base64url::encode(x).into();
        }),
        bad("kid-mismatch", "another key under the kid", in_part(Reason::KidMismatch), |bundle| {
            bundle.keys[0]["x"] = base64url::encode(public(&key(2)).as_bytes()).into();
        }),
        bad("key-member", "a member too many in a key", in_part(Reason::InvalidKey), |bundle| {
            bundle.keys[0]["note"] = "x".into();
        }),
        bad("key-repeated", "a key twice", in_part(Reason::KeyOrder), |bundle| {
            bundle.keys.push(bundle.keys[0].clone());
        }),
        bad("key-unused", "a key that signed nothing", in_part(Reason::UnusedKey), |bundle| {
            let keys: KeySet = [1, 2].map(|seed| public(&key(seed))).into_iter().collect();
            bundle.keys = keys.iter().map(PublicKey::to_jwk).collect();
        }),
        bad("key-missing", "no keys at all", in_part(Reason::UnknownKey), |bundle| {
            bundle.keys.clear();
        }),
    ]
}

/// Everything signed anew by a key of the forger's own.
fn another_key() -> Case {
    let forger = Installation::with_key(100, ISSUER, key(66));
    let (root, records) = forger.tree();
    let known = [public(&key(66))].into_iter().collect();
    let bundle = forger.export_knowing(&known, root, records);
    Case {
        name: "another-key",
        about: "a consistent document under a key that is not the installation's",
        bytes: bundle.to_bytes(),
        expected: in_part(Reason::UntrustedKey),
    }
}

/// An entry signed by a key of the forger's own that the document does not list.
fn forged_key() -> Case {
    bad("unlisted-key", "an entry under a key not listed", at(Reason::UnknownKey, ROOT, 1), |b| {
        let entry = &mut b.records[0].entries[1];
        let claims = Entry::from_base64url(&entry.statement).unwrap().decode().unwrap().claims;
        let forged = seal(&key(66), &claims, &entry.body);
        entry.hash = forged.hash().to_string();
        entry.statement = forged.to_base64url();
    })
}

pub(crate) fn statements() -> Vec<Case> {
    let entry = |reason| at(reason, ROOT, 1);
    vec![
        bad("statement-trailing", "a byte too many", entry(Reason::StatementMalformed), |bundle| {
            recode(&mut bundle.records[0].entries[1].statement, |bytes| bytes.push(0));
        }),
        bad("statement-long-head", "a longer head", entry(Reason::StatementMalformed), |bundle| {
            recode(&mut bundle.records[0].entries[1].statement, |bytes| {
                bytes.splice(1..2, [0x98, 4]);
            });
        }),
        bad("statement-unprotected", "a header", entry(Reason::StatementMalformed), |bundle| {
            recode(&mut bundle.records[0].entries[1].statement, |bytes| {
                let end = bytes.len() - 101;
                bytes.splice(end..=end, [0xa1, 0x04, 0x41, 0x00]);
            });
        }),
        bad("statement-padding", "base64 padding", entry(Reason::StatementMalformed), |bundle| {
            bundle.records[0].entries[1].statement.push('=');
        }),
        bad("signature-changed", "one bit of R", entry(Reason::SignatureInvalid), |bundle| {
            recode(&mut bundle.records[0].entries[1].statement, |bytes| {
                let end = bytes.len() - 64;
                bytes[end] ^= 1;
            });
        }),
        bad("payload-changed", "one bit", entry(Reason::SignatureInvalid), |bundle| {
            recode(&mut bundle.records[0].entries[1].statement, |bytes| {
                let end = bytes.len() - 67;
                bytes[end] ^= 1;
            });
        }),
        bad("s-plus-l", "S + L instead of S", entry(Reason::SignatureNotCanonical), |bundle| {
            recode(&mut bundle.records[0].entries[1].statement, |bytes| {
                let end = bytes.len() - 64;
                add_order(&mut bytes[end..]);
            });
        }),
        bad("time-range", "issued before 1970", entry(Reason::IssuedAtRange), |bundle| {
            reissue(bundle, 0, 1, |claims, _| claims.issued_at = -1);
        }),
        bad(
            "other-issuer",
            "an entry of another issuer",
            entry(Reason::IssuerMismatch),
            |bundle| {
                reissue(bundle, 0, 1, |claims, _| claims.issuer.push('s'));
            },
        ),
        bad("issuer-renamed", "the issuer renamed", in_part(Reason::IssuerMismatch), |bundle| {
            bundle.issuer.push('s');
        }),
        bad("id-renamed", "the installation", in_part(Reason::InstallationMismatch), |bundle| {
            bundle.installation_id = id(200).to_string();
        }),
    ]
}

pub(crate) fn chains() -> Vec<Case> {
    let mut cases = edited_chains();
    cases.extend(reissued_chains());
    cases
}

/// What anybody can do with an editor.
fn edited_chains() -> Vec<Case> {
    vec![
        bad("hash-changed", "another hash", at(Reason::HashMismatch, ROOT, 1), |bundle| {
            bundle.records[0].entries[1].hash = "0".repeat(64);
        }),
        bad("position-changed", "a number", at(Reason::PositionMismatch, ROOT, 1), |bundle| {
            bundle.records[0].entries[1].position = 2;
        }),
        bad("dropped-first", "entry 0 dropped", at(Reason::PositionSequence, ROOT, 0), |bundle| {
            bundle.records[0].entries.remove(0);
        }),
        bad("dropped-middle", "entry 1 dropped", at(Reason::PositionSequence, ROOT, 1), |bundle| {
            bundle.records[0].entries.remove(1);
        }),
        bad(
            "dropped-tail",
            "the last entry dropped",
            at(Reason::EntryMissing, ROOT, 2),
            |bundle| {
                bundle.records[0].entries.pop();
            },
        ),
        bad("repeated", "entry 1 twice", at(Reason::PositionSequence, ROOT, 2), |bundle| {
            let entry = bundle.records[0].entries[1].clone();
            bundle.records[0].entries.insert(2, entry);
        }),
        bad("swapped", "entries 1 and 2", at(Reason::PositionSequence, ROOT, 1), |bundle| {
            bundle.records[0].entries.swap(1, 2);
        }),
        bad("transplanted", "to the child", at(Reason::SubjectMismatch, CHILD, 1), |bundle| {
            bundle.records[1].entries[1] = bundle.records[0].entries[1].clone();
        }),
        bad(
            "elsewhere-first",
            "entry 0 of a twin",
            at(Reason::GenesisMismatch, ROOT, 0),
            |bundle| {
                bundle.records[0].entries[0] = elsewhere().records[0].entries[0].clone();
            },
        ),
        bad("elsewhere-second", "of a twin", at(Reason::PreviousMismatch, ROOT, 1), |bundle| {
            bundle.records[0].entries[1] = elsewhere().records[0].entries[1].clone();
        }),
        bad(
            "emptied",
            "a record without entries",
            in_record(Reason::RecordEmpty, CHILD),
            |bundle| {
                bundle.records[1].entries.clear();
            },
        ),
        bad("export-as-entry", "a statement", at(Reason::LinkMissing, ROOT, 1), |bundle| {
            let export = bundle.export.clone();
            let entry = &mut bundle.records[0].entries[1];
            let statement = Entry::from_base64url(&export.statement).unwrap();
            entry.hash = statement.hash().to_string();
            (entry.statement, entry.body) = (export.statement, export.body);
        }),
    ]
}

/// What an owner of the signing key could do who signs the export anew as well.
fn reissued_chains() -> Vec<Case> {
    vec![
        bad("rewritten", "entry 1 signed anew", at(Reason::PreviousMismatch, ROOT, 2), |bundle| {
            let last = bundle.records[0].entries[2].clone();
            reissue(bundle, 0, 1, |_, body| body["text"] = "other".into());
            bundle.records[0].entries[2] = last;
            reseal(bundle, &key(1));
        }),
        bad("renumbered", "a position left out", at(Reason::PositionSequence, ROOT, 2), |bundle| {
            bundle.records[0].entries[2].position = 3;
            reissue(bundle, 0, 2, |claims, _| claims.link.as_mut().unwrap().position = 3);
        }),
        bad("epoch-back", "an epoch before", at(Reason::EpochDecreased, ROOT, 2), |bundle| {
            reissue(bundle, 0, 1, |claims, _| claims.link.as_mut().unwrap().epoch = 1);
        }),
        bad("genesis-kind", "another kind", in_part(Reason::GenesisInvalid), |bundle| {
            regenesis(bundle, |_, body| body["kind"] = "note.added".into());
        }),
        bad("genesis-time", "another time", in_part(Reason::GenesisInvalid), |bundle| {
            regenesis(bundle, |claims, _| claims.issued_at = crate::cases::CREATED + 1);
        }),
        bad("genesis-key", "another key inside", in_part(Reason::GenesisInvalid), |bundle| {
            regenesis(bundle, |_, body| body["key"] = public(&key(2)).to_jwk());
        }),
        bad("genesis-anew", "signed anew", at(Reason::GenesisMismatch, ROOT, 0), |bundle| {
            regenesis(bundle, |_, body| body["registrationPolicy"]["curve"] = "P-256".into());
        }),
    ]
}

pub(crate) fn bodies() -> Vec<Case> {
    let entry = |reason| at(reason, ROOT, 1);
    vec![
        bad("body-changed", "one letter", entry(Reason::BodyHashMismatch), |bundle| {
            bundle.records[0].entries[1].body["text"] = "note 7".into();
        }),
        bad("body-exchanged", "another body", entry(Reason::BodyHashMismatch), |bundle| {
            bundle.records[0].entries[1].body = foreign_body();
        }),
        bad("body-missing", "null, not marked", entry(Reason::BodyMissing), |bundle| {
            bundle.records[0].entries[1].body = Value::Null;
        }),
        bad("body-marked", "marked, not null", entry(Reason::BodyMissing), |bundle| {
            bundle.records[0].entries[1].erased = true;
        }),
        bad("body-removed", "marked as erased", entry(Reason::ErasureUnproven), |bundle| {
            bundle.records[0].entries[1].erased = true;
            bundle.records[0].entries[1].body = Value::Null;
        }),
        bad("body-unsalted", "no salt", entry(Reason::BodyMalformed), |bundle| {
            reissue(bundle, 0, 1, |_, body| {
                body.as_object_mut().unwrap().remove("salt");
            });
        }),
        bad("body-short-salt", "21 characters", entry(Reason::BodyMalformed), |bundle| {
            reissue(bundle, 0, 1, |_, body| body["salt"] = "AAAAAAAAAAAAAAAAAAAAA".into());
        }),
        bad("body-no-kind", "an empty kind", entry(Reason::BodyMalformed), |bundle| {
            reissue(bundle, 0, 1, |_, body| body["kind"] = "".into());
        }),
        bad("parent-form", "more members", at(Reason::BodyMalformed, CHILD, 0), |bundle| {
            reissue(bundle, 1, 0, |_, body| body["parent"]["note"] = "x".into());
        }),
        bad("parent-mismatch", "no entry", at(Reason::ParentMismatch, CHILD, 0), |bundle| {
            reissue(bundle, 1, 0, |_, body| body["parent"]["entryHash"] = "0".repeat(64).into());
        }),
        bad("parent-elsewhere", "not here", at(Reason::OrphanRecord, CHILD, 0), |bundle| {
            reissue(bundle, 1, 0, |_, body| body["parent"]["recordId"] = json!(id(77)));
        }),
        bad("parent-absent", "no parent", at(Reason::OrphanRecord, CHILD, 0), |bundle| {
            reissue(bundle, 1, 0, |_, body| {
                body.as_object_mut().unwrap().remove("parent");
            });
        }),
    ]
}

pub(crate) fn exports() -> Vec<Case> {
    let mut cases = vec![
        bad("dropped-child", "the child", in_record(Reason::RecordMissing, CHILD), |bundle| {
            bundle.records.pop();
        }),
        bad("dropped-root", "the root", in_record(Reason::RecordMissing, ROOT), |bundle| {
            bundle.records.remove(0);
        }),
        bad("added-record", "a record more", in_record(Reason::RecordUnlisted, 3), |bundle| {
            let mut record = bundle.records[1].clone();
            record.id = id(3).to_string();
            bundle.records.push(record);
        }),
        bad("swapped-records", "other order", in_record(Reason::RecordOrder, ROOT), |bundle| {
            bundle.records.swap(0, 1);
        }),
        bad("repeated-record", "twice", in_record(Reason::RecordOrder, CHILD), |bundle| {
            let record = bundle.records[1].clone();
            bundle.records.push(record);
        }),
    ];
    cases.extend(resealed_exports());
    cases
}

/// Export statements that say something else, validly signed.
fn resealed_exports() -> Vec<Case> {
    let body = |name, about, expected, change: fn(&mut Value)| {
        bad(name, about, expected, move |bundle| {
            let mut body = bundle.export.body.clone();
            change(&mut body);
            reseal_with(bundle, &key(1), body, |_| {});
        })
    };
    let invalid = in_part(Reason::ExportInvalid);
    vec![
        bad("export-linked", "a place in a chain", invalid, linked_export),
        bad("export-other-root", "subject", in_part(Reason::RootMismatch), |bundle| {
            let body = bundle.export.body.clone();
            reseal_with(bundle, &key(1), body, |claims| claims.subject = id(CHILD));
        }),
        body("export-kind", "another kind", invalid, |body| body["kind"] = "import".into()),
        body("export-time", "another time", invalid, |body| {
            body["exportedAt"] = "2026-01-01T00:00:00Z".into();
        }),
        body("export-member", "a member more", invalid, |body| body["note"] = "x".into()),
        body("export-longer", "a larger size", at(Reason::EntryMissing, CHILD, 2), |body| {
            body["records"][1]["size"] = 3.into();
        }),
        body("export-shorter", "a smaller size", at(Reason::EntryUnlisted, CHILD, 1), |body| {
            body["records"][1]["size"] = 1.into();
        }),
        body("export-head", "another head", at(Reason::HeadMismatch, CHILD, 1), |body| {
            body["records"][1]["head"] = "0".repeat(64).into();
        }),
        body("export-rootless", "no root", in_part(Reason::RootMismatch), |body| {
            body["records"].as_array_mut().unwrap().remove(0);
        }),
    ]
}
