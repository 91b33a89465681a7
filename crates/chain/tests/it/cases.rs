//! Export documents, good and bad, each with the verdict it deserves. The same table is tested
//! here and written out as vectors for other implementations.

use deed_chain::{
    Bundle, Claims, Entry, Hash, Link,
    bundle::{BundledEntry, Coverage, ExportBody},
    verify::Reason,
};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{ISSUER, Installation, START, erase, id, key, salt, seal};

/// What the verifier must say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    Valid,
    CannotTell,
    Tampered { reason: Reason, record: Option<Uuid>, position: Option<u64> },
}

/// A document and its verdict under the keys of [`crate::world::known_keys`].
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) expected: Expected,
}

pub(crate) const ROOT: u128 = 1;
pub(crate) const CHILD: u128 = 2;

pub(crate) fn installation() -> Installation {
    Installation::new(100, ISSUER)
}

/// The honest document that most bad ones are made from.
pub(crate) fn tree() -> Bundle {
    let installation = installation();
    let (root, records) = installation.tree();
    installation.export(root, records)
}

pub(crate) fn at(reason: Reason, record: u128, position: u64) -> Expected {
    Expected::Tampered { reason, record: Some(id(record)), position: Some(position) }
}

pub(crate) fn in_record(reason: Reason, record: u128) -> Expected {
    Expected::Tampered { reason, record: Some(id(record)), position: None }
}

pub(crate) fn in_part(reason: Reason) -> Expected {
    Expected::Tampered { reason, record: None, position: None }
}

/// A bad document: the honest one after `change`.
pub(crate) fn bad(
    name: &'static str,
    about: &'static str,
    expected: Expected,
    change: impl FnOnce(&mut Bundle),
) -> Case {
    let mut bundle = tree();
    change(&mut bundle);
    Case { name, about, bytes: bundle.to_bytes(), expected }
}

/// Signs the export statement anew over what the document now holds, as an owner of the signing
/// key could.
pub(crate) fn reseal(bundle: &mut Bundle, key: &SigningKey) {
    let records = bundle.records.iter().map(|record| Coverage {
        id: record.id.clone(),
        size: record.entries.len() as u64,
        head: record.entries.last().map_or_else(|| "0".repeat(64), |entry| entry.hash.clone()),
    });
    let mut body: ExportBody = serde_json::from_value(bundle.export.body.clone()).unwrap();
    body.records = records.collect();
    reseal_with(bundle, key, serde_json::to_value(body).unwrap(), |_| {});
}

/// Signs the export statement anew over `body`, with altered claims.
pub(crate) fn reseal_with(
    bundle: &mut Bundle,
    key: &SigningKey,
    body: Value,
    change: impl FnOnce(&mut Claims),
) {
    let statement = Entry::from_base64url(&bundle.export.statement).unwrap();
    let mut claims = statement.decode().unwrap().claims;
    change(&mut claims);
    bundle.export.statement = seal(key, &claims, &body).to_base64url();
    bundle.export.body = body;
}

/// Signs an entry anew with altered claims and body, and the whole document around it, as an
/// owner of the signing key could.
pub(crate) fn reissue(
    bundle: &mut Bundle,
    record: usize,
    position: usize,
    change: impl FnOnce(&mut Claims, &mut Value),
) {
    let mut claims = claims_of(&bundle.records[record].entries[position]);
    let entry = &mut bundle.records[record].entries[position];
    change(&mut claims, &mut entry.body);
    let statement = seal(&key(1), &claims, &entry.body);
    entry.hash = statement.hash().to_string();
    entry.statement = statement.to_base64url();
    relink(bundle, record, position + 1);
    reseal(bundle, &key(1));
}

fn relink(bundle: &mut Bundle, record: usize, from: usize) {
    for position in from..bundle.records[record].entries.len() {
        let (before, after) = bundle.records[record].entries.split_at_mut(position);
        let entry = &mut after[0];
        let mut claims = claims_of(entry);
        let previous = before.last().unwrap().hash.parse().unwrap();
        claims.link.as_mut().unwrap().previous = previous;
        let statement = seal(&key(1), &claims, &entry.body);
        entry.hash = statement.hash().to_string();
        entry.statement = statement.to_base64url();
    }
}

fn claims_of(entry: &BundledEntry) -> Claims {
    Entry::from_base64url(&entry.statement).unwrap().decode().unwrap().claims
}

/// Signs the genesis statement anew with altered claims and body.
pub(crate) fn regenesis(bundle: &mut Bundle, change: impl FnOnce(&mut Claims, &mut Value)) {
    let statement = Entry::from_base64url(&bundle.genesis.statement).unwrap();
    let mut claims = statement.decode().unwrap().claims;
    change(&mut claims, &mut bundle.genesis.body);
    bundle.genesis.statement = seal(&key(1), &claims, &bundle.genesis.body).to_base64url();
}

/// Changes the raw bytes of a statement.
pub(crate) fn recode(statement: &mut String, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = Entry::from_base64url(statement).unwrap().into_bytes();
    change(&mut bytes);
    *statement = Entry::from_bytes(bytes).to_base64url();
}

/// All cases.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = good();
    cases.extend(crate::forgeries::documents());
    cases.extend(crate::forgeries::keys());
    cases.extend(crate::forgeries::statements());
    cases.extend(crate::forgeries::chains());
    cases.extend(crate::forgeries::bodies());
    cases.extend(crate::forgeries::exports());
    cases
}

fn good() -> Vec<Case> {
    let valid = |name, about, bundle: Bundle| Case {
        name,
        about,
        bytes: bundle.to_bytes(),
        expected: Expected::Valid,
    };
    vec![
        valid("good-tree", "a root of three entries and a child of two", tree()),
        valid("good-single", "one record; a second key from entry 1 on, a higher epoch", rotated()),
        valid("good-child", "a child alone; its parent is outside the document", child_alone()),
        valid("good-erased", "entry 1 was erased, entry 2 records it", erased()),
        valid("good-erased-first", "a child's entry 0 was erased", erased_first()),
    ]
}

pub(crate) fn rotated() -> Bundle {
    let installation = installation();
    let mut record = installation.record(id(ROOT), 1, None);
    let fields = json!({"text": "after rotation and promotion"});
    installation.append_with(&key(2), 3, &mut record, "note.added", fields);
    installation.export(id(ROOT), vec![record])
}

fn child_alone() -> Bundle {
    let installation = installation();
    let (_, mut records) = installation.tree();
    installation.export(id(CHILD), vec![records.remove(1)])
}

fn erased() -> Bundle {
    let installation = installation();
    let mut record = installation.record(id(ROOT), 2, None);
    installation.append(&mut record, "body.erased", json!({"position": 1}));
    erase(&mut record.1[1]);
    installation.export(id(ROOT), vec![record])
}

fn erased_first() -> Bundle {
    let installation = installation();
    let (root, mut records) = installation.tree();
    installation.append(&mut records[1], "body.erased", json!({"position": 0}));
    erase(&mut records[1].1[0]);
    installation.export(root, records)
}

/// The record of another installation with the same issuer, key and identifiers.
pub(crate) fn elsewhere() -> Bundle {
    let installation = Installation::new(200, ISSUER);
    let (root, records) = installation.tree();
    installation.export(root, records)
}

/// Gives the export statement a place in a chain.
pub(crate) fn linked_export(bundle: &mut Bundle) {
    let body = bundle.export.body.clone();
    let link = Link { position: 9, previous: Hash::ZERO, epoch: 0 };
    reseal_with(bundle, &key(1), body, |claims| claims.link = Some(link));
}

/// A salted body that is not what the entry signed.
pub(crate) fn foreign_body() -> Value {
    json!({"kind": "note.added", "salt": deed_chain::base64url::encode(salt("foreign"))})
}

/// The time of the genesis statement.
pub(crate) const CREATED: i64 = START;
