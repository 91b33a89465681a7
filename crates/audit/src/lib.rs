//! The audit: every chain in the database verified, and compared with what was anchored outside it.
//!
//! It reads in pages and keeps no more of them than there are lanes, whatever the size of the vault.
//! Chains may go on meanwhile: each comparison is of one moment.

mod anchors;
mod chains;
mod finding;
mod object;
mod page;
mod unit;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use deed_anchor::Place;
use deed_chain::key_set::KeySet;
use deed_chain::verify::Auditor;
use deed_store::audit::Reader;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use finding::{Finding, Kind};

/// What to audit, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Chains that are worked on at once.
    pub lanes: usize,
    /// Only records after this one.
    pub after: Uuid,
    /// Places to compare with.
    pub anchors: Vec<Place>,
    /// The keys that are trusted; those that the database lists when absent.
    pub keys: Option<KeySet>,
}

/// What happens during an audit.
#[derive(Debug, Clone)]
pub enum Event {
    /// Something was found.
    Found(Finding),
    /// This is how far it is.
    Progress(Progress),
}

/// How far an audit is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// What was checked so far.
    pub checked: Counts,
    /// Records in all, about.
    pub of_records: u64,
    /// Every chain up to this record is audited.
    pub cursor: Option<Uuid>,
}

/// How many of each kind of thing were checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Records whose columns were compared with the vault.
    pub records: u64,
    /// Entries: statement, signature, link, position, body, columns.
    pub entries: u64,
    /// Checkpoints in the database: statement, signature, agreement with the chain.
    pub checkpoints: u64,
    /// Objects of anchors, each version counted.
    pub anchor_objects: u64,
    /// Checkpoints in them: statement, signature, agreement with the database.
    pub anchored_checkpoints: u64,
}

/// What came of an audit.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The judgement.
    pub verdict: Verdict,
    /// Why it cannot be told, for people.
    pub reason: Option<String>,
    /// Findings that are faults.
    pub faults: u64,
    /// Findings that are none.
    pub notes: u64,
    /// How far it went.
    #[serde(flatten)]
    pub progress: Progress,
}

/// The judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every check passed.
    Intact,
    /// At least one failed.
    Tampered,
    /// None failed, but not all could be made.
    CannotTell,
}

impl Verdict {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intact => "intact",
            Self::Tampered => "tampered",
            Self::CannotTell => "cannot-tell",
        }
    }
}

/// Why an audit did not come to its end.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error("{0}")]
    Store(#[from] deed_store::Error),
    #[error("{0}")]
    Anchor(#[from] deed_anchor::Error),
    #[error("{0}")]
    Task(#[from] tokio::task::JoinError),
    #[error("the audit was stopped")]
    Cancelled,
}

/// What all tasks of an audit share.
struct Shared {
    reader: Reader,
    auditor: Arc<Auditor>,
    events: mpsc::Sender<Event>,
    lanes: usize,
    faults: AtomicU64,
    notes: AtomicU64,
    checked: Checked,
}

/// [`Counts`] that grow.
#[derive(Default)]
struct Checked {
    records: AtomicU64,
    entries: AtomicU64,
    checkpoints: AtomicU64,
    anchor_objects: AtomicU64,
    anchored_checkpoints: AtomicU64,
}

impl Shared {
    async fn found(&self, finding: Finding) {
        let count = if finding.is_fault() { &self.faults } else { &self.notes };
        count.fetch_add(1, Ordering::Relaxed);
        // Whoever listens no more will not miss it.
        let _ = self.events.send(Event::Found(finding)).await;
    }

    fn counts(&self) -> Counts {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            records: load(&self.checked.records),
            entries: load(&self.checked.entries),
            checkpoints: load(&self.checked.checkpoints),
            anchor_objects: load(&self.checked.anchor_objects),
            anchored_checkpoints: load(&self.checked.anchored_checkpoints),
        }
    }
}

/// Audits until the end, or until `stop`. Events are sent as they happen; a receiver that is slow
/// slows the audit down.
pub async fn run(
    reader: Reader,
    options: Options,
    events: mpsc::Sender<Event>,
    stop: CancellationToken,
) -> Outcome {
    let after = (!options.after.is_nil()).then_some(options.after);
    let mut progress = Progress { cursor: after, ..Progress::default() };
    let cannot_tell = |reason: String, progress| Outcome {
        verdict: Verdict::CannotTell,
        reason: Some(reason),
        faults: 0,
        notes: 0,
        progress,
    };
    let keys = match &options.keys {
        Some(keys) => keys.clone(),
        None => match reader.signing_keys().await {
            Ok(keys) => keys,
            Err(error) => return cannot_tell(error.to_string(), progress),
        },
    };
    let own = reader.installation().clone();
    let auditor = Auditor::new(own.id, &own.issuer, &own.genesis_entry, &own.genesis_body, keys);
    let auditor = match auditor {
        Ok(auditor) => auditor,
        Err(failure) => {
            let _ = events.send(Event::Found(Finding::of_failure(failure))).await;
            let reason = "the genesis statement does not hold, and nothing else was looked at";
            let outcome = cannot_tell(reason.to_owned(), progress);
            return Outcome { verdict: Verdict::Tampered, faults: 1, ..outcome };
        }
    };
    let shared = Arc::new(Shared {
        reader,
        auditor: Arc::new(auditor),
        events,
        lanes: options.lanes.max(1),
        faults: AtomicU64::new(0),
        notes: AtomicU64::new(0),
        checked: Checked::default(),
    });
    let ended = both(&shared, &options, &mut progress, &stop).await;
    progress.checked = shared.counts();
    let faults = shared.faults.load(Ordering::Relaxed);
    let verdict = match &ended {
        _ if faults > 0 => Verdict::Tampered,
        Err(_) => Verdict::CannotTell,
        Ok(()) => Verdict::Intact,
    };
    Outcome {
        verdict,
        reason: ended.err(),
        faults,
        notes: shared.notes.load(Ordering::Relaxed),
        progress,
    }
}

/// Anchors first: what they hold tells which chains are ahead of them. When one cannot be read, the
/// rest is audited all the same.
async fn both(
    shared: &Arc<Shared>,
    options: &Options,
    progress: &mut Progress,
    stop: &CancellationToken,
) -> Result<(), String> {
    let mut reason = None;
    let mut anchored = None;
    for place in &options.anchors {
        match anchors::compare(shared, place, stop).await {
            Ok(upto) => anchored = anchored.max(Some(upto)),
            Err(Stop::Cancelled) => return Err(Stop::Cancelled.to_string()),
            Err(error) => reason = Some(format!("anchor {}: {error}", place.location())),
        }
    }
    let chains = chains::audit(shared, options.after, anchored, progress, stop).await;
    chains.map_err(|error| error.to_string())?;
    reason.map_or(Ok(()), Err)
}
