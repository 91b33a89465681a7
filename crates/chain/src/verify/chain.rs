use std::collections::BTreeSet;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    CheckedChain, Failure, Parent, Place, Reason,
    statement::{Checker, Opened},
    uuid,
};
use crate::{
    Hash,
    body::KIND_BODY_ERASED,
    bundle::{BundledEntry, Chain},
    entry::Link,
};

/// What has to be known of the entries before.
pub(super) struct Progress {
    pub(super) id: Uuid,
    /// The position that comes next.
    pub(super) next: u64,
    /// Hash of the entry before, or of the genesis statement.
    pub(super) previous: Hash,
    epoch: u64,
    pub(super) parent: Parent,
    /// Positions without a body.
    erased: BTreeSet<u64>,
    /// Positions whose erasure an entry records.
    recorded: BTreeSet<u64>,
}

impl Progress {
    /// Before the first entry of record `id`.
    pub(super) const fn new(id: Uuid, genesis: Hash) -> Self {
        Self {
            id,
            next: 0,
            previous: genesis,
            epoch: 0,
            parent: Parent::None,
            erased: BTreeSet::new(),
            recorded: BTreeSet::new(),
        }
    }

    /// Moves on behind the entry with this hash.
    pub(super) const fn advance(&mut self, hash: Hash) {
        self.previous = hash;
        self.next += 1;
    }

    /// Checks at the end of the chain that each erasure is recorded; gives their number.
    pub(super) fn end(&self) -> Result<u64, Failure> {
        match self.erased.difference(&self.recorded).next() {
            Some(position) => {
                let detail = "no later entry records the erasure of this body";
                Err(Place::entry(self.id, *position).fail(Reason::ErasureUnproven, detail))
            }
            None => Ok(self.erased.len() as u64),
        }
    }
}

/// Checks the chain of record `id`, entry by entry.
pub(super) fn check(
    checker: &mut Checker<'_>,
    id: Uuid,
    record: &Chain,
    genesis: &Hash,
) -> Result<CheckedChain, Failure> {
    let mut progress = Progress::new(id, *genesis);
    let mut hashes = Vec::with_capacity(record.entries.len());
    let some = !record.entries.is_empty();
    Place::record(id).require(some, Reason::RecordEmpty, "the record has no entries")?;
    for entry in &record.entries {
        check_entry(checker, &mut progress, entry)?;
        hashes.push(progress.previous);
        checker.checked.entries += 1;
    }
    checker.checked.erased += progress.end()?;
    Ok(CheckedChain { id, hashes, parent: progress.parent })
}

fn check_entry(
    checker: &mut Checker<'_>,
    progress: &mut Progress,
    entry: &BundledEntry,
) -> Result<(), Failure> {
    let place = Place::entry(progress.id, progress.next);
    let opened = checker.open(place, &entry.statement)?;
    let hash = opened.hash;
    place.require(
        entry.hash == hash.to_string(),
        Reason::HashMismatch,
        format_args!("the entry's hash is {hash}"),
    )?;
    check_link(place, progress, entry.position, &opened)?;
    checker.checked.links += 1;
    let marked = entry.erased == entry.body.is_null();
    place.require(marked, Reason::BodyMissing, "a body is null exactly if it was erased")?;
    let body = (!entry.erased).then_some(&entry.body);
    check_body(checker, place, progress, body, &opened)?;
    progress.advance(hash);
    Ok(())
}

/// Checks that the entry given as that of position `given` is the next one of its chain.
pub(super) fn check_link(
    place: Place,
    progress: &mut Progress,
    given: u64,
    opened: &Opened,
) -> Result<(), Failure> {
    let expected = progress.next;
    place.require(
        opened.claims.subject == progress.id,
        Reason::SubjectMismatch,
        format_args!("the entry belongs to record {}", opened.claims.subject),
    )?;
    let Some(Link { position, previous, epoch }) = opened.claims.link else {
        return Err(place.fail(Reason::LinkMissing, "the statement is not an entry"));
    };
    place.require(
        position == given,
        Reason::PositionMismatch,
        format_args!("signed at position {position}, given as {given}"),
    )?;
    place.require(
        position == expected,
        Reason::PositionSequence,
        format_args!("position {position} where {expected} belongs"),
    )?;
    let reason = if expected == 0 { Reason::GenesisMismatch } else { Reason::PreviousMismatch };
    place.require(
        previous == progress.previous,
        reason,
        format_args!("follows {previous}, before it stands {}", progress.previous),
    )?;
    place.require(
        epoch >= progress.epoch,
        Reason::EpochDecreased,
        format_args!("epoch {epoch} after {}", progress.epoch),
    )?;
    progress.epoch = epoch;
    Ok(())
}

/// Checks the body of the next entry; `None` was erased.
pub(super) fn check_body(
    checker: &mut Checker<'_>,
    place: Place,
    progress: &mut Progress,
    body: Option<&Value>,
    opened: &Opened,
) -> Result<(), Failure> {
    let position = progress.next;
    let Some(body) = body else {
        progress.erased.insert(position);
        if position == 0 {
            progress.parent = Parent::Erased;
        }
        return Ok(());
    };
    let (body, kind) = checker.body(place, body, &opened.body_hash)?;
    if kind == KIND_BODY_ERASED {
        let target = body.get("position").and_then(Value::as_u64).filter(|p| *p < position);
        let target = target.ok_or_else(|| {
            place.fail(Reason::BodyMalformed, "an erasure names an earlier position")
        })?;
        progress.recorded.insert(target);
    }
    if position == 0 {
        progress.parent = read_parent(place, body)?;
    }
    Ok(())
}

fn read_parent(place: Place, body: &Map<String, Value>) -> Result<Parent, Failure> {
    let Some(parent) = body.get("parent") else {
        return Ok(Parent::None);
    };
    let text = |name| parent.get(name).and_then(Value::as_str);
    let record = text("recordId").and_then(uuid);
    let hash = text("entryHash").and_then(|hash| hash.parse().ok());
    let members = parent.as_object().map_or(0, Map::len);
    match (record, hash, members) {
        (Some(record), Some(hash), 2) => Ok(Parent::Entry { record, hash }),
        _ => Err(place.fail(Reason::BodyMalformed, "parent is not a recordId and an entryHash")),
    }
}
