//! The runner: claim, work, settle, keep alive; and the orderly end of all that.

mod claim;
mod figures;
mod hands;
mod keep;
mod settle;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use deed_store::Store;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use self::hands::Hands;
use crate::kind::Kind;
use crate::webhooks::Webhooks;
use crate::{schedules, webhooks};

/// What an operator decides about a worker.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Most jobs of one kind worked on at once.
    pub concurrency: usize,
    /// How long a claim lasts without a sign of life: after it, others take the jobs of a worker
    /// that died.
    pub lease: Duration,
    /// At the end, how long jobs may go on before they are dropped and given back.
    pub drain_timeout: Duration,
}

/// Outcomes that wait to be settled; beyond it, jobs that ended keep their place.
const OUTCOMES: usize = 4096;
/// Longest wait for what was dropped to be gone, and for the queue to take the jobs back.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A worker of this process.
#[derive(Debug)]
pub struct Worker {
    store: Store,
    id: Uuid,
    kinds: Arc<[Kind]>,
    config: WorkerConfig,
    webhooks: Option<Webhooks>,
}

impl Worker {
    /// A worker that does jobs of these kinds, known as the replica `id`.
    #[must_use]
    pub fn new(store: Store, id: Uuid, kinds: Vec<Kind>, config: WorkerConfig) -> Self {
        Self { store, id, kinds: kinds.into(), config, webhooks: None }
    }

    /// Delivers webhooks too.
    #[must_use]
    pub fn with_webhooks(self, webhooks: Webhooks) -> Self {
        Self { webhooks: Some(webhooks), ..self }
    }

    /// Works until `stop`. Then it claims nothing more, gives the jobs in hand
    /// [`WorkerConfig::drain_timeout`] to end, drops the rest and gives them back to the queue.
    /// `draining` is true from then on.
    pub async fn run(self, draining: Arc<AtomicBool>, stop: CancellationToken) {
        let Self { store, id, kinds, config, webhooks } = self;
        let (outcomes, settling) = mpsc::channel(OUTCOMES);
        let hands = Arc::new(Hands::new(kinds, config.concurrency, outcomes));
        let upkeep = CancellationToken::new();
        let tasks = TaskTracker::new();
        // A task that ends before it should, by a panic, ends the worker: nobody would notice
        // that jobs are no longer settled, or leases no longer extended.
        let halt = stop.child_token();
        let settle = settle::run(store.clone(), Arc::clone(&hands), settling);
        let settle = tokio::spawn(halting(settle, &halt));
        let keep = keep::run(store.clone(), Arc::clone(&hands), config.lease, upkeep.clone());
        tasks.spawn(halting(keep, &halt));
        let figures = figures::run(store.clone(), id, Arc::clone(&hands), upkeep.clone());
        tasks.spawn(halting(figures, &halt));
        tasks.spawn(halting(schedules::run(store.clone(), id, stop.clone()), &halt));
        let delivering = webhooks.map(|webhooks| {
            let run = webhooks::run(store.clone(), id, webhooks, config.clone(), halt.clone());
            tokio::spawn(halting(run, &halt))
        });
        claim::run(&store, id, &hands, config.lease, &halt).await;

        draining.store(true, std::sync::atomic::Ordering::Release);
        hands.tasks.close();
        if timeout(config.drain_timeout, hands.tasks.wait()).await.is_err() {
            give_back(&store, &hands).await;
        }
        if let Some(delivering) = delivering {
            // It bounds its own end, which began with this one's.
            let _ = delivering.await;
        }
        // With the last sender gone, the settling ends after the last outcome.
        hands.close();
        let _ = timeout(LAST_WORDS, settle).await;
        upkeep.cancel();
        tasks.close();
        let _ = timeout(LAST_WORDS, tasks.wait()).await;
    }
}

/// Cancels `halt` when `task` ends, however it ends.
fn halting<F: Future<Output = ()>>(
    task: F,
    halt: &CancellationToken,
) -> impl Future<Output = ()> + use<F> {
    let guard = halt.clone().drop_guard();
    async move {
        let _guard = guard;
        task.await;
    }
}

/// Drops the jobs that are still worked on, and puts them back for others.
async fn give_back(store: &Store, hands: &Hands) {
    let dropped = hands.drop_all();
    // A handler that is in the middle of a transaction ends it by going away; before that, nobody
    // else should begin.
    let _ = timeout(LAST_WORDS, hands.tasks.wait()).await;
    match timeout(LAST_WORDS, store.release_jobs(&dropped)).await {
        Ok(Ok(_)) => tracing::info!(jobs = dropped.len(), "unfinished jobs were given back"),
        Ok(Err(error)) => tracing::warn!(%error, "unfinished jobs come back when their leases end"),
        Err(_) => tracing::warn!("unfinished jobs come back when their leases end"),
    }
}
