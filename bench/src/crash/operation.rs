//! What the clients of the crash suite do, and what they remember.

use serde_json::{Value, json};

use crate::stack::{CRITERIA, TYPE_NAME};

/// Name of the reference that marks the records of one run.
pub(crate) const RUN_REFERENCE: &str = "run";
/// Share of operations that append to a shared record.
const NOTE_SHARE: f64 = 0.3;

/// Which kind of append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A new record.
    Record,
    /// A note on the shared record of this index.
    Note(usize),
}

/// One append, sent as often as it takes, always with the same key and bytes.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    /// Which kind.
    pub(crate) kind: Kind,
    /// Path of the request.
    pub(crate) path: String,
    /// Idempotency-Key.
    pub(crate) key: String,
    /// Unique text inside the body.
    pub(crate) marker: String,
    /// The request's body.
    pub(crate) body: Vec<u8>,
}

/// An operation that was answered.
#[derive(Debug, Clone)]
pub(crate) struct Acknowledged {
    /// What was asked.
    pub(crate) operation: Operation,
    /// The answer's body, byte for byte.
    pub(crate) answer: Vec<u8>,
    /// The record's id.
    pub(crate) record: String,
    /// Position of the entry in the record's chain.
    pub(crate) position: u64,
    /// Hash of the entry, hex.
    pub(crate) hash: String,
    /// The signed entry, base64url.
    pub(crate) statement: String,
}

/// Makes operations that no other client makes.
#[derive(Debug)]
pub(crate) struct Source {
    rng: fastrand::Rng,
    run: String,
    client: usize,
    serial: u64,
    shared: Vec<String>,
}

impl Source {
    /// A source for one client of a run; `shared` are the records that notes go to.
    pub(crate) fn new(seed: u64, run: &str, client: usize, shared: &[String]) -> Self {
        let rng = fastrand::Rng::with_seed(seed.wrapping_add(client as u64 + 1));
        Self { rng, run: run.to_owned(), client, serial: 0, shared: shared.to_vec() }
    }

    /// The next operation.
    pub(crate) fn next(&mut self) -> Operation {
        self.serial += 1;
        let marker = format!("{}-{}-{}", self.run, self.client, self.serial);
        if self.rng.f64() < NOTE_SHARE {
            let index = self.rng.usize(..self.shared.len());
            return note(&self.shared[index], index, &marker);
        }
        record(&self.run, &marker)
    }
}

/// A note on the shared record `record` of index `index`.
pub(crate) fn note(record: &str, index: usize, marker: &str) -> Operation {
    let body = json!({"text": marker, "data": {"observed": true}}).to_string();
    Operation {
        kind: Kind::Note(index),
        path: format!("/v1/records/{record}/notes"),
        key: format!("key-{marker}"),
        marker: marker.to_owned(),
        body: body.into_bytes(),
    }
}

/// A new record of the run.
pub(crate) fn record(run: &str, marker: &str) -> Operation {
    let mut criteria: Value = serde_json::from_str(CRITERIA).unwrap_or_default();
    criteria["service"] = json!(marker);
    let body = json!({
        "type": TYPE_NAME, "criteria": criteria, "references": {RUN_REFERENCE: run},
    });
    Operation {
        kind: Kind::Record,
        path: "/v1/records".to_owned(),
        key: format!("key-{marker}"),
        marker: marker.to_owned(),
        body: body.to_string().into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_unique_and_of_both_kinds() {
        let shared = ["a".to_owned(), "b".to_owned()];
        let mut source = Source::new(1, "run", 3, &shared);
        let operations: Vec<Operation> = (0..1000).map(|_| source.next()).collect();
        let keys: std::collections::HashSet<&str> =
            operations.iter().map(|operation| operation.key.as_str()).collect();
        assert_eq!(keys.len(), operations.len());
        let notes = operations.iter().filter(|operation| operation.kind != Kind::Record).count();
        assert!((200..400).contains(&notes), "{notes}");
        for operation in &operations {
            let body = String::from_utf8_lossy(&operation.body);
            assert!(body.contains(&operation.marker) && operation.key.len() <= 255);
        }
    }

    #[test]
    fn one_seed_gives_one_sequence() {
        let shared = ["a".to_owned()];
        let keys = |seed| -> Vec<String> {
            let mut source = Source::new(seed, "run", 0, &shared);
            (0..50).map(|_| source.next().path).collect()
        };
        assert_eq!(keys(7), keys(7));
        assert_ne!(keys(7), keys(8));
    }
}
