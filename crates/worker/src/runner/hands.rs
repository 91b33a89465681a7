//! What this worker has in hand: the jobs it holds, and its free places by kind.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deed_store::Store;
use deed_store::queue::{ClaimedJob, Held};
use futures::FutureExt as _;
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::figures::Ledger;
use crate::kind::{JobError, Kind};

/// How a job ended, on its way to be settled.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) held: Held,
    pub(super) kind: usize,
    pub(super) attempt: u32,
    pub(super) result: Result<(), JobError>,
}

/// A job in hand.
struct InHand {
    fence: i64,
    /// When the lease ends, measured here from before the claim was sent: never late.
    lease_end: Instant,
    /// Ends the work; absent once that ended by itself.
    work: Option<AbortHandle>,
}

/// Places of one kind.
struct Places {
    all: usize,
    taken: AtomicUsize,
}

pub(super) struct Hands {
    pub(super) kinds: Arc<[Kind]>,
    /// The jobs that are worked on.
    pub(super) tasks: TaskTracker,
    pub(super) ledger: Ledger,
    places: Vec<Places>,
    freed: Notify,
    jobs: Mutex<HashMap<Uuid, InHand>>,
    outcomes: Mutex<Option<mpsc::Sender<Outcome>>>,
}

impl Hands {
    pub(super) fn new(
        kinds: Arc<[Kind]>,
        concurrency: usize,
        outcomes: mpsc::Sender<Outcome>,
    ) -> Self {
        let places = kinds.iter().map(|kind| Places {
            all: kind.concurrency.map_or(concurrency, |own| own.min(concurrency)),
            taken: AtomicUsize::new(0),
        });
        Self {
            places: places.collect(),
            kinds,
            tasks: TaskTracker::new(),
            ledger: Ledger::default(),
            freed: Notify::new(),
            jobs: Mutex::default(),
            outcomes: Mutex::new(Some(outcomes)),
        }
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<Uuid, InHand>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Free places of a kind, and all of them.
    pub(super) fn places(&self, kind: usize) -> (usize, usize) {
        let places = &self.places[kind];
        (places.all.saturating_sub(places.taken.load(Ordering::Acquire)), places.all)
    }

    /// Until a place becomes free, or at once when one did meanwhile.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Begins to work on a job.
    pub(super) fn take(
        self: &Arc<Self>,
        store: &Store,
        job: ClaimedJob,
        kind: usize,
        end: Instant,
    ) {
        let Some(outcomes) = self.sender() else { return };
        let held = job.held;
        self.places[kind].taken.fetch_add(1, Ordering::AcqRel);
        let place = Place { hands: Arc::clone(self), kind };
        // Under the lock, so that the work does not end before it is known.
        let mut jobs = self.jobs();
        let work = self.tasks.spawn(work(place, store.clone(), job, outcomes));
        let work = Some(work.abort_handle());
        let earlier = jobs.insert(held.id, InHand { fence: held.fence, lease_end: end, work });
        // The same job under a claim that was lost without this worker's knowing.
        if let Some(work) = earlier.and_then(|earlier| earlier.work) {
            work.abort();
        }
    }

    fn sender(&self) -> Option<mpsc::Sender<Outcome>> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// No outcome comes any more, once the jobs in hand have ended.
    pub(super) fn close(&self) {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Everything in hand, to prolong its leases.
    pub(super) fn held(&self) -> Vec<Held> {
        self.jobs().iter().map(|(id, job)| Held { id: *id, fence: job.fence }).collect()
    }

    /// The leases of these jobs end at `end` now.
    pub(super) fn prolong(&self, held: &[Held], end: Instant) {
        let mut jobs = self.jobs();
        for one in held {
            if let Some(job) = jobs.get_mut(&one.id).filter(|job| job.fence == one.fence) {
                job.lease_end = end;
            }
        }
    }

    /// Stops the work on those of these jobs that are still worked on; another worker has them, or
    /// will have. Says how many it were.
    pub(super) fn lose(&self, held: &[Held]) -> usize {
        let mut jobs = self.jobs();
        let mut lost = 0;
        for one in held {
            // One whose work has ended is being settled, and learns its fate there.
            let job = jobs.get(&one.id).filter(|job| job.fence == one.fence);
            if let Some(work) = job.and_then(|job| job.work.as_ref()) {
                work.abort();
                jobs.remove(&one.id);
                lost += 1;
            }
        }
        lost
    }

    /// The jobs whose lease has ended by this process's measure.
    pub(super) fn expired(&self, now: Instant) -> Vec<Held> {
        let jobs = self.jobs();
        let expired = jobs.iter().filter(|(_, job)| job.lease_end <= now);
        expired.map(|(id, job)| Held { id: *id, fence: job.fence }).collect()
    }

    /// Whether the lease of a job still runs by this process's measure.
    pub(super) fn is_leased(&self, held: Held, now: Instant) -> bool {
        self.jobs().get(&held.id).is_some_and(|job| job.fence == held.fence && job.lease_end > now)
    }

    /// Stops all work, and gives what was worked on.
    pub(super) fn drop_all(&self) -> Vec<Held> {
        let mut dropped = Vec::new();
        self.jobs().retain(|id, job| {
            let Some(work) = &job.work else { return true };
            work.abort();
            dropped.push(Held { id: *id, fence: job.fence });
            false
        });
        dropped
    }

    /// The work on a job has ended by itself.
    fn ended(&self, held: Held) {
        if let Some(job) = self.jobs().get_mut(&held.id).filter(|job| job.fence == held.fence) {
            job.work = None;
        }
    }

    /// A job is settled, or given up.
    pub(super) fn forget(&self, held: impl IntoIterator<Item = Held>) {
        let mut jobs = self.jobs();
        for one in held {
            if jobs.get(&one.id).is_some_and(|job| job.fence == one.fence) {
                jobs.remove(&one.id);
            }
        }
    }
}

/// A place that is taken until the work has ended, however it ends.
struct Place {
    hands: Arc<Hands>,
    kind: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.hands.places[self.kind].taken.fetch_sub(1, Ordering::AcqRel);
        self.hands.freed.notify_one();
    }
}

async fn work(place: Place, store: Store, job: ClaimedJob, outcomes: mpsc::Sender<Outcome>) {
    let kind = &place.hands.kinds[place.kind];
    let (held, attempt, waited) = (job.held, job.attempt, job.waited);
    metrics::histogram!("deed_job_wait_seconds", "kind" => kind.name).record(waited.as_secs_f64());
    let started = Instant::now();
    let result = if attempt > kind.attempts {
        Err(JobError::Dead("its workers went away in the middle of every attempt".to_owned()))
    } else {
        let run = AssertUnwindSafe((kind.handler)(store, job)).catch_unwind();
        match timeout(kind.limit, run).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(JobError::Retry("the handler panicked".to_owned())),
            Err(_) => Err(JobError::Retry(format!("it took longer than {:?}", kind.limit))),
        }
    };
    let took = started.elapsed();
    metrics::histogram!("deed_job_seconds", "kind" => kind.name).record(took.as_secs_f64());
    place.hands.ledger.ran(kind.name, waited, took);
    place.hands.ended(held);
    let outcome = Outcome { held, kind: place.kind, attempt, result };
    // The receiver outlives every worker task; when it is gone, the lease ends by itself.
    let _ = outcomes.send(outcome).await;
}
