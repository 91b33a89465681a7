//! Upkeep while jobs run: the heartbeat of their leases, the rescue of others' jobs, and the
//! figures of the queue.

use std::sync::Arc;
use std::time::Duration;

use deed_store::Store;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::hands::Hands;

/// Jobs that one rescue puts back.
const RESCUE: usize = 1000;
/// Time between two rescues, and the longest wait between the end of a lease and the takeover.
const RESCUE_EVERY: Duration = Duration::from_secs(1);
/// Time between two counts of the queue.
const COUNT_EVERY: Duration = Duration::from_secs(15);

/// Keeps until `stop`.
pub(super) async fn run(store: Store, hands: Arc<Hands>, lease: Duration, stop: CancellationToken) {
    let every = |period| {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    };
    // Two heartbeats may fail before a lease ends.
    let (mut beats, mut rescues, mut counts) =
        (every(lease / 4), every(RESCUE_EVERY), every(COUNT_EVERY));
    // Side by side: a slow count must not cost this worker its leases.
    let beating = async {
        loop {
            beats.tick().await;
            beat(&store, &hands, lease).await;
        }
    };
    let rest = async {
        loop {
            tokio::select! {
                _ = rescues.tick() => rescue(&store).await,
                _ = counts.tick() => count(&store, &hands).await,
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = beating => {}
        () = rest => {}
    }
}

/// Prolongs every lease; what was taken over is stopped.
async fn beat(store: &Store, hands: &Hands, lease: Duration) {
    let held = hands.held();
    let end = Instant::now() + lease;
    let lost = match timeout(lease / 2, store.extend_jobs(&held, lease)).await {
        Ok(Ok(refused)) => {
            hands.prolong(&held, end);
            refused
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, jobs = held.len(), "leases could not be extended");
            hands.expired(Instant::now())
        }
        Err(_) => {
            tracing::warn!(jobs = held.len(), "leases could not be extended in time");
            hands.expired(Instant::now())
        }
    };
    let lost = hands.lose(&lost);
    if lost > 0 {
        tracing::warn!(lost, "leases were lost; work on these jobs was stopped");
        metrics::counter!("deed_job_leases_lost_total").increment(lost as u64);
    }
}

async fn rescue(store: &Store) {
    match store.rescue_jobs(RESCUE).await {
        Ok(0) => {}
        Ok(rescued) => {
            tracing::warn!(rescued, "jobs of a worker that went away are waiting again");
            metrics::counter!("deed_jobs_rescued_total").increment(rescued as u64);
            store.wake_workers();
        }
        Err(error) => tracing::warn!(%error, "no look for jobs of workers that went away"),
    }
}

async fn count(store: &Store, hands: &Hands) {
    let depths = match store.queue_depths().await {
        Ok(depths) => depths,
        Err(error) => return tracing::warn!(%error, "the queue could not be counted"),
    };
    for kind in hands.kinds.iter() {
        let depth = depths.iter().find(|depth| depth.kind == kind.name);
        let (waiting, active, delayed, dead, oldest) = depth.map_or((0, 0, 0, 0, 0.0), |d| {
            (d.waiting, d.active, d.delayed, d.dead, d.oldest_seconds)
        });
        let gauge = |state: &'static str, jobs: u64| {
            metrics::gauge!("deed_queue_jobs", "kind" => kind.name, "state" => state)
                .set(jobs as f64);
        };
        gauge("waiting", waiting);
        gauge("active", active);
        gauge("delayed", delayed);
        gauge("dead", dead);
        metrics::gauge!("deed_queue_oldest_seconds", "kind" => kind.name).set(oldest);
    }
}
