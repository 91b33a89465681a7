//! One unit: the columns of some records, their chains, and their checkpoints.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use deed_chain::hash::Hash;
use deed_chain::verify::Auditor;
use deed_store::audit::{Head, StoredCheckpoint};
use uuid::Uuid;

use crate::chains::Unit;
use crate::finding::{Finding, Kind};
use crate::page::{self, Verifier};
use crate::{Shared, Stop};

/// Entries of one page.
const ENTRIES: i64 = 1000;
/// Checkpoints of one page.
const CHECKPOINTS: i64 = 1000;

pub(crate) async fn audit(shared: Arc<Shared>, unit: Unit) -> Result<(), Stop> {
    for head in &unit.heads {
        for finding in columns(head, unit.anchored) {
            shared.found(finding).await;
        }
    }
    chains(&shared, &unit).await?;
    checkpoints(&shared, &unit).await?;
    shared.checked.records.fetch_add(unit.heads.len() as u64, Ordering::Relaxed);
    Ok(())
}

/// A record's own columns, against the end of its chain.
fn columns(head: &Head, anchored: bool) -> Vec<Finding> {
    let Head { record, size, hash, vault, .. } = *head;
    let mut found = Vec::new();
    match vault {
        None => {
            let detail = format!("the record says {size} entries, the vault has none");
            found.push(Finding::of_record(Kind::ChainMissing, record, None, detail));
        }
        Some((last, newest)) if (last, newest) != (size, hash) => {
            let detail = format!(
                "the record says {size} entries up to {hash}, the vault has {last} up to {newest}"
            );
            let position = Some(last.min(size) - 1);
            found.push(Finding::of_record(Kind::HeadMismatch, record, position, detail));
        }
        Some((last, _)) if anchored && last > head.anchored => {
            let detail = format!("{last} entries, {} of them anchored", head.anchored);
            found.push(Finding::of_record(Kind::Ahead, record, Some(last - 1), detail));
        }
        Some(_) => {}
    }
    found
}

/// Every entry, page by page: while one page is verified, the next one is read.
async fn chains(shared: &Arc<Shared>, unit: &Unit) -> Result<(), Stop> {
    let mut strangers = Vec::new();
    let mut verifier = Verifier::default();
    let mut page = shared.reader.entries((unit.after, i64::MAX), unit.upto, ENTRIES).await?;
    while let Some(last) = page.last() {
        let place = (last.record_id, last.position);
        let auditor = Arc::clone(&shared.auditor);
        let verified = tokio::task::spawn_blocking(move || page::verify(&auditor, verifier, &page));
        let next = shared.reader.entries(place, unit.upto, ENTRIES);
        let (verified, next) = tokio::join!(verified, next);
        let done = verified?;
        (verifier, page) = (done.verifier, next?);
        tell(shared, unit, done.findings, done.begun, done.parents, &mut strangers).await?;
        shared.checked.entries.fetch_add(done.entries, Ordering::Relaxed);
    }
    if let Some(finding) = verifier.end(&shared.auditor) {
        shared.found(finding).await;
    }
    // Records that were made while this ran are no strangers.
    let known = shared.reader.known(strangers.clone()).await?;
    for record in strangers.into_iter().filter(|id| !known.contains(id)) {
        let detail = "the vault has entries of it, but there is no such record".to_owned();
        shared.found(Finding::of_record(Kind::RecordMissing, record, None, detail)).await;
    }
    Ok(())
}

async fn tell(
    shared: &Shared,
    unit: &Unit,
    findings: Vec<Finding>,
    begun: Vec<Uuid>,
    parents: Vec<(Uuid, (Uuid, Hash))>,
    strangers: &mut Vec<Uuid>,
) -> Result<(), Stop> {
    for finding in findings {
        shared.found(finding).await;
    }
    let known = |id: &Uuid| unit.heads.binary_search_by_key(id, |head| head.record).is_ok();
    strangers.extend(begun.into_iter().filter(|id| !known(id)));
    if parents.is_empty() {
        return Ok(());
    }
    let entries: Vec<(Uuid, Hash)> = parents.iter().map(|(_, entry)| *entry).collect();
    let there = shared.reader.hanging(&entries).await?;
    for ((child, (parent, hash)), _) in parents.iter().zip(there).filter(|(_, there)| !there) {
        let detail = format!("{hash} is no entry of the parent {parent}");
        shared.found(Finding::of_record(Kind::ParentMissing, *child, Some(0), detail)).await;
    }
    Ok(())
}

async fn checkpoints(shared: &Arc<Shared>, unit: &Unit) -> Result<(), Stop> {
    let mut place = (unit.after, i64::MAX);
    let mut named = HashSet::new();
    loop {
        let page = shared.reader.checkpoints(place, unit.upto, CHECKPOINTS).await?;
        let Some(last) = page.last() else { return Ok(()) };
        place = (last.record, i64::try_from(last.size).unwrap_or(i64::MAX));
        let (auditor, count) = (Arc::clone(&shared.auditor), page.len() as u64);
        let found = tokio::task::spawn_blocking(move || {
            page.iter().filter_map(|one| checkpoint(&auditor, one)).collect::<Vec<_>>()
        });
        for finding in found.await? {
            // One of each kind tells enough of a chain.
            if named.insert((finding.record, finding.kind)) {
                shared.found(finding).await;
            }
        }
        shared.checked.checkpoints.fetch_add(count, Ordering::Relaxed);
    }
}

/// A checkpoint of the database: its statement, its columns, and the entry that it is about.
fn checkpoint(auditor: &Auditor, stored: &StoredCheckpoint) -> Option<Finding> {
    let StoredCheckpoint { record, size, head, statement, body, found } = stored;
    let at = |kind, detail| Some(Finding::of_record(kind, *record, Some(*size - 1), detail));
    let said = match auditor.checkpoint(statement, body) {
        Ok(said) => said,
        Err(failure) => {
            let finding = Finding::of_failure(failure);
            return Some(Finding { record: Some(*record), position: Some(*size - 1), ..finding });
        }
    };
    if (said.record, said.size, said.head) != (*record, *size, *head) {
        let detail = format!("the statement is about {} at {}", said.record, said.size);
        return at(Kind::CheckpointColumns, detail);
    }
    match found {
        Some(hash) if hash == head => None,
        Some(hash) => at(Kind::Different, format!("a checkpoint says {head}, the vault {hash}")),
        None => at(Kind::Behind, format!("a checkpoint says {size} entries, the vault has fewer")),
    }
}
