//! How this worker's jobs fared: counted in memory, and added every few seconds to its figures in the
//! database, where health finds those of all workers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deed_store::queue::Figures;
use deed_store::{Error, Store};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::hands::Hands;

/// Time between two additions, and what a crash loses at most.
const EVERY: Duration = Duration::from_secs(5);

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Done,
    Failed,
    /// Refused: others have the job.
    Fenced,
}

impl End {
    /// Its name in the metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Fenced => "fenced",
        }
    }
}

/// What was counted by kind and is not yet in the database.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<BTreeMap<&'static str, Figures>>);

impl Ledger {
    fn kinds(&self) -> MutexGuard<'_, BTreeMap<&'static str, Figures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The work on a job has ended by itself.
    pub(super) fn ran(&self, kind: &'static str, waited: Duration, took: Duration) {
        let mut kinds = self.kinds();
        let figures = kinds.entry(kind).or_default();
        figures.waits.record(waited);
        figures.runs.record(took);
    }

    /// An attempt is settled.
    pub(super) fn ended(&self, kind: &'static str, end: End) {
        let mut kinds = self.kinds();
        let figures = kinds.entry(kind).or_default();
        let count = match end {
            End::Done => &mut figures.done,
            End::Failed => &mut figures.failed,
            End::Fenced => &mut figures.fenced,
        };
        *count += 1;
    }
}

/// Adds to the database until `stop`, and once more then.
pub(super) async fn run(store: Store, replica: Uuid, hands: Arc<Hands>, stop: CancellationToken) {
    loop {
        let last = timeout(EVERY, stop.cancelled()).await.is_ok();
        write(&store, replica, &hands.ledger).await;
        if last {
            return;
        }
    }
}

async fn write(store: &Store, replica: Uuid, ledger: &Ledger) {
    let counted: Vec<_> = std::mem::take(&mut *ledger.kinds()).into_iter().collect();
    if counted.is_empty() {
        return;
    }
    let Err(error) = store.add_job_figures(replica, &counted).await else { return };
    tracing::warn!(%error, "the figures of jobs could not be added");
    // Perhaps they are there: better missing than counted twice.
    if !matches!(error, Error::OutcomeUnknown) {
        let mut kinds = ledger.kinds();
        for (kind, figures) in &counted {
            kinds.entry(kind).or_default().add(figures);
        }
    }
}
