use serde::Deserialize as _;
use std::collections::BTreeSet;
use uuid::Uuid;

use super::{CheckedChain, Failure, Place, Reason, statement::Checker, uuid};
use crate::{
    Hash,
    body::KIND_EXPORT,
    bundle::{Bundle, ExportBody},
};

const EXPORT: Place = Place::part("export");

/// What the export statement says.
pub(super) struct Export {
    pub(super) root: Uuid,
    /// Ascending by identifier.
    pub(super) records: Vec<Covered>,
}

/// What the export statement says about one record.
pub(super) struct Covered {
    pub(super) id: Uuid,
    size: u64,
    head: Hash,
}

/// Checks the export statement itself.
pub(super) fn open(checker: &mut Checker<'_>, bundle: &Bundle) -> Result<Export, Failure> {
    let invalid = |detail: String| EXPORT.fail(Reason::ExportInvalid, detail);
    let opened = checker.open(EXPORT, &bundle.export.statement)?;
    let unlinked = opened.claims.link.is_none();
    EXPORT.require(unlinked, Reason::ExportInvalid, "the statement has a place in a chain")?;
    let (_, kind) = checker.body(EXPORT, &bundle.export.body, &opened.body_hash)?;
    EXPORT.require(kind == KIND_EXPORT, Reason::ExportInvalid, "the statement is no export")?;
    let body = ExportBody::deserialize(&bundle.export.body).map_err(|e| invalid(e.to_string()))?;
    let time = body.exported_at == opened.issued_at;
    EXPORT.require(time, Reason::ExportInvalid, "exportedAt is not the statement's time")?;
    let root = uuid(&body.root).ok_or_else(|| invalid("root is not a UUID".to_owned()))?;
    EXPORT.require(
        root == opened.claims.subject,
        Reason::RootMismatch,
        "the statement is about another record than its body",
    )?;
    let mut records = Vec::with_capacity(body.records.len());
    for covered in &body.records {
        let id = uuid(&covered.id);
        let head = covered.head.parse().ok();
        match (id, head) {
            (Some(id), Some(head)) => records.push(Covered { id, size: covered.size, head }),
            _ => return Err(invalid(format!("record {:?} has another form", covered.id))),
        }
    }
    let ascending = records.windows(2).all(|pair| pair[0].id < pair[1].id);
    EXPORT.require(ascending, Reason::ExportInvalid, "records are out of order or repeated")?;
    let has_root = records.iter().any(|covered| covered.id == root);
    EXPORT.require(has_root, Reason::RootMismatch, "the root is not among the records")?;
    Ok(Export { root, records })
}

/// Checks that the document has exactly the records that the statement covers.
pub(super) fn check_records(export: &Export, bundle: &Bundle) -> Result<(), Failure> {
    let covered: BTreeSet<Uuid> = export.records.iter().map(|covered| covered.id).collect();
    let mut present = BTreeSet::new();
    let mut last = None;
    let mut disorder = None;
    for record in &bundle.records {
        let id = uuid(&record.id).ok_or_else(|| {
            Place::part("records").fail(Reason::Malformed, "the id of a record is not a UUID")
        })?;
        let place = Place::record(id);
        place.require(covered.contains(&id), Reason::RecordUnlisted, "not in the export")?;
        if last.is_some_and(|last| last >= id) {
            disorder = disorder.or(Some(id));
        }
        last = Some(id);
        present.insert(id);
    }
    if let Some(missing) = covered.difference(&present).next() {
        let detail = "the export statement covers it, the document lacks it";
        return Err(Place::record(*missing).fail(Reason::RecordMissing, detail));
    }
    match disorder {
        Some(id) => {
            Err(Place::record(id)
                .fail(Reason::RecordOrder, "the record is out of order or repeated"))
        }
        None => Ok(()),
    }
}

/// Checks that a chain is as long as the statement says, and ends as it says.
pub(super) fn check_extent(covered: &Covered, chain: &CheckedChain) -> Result<(), Failure> {
    let length = chain.hashes.len() as u64;
    let first_difference = Place::entry(chain.id, length.min(covered.size));
    let detail = format!("the record has {} entries, the document {length}", covered.size);
    first_difference.require(length >= covered.size, Reason::EntryMissing, &detail)?;
    first_difference.require(length <= covered.size, Reason::EntryUnlisted, &detail)?;
    Place::entry(chain.id, length - 1).require(
        chain.hashes.last() == Some(&covered.head),
        Reason::HeadMismatch,
        format_args!("the record's last entry is {}", covered.head),
    )
}
