//! One version of an object: its form, its statements, and what the database has in their place.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use deed_anchor::{Listed, Place};
use deed_chain::anchor::{Anchor, MOST_BYTES};
use deed_chain::checkpoint::Checkpoint;
use deed_store::audit::Counterpart;
use uuid::Uuid;

use crate::finding::{Finding, Kind};
use crate::{Shared, Stop};

/// Checkpoints of one look into the database.
const CHUNK: usize = 500;

/// A checkpoint whose statement holds.
struct Said {
    checkpoint: Checkpoint,
    statement: Vec<u8>,
}

pub(crate) async fn compare(
    shared: Arc<Shared>,
    place: Place,
    number: u64,
    listed: Listed,
) -> Result<(), Stop> {
    let bytes = place.get(&listed, MOST_BYTES).await?;
    shared.checked.anchor_objects.fetch_add(1, Ordering::Relaxed);
    let location = place.location();
    let unreadable = |detail: String| {
        let detail = format!("{}: {detail}", listed.key);
        Finding::of_anchor(Kind::AnchorUnreadable, location, detail)
    };
    let anchor = tokio::task::spawn_blocking(move || Anchor::parse(&bytes)).await?;
    let anchor = match anchor {
        Ok(anchor) => anchor,
        Err(error) => {
            shared.found(unreadable(error.to_string())).await;
            return Ok(());
        }
    };
    let own = shared.reader.installation();
    if (anchor.number, anchor.installation, &anchor.issuer) != (number, own.id, &own.issuer) {
        shared.found(unreadable("it is another object by what it says".to_owned())).await;
        return Ok(());
    }
    let held = anchor.checkpoints.len() as u64;
    let said = open(&shared, anchor, location).await?;
    counterparts(&shared, said, location).await?;
    shared.checked.anchored_checkpoints.fetch_add(held, Ordering::Relaxed);
    if let Some((stored, _)) = shared.reader.batch(number).await?
        && stored > held
    {
        let detail = format!("{} holds {held} checkpoints, the database {stored}", listed.key);
        shared.found(Finding::of_anchor(Kind::AnchorIncomplete, location, detail)).await;
    }
    Ok(())
}

/// Verifies the statements on all lanes, and gives those that hold.
async fn open(shared: &Shared, anchor: Anchor, location: &str) -> Result<Vec<Said>, Stop> {
    let each = anchor.checkpoints.len().div_ceil(shared.lanes);
    let mut checkpoints = anchor.checkpoints;
    let mut tasks = Vec::new();
    while !checkpoints.is_empty() {
        let rest = checkpoints.split_off(each.min(checkpoints.len()));
        let part = std::mem::replace(&mut checkpoints, rest);
        let auditor = Arc::clone(&shared.auditor);
        tasks.push(tokio::task::spawn_blocking(move || {
            let open = part.into_iter().map(|sealed| {
                let checkpoint = auditor.checkpoint(&sealed.statement, &sealed.body)?;
                Ok(Said { checkpoint, statement: sealed.statement })
            });
            open.collect::<Vec<_>>()
        }));
    }
    let mut said = Vec::new();
    for task in tasks {
        for one in task.await? {
            match one {
                Ok(one) => said.push(one),
                Err(failure) => shared.found(Finding::of_failure(failure).at(location)).await,
            }
        }
    }
    Ok(said)
}

async fn counterparts(shared: &Shared, said: Vec<Said>, location: &str) -> Result<(), Stop> {
    let mut named: HashSet<(Uuid, &str)> = HashSet::new();
    for chunk in said.chunks(CHUNK) {
        let places: Vec<(Uuid, u64)> =
            chunk.iter().map(|one| (one.checkpoint.record, one.checkpoint.size)).collect();
        let found = shared.reader.counterparts(&places).await?;
        for finding in chunk.iter().zip(found).filter_map(|(one, found)| judge(one, &found)) {
            // One of each kind tells enough of a chain.
            if finding.record.is_none_or(|record| named.insert((record, finding.kind))) {
                shared.found(finding.at(location)).await;
            }
        }
    }
    Ok(())
}

/// An anchored checkpoint against the chain and the checkpoint in the database.
fn judge(said: &Said, found: &Counterpart) -> Option<Finding> {
    let Checkpoint { record, size, head } = said.checkpoint;
    let at = |kind, detail| Some(Finding::of_record(kind, record, Some(size - 1), detail));
    match found.entry {
        None if found.size == 0 => {
            at(Kind::Removed, format!("{size} entries are anchored, the database has none"))
        }
        None => {
            let detail = format!("{size} entries are anchored, the database has {}", found.size);
            at(Kind::Behind, detail)
        }
        Some(hash) if hash != head => {
            at(Kind::Different, format!("{head} is anchored, the database has {hash}"))
        }
        Some(_) => match &found.statement {
            Some(statement) if *statement == said.statement => None,
            Some(_) => {
                let detail = "another checkpoint is anchored than the database has".to_owned();
                at(Kind::CheckpointLost, detail)
            }
            None => {
                let detail = "the database lacks a checkpoint that is anchored".to_owned();
                at(Kind::CheckpointLost, detail)
            }
        },
    }
}
