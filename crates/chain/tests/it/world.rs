//! Installations with fixed keys, salts and times, and the documents they export.

use std::cell::Cell;

use deed_chain::{
    Bundle, Claims, Entry, Hash, KeySet, Link, PublicKey, Unsigned,
    body::{body_hash, salted},
    bundle::{Draft, Record, Stored},
    genesis::Genesis,
    sha256,
};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Map, Value, json};
use uuid::Uuid;

pub(crate) const ISSUER: &str = "https://deed.example";
pub(crate) const START: i64 = 1_790_000_000;

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(crate) fn public(key: &SigningKey) -> PublicKey {
    PublicKey::from_bytes(key.verifying_key().as_bytes()).unwrap()
}

pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 + number)
}

pub(crate) fn salt(label: &str) -> [u8; 16] {
    sha256(label).0[..16].try_into().unwrap()
}

/// Signs `claims` over `body`.
pub(crate) fn seal(key: &SigningKey, claims: &Claims, body: &Value) -> Entry {
    let unsigned = Unsigned::new(claims, &public(key).thumbprint(), &body_hash(body).1);
    let signature = key.sign(unsigned.to_be_signed()).to_bytes();
    unsigned.finish(&signature)
}

/// One installation, whose first key is key 1 and whose second is key 2.
pub(crate) struct Installation {
    pub(crate) issuer: String,
    pub(crate) id: Uuid,
    pub(crate) key: SigningKey,
    pub(crate) genesis: (Entry, Value),
    counter: Cell<u32>,
}

impl Installation {
    pub(crate) fn new(number: u128, issuer: &str) -> Self {
        Self::with_key(number, issuer, key(1))
    }

    pub(crate) fn with_key(number: u128, issuer: &str, key: SigningKey) -> Self {
        let public_key = public(&key);
        let genesis = Genesis {
            installation_id: id(number),
            issuer,
            key: &public_key,
            issued_at: START,
            salt: &salt("genesis"),
        };
        let (unsigned, body) = genesis.unsigned().unwrap();
        let signature = key.sign(unsigned.to_be_signed()).to_bytes();
        let genesis = (unsigned.finish(&signature), body);
        Self { issuer: issuer.to_owned(), id: id(number), key, genesis, counter: Cell::new(0) }
    }

    pub(crate) fn claims(&self, record: Uuid, link: Option<Link>) -> Claims {
        let count = self.counter.get();
        self.counter.set(count + 1);
        Claims {
            issuer: self.issuer.clone(),
            subject: record,
            issued_at: START + 60 + i64::from(count),
            link,
        }
    }

    pub(crate) fn body(&self, kind: &str, fields: Value) -> Value {
        let Value::Object(fields) = fields else { panic!("fields are an object") };
        salted(kind, &salt(&format!("{kind} {}", self.counter.get())), fields)
    }

    /// Appends an entry signed by `key` in `epoch`.
    pub(crate) fn append_with(
        &self,
        key: &SigningKey,
        epoch: u64,
        record: &mut Record,
        kind: &str,
        fields: Value,
    ) -> Hash {
        let previous = record.1.last().map_or(self.genesis.0.hash(), |(entry, _)| entry.hash());
        let link = Link { position: record.1.len() as u64, previous, epoch };
        let body = self.body(kind, fields);
        let entry = seal(key, &self.claims(record.0, Some(link)), &body);
        let hash = entry.hash();
        record.1.push((entry, Some(body)));
        hash
    }

    pub(crate) fn append(&self, record: &mut Record, kind: &str, fields: Value) -> Hash {
        self.append_with(&self.key, 0, record, kind, fields)
    }

    /// A record of `length` entries, the first of which hangs on `parent`.
    pub(crate) fn record(&self, id: Uuid, length: usize, parent: Option<(Uuid, Hash)>) -> Record {
        let mut record = (id, Vec::new());
        let mut fields = Map::new();
        fields.insert("type".to_owned(), "notarize-generic-v1".into());
        fields.insert("criteria".to_owned(), json!({"subject": "Straße", "amount": 12.5}));
        if let Some((parent, hash)) = parent {
            fields.insert("parent".to_owned(), json!({"recordId": parent, "entryHash": hash}));
        }
        self.append(&mut record, "record.recorded", Value::Object(fields));
        for note in 1..length {
            self.append(&mut record, "note.added", json!({ "text": format!("note {note}") }));
        }
        record
    }

    /// The document that exports `records`.
    pub(crate) fn export(&self, root: Uuid, records: Vec<Record>) -> Bundle {
        self.export_knowing(&known_keys(), root, records)
    }

    pub(crate) fn export_knowing(
        &self,
        known: &KeySet,
        root: Uuid,
        records: Vec<Record>,
    ) -> Bundle {
        let genesis = (&self.genesis.0, self.genesis.1.clone());
        let draft = Draft::new(&self.issuer, self.id, genesis, root, records).unwrap();
        let kid = public(&self.key).thumbprint();
        let (unsigned, body) = draft.export_statement(&kid, START + 3600, &salt("export")).unwrap();
        let signature = self.key.sign(unsigned.to_be_signed()).to_bytes();
        draft.finish((&unsigned.finish(&signature), body), known).unwrap()
    }

    /// A root of three entries and a child of two.
    pub(crate) fn tree(&self) -> (Uuid, Vec<Record>) {
        let root = self.record(id(1), 3, None);
        let parent = root.1[1].0.hash();
        let child = self.record(id(2), 2, Some((id(1), parent)));
        (id(1), vec![root, child])
    }
}

/// Every key that an honest installation here signs with.
pub(crate) fn known_keys() -> KeySet {
    (1..=3).map(|seed| public(&key(seed))).collect()
}

/// Takes a stored entry's body away.
pub(crate) fn erase(stored: &mut Stored) {
    stored.1 = None;
}
