//! The table of kinds; one file a kind.

mod anchor_upload;
mod audit_run;
mod gate_evaluate;
mod probe;
mod sweep_checkpoints;
mod sweep_expiry;
mod sweep_partitions;
mod sweep_recovery;
mod sweep_retention;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use deed_store::anchors::UPLOAD;
use deed_store::append::Appender;
use deed_store::audits::AUDIT;
use deed_store::queue::ClaimedJob;
use deed_store::transition::EVALUATE;
use deed_store::{Error, Store};
use tokio::time::Instant;

use crate::anchors::Anchors;
use crate::kind::{Backoff, Handler, JobError, Kind};

/// Longest time for one attempt of a sweep. It works in batches and goes on at its next tick.
const SWEEP_LIMIT: Duration = Duration::from_secs(600);

/// Most judgements that wait to be written; more than a worker has in hand.
const JUDGEMENTS: usize = 4096;

/// Every kind of job that a worker with these anchors does.
#[must_use]
pub fn kinds(anchors: &Anchors) -> Vec<Kind> {
    vec![
        Kind { concurrency: None, ..kind("probe", probe::run) },
        gate_evaluate(),
        Kind {
            handler: anchoring(anchors, sweep_checkpoints::run),
            ..kind("sweep.checkpoints", probe::run)
        },
        anchor_upload(anchors),
        audit_run(anchors),
        kind("sweep.expiry", sweep_expiry::run),
        kind("sweep.recovery", sweep_recovery::run),
        kind("sweep.partitions", sweep_partitions::run),
        kind("sweep.retention", sweep_retention::run),
    ]
}

/// Judgements of one process share an appender, so that those of one moment are written together. Many
/// attempts: a record waits for the outcome.
fn gate_evaluate() -> Kind {
    let shared = Arc::new(OnceLock::<Appender>::new());
    let rules = gate_evaluate::rules_by_text();
    Kind {
        name: EVALUATE,
        handler: Arc::new(move |store, job| {
            let appender = shared.get_or_init(|| Appender::start(&store, JUDGEMENTS)).clone();
            Box::pin(gate_evaluate::run(store, appender, rules.clone(), job))
        }),
        concurrency: None,
        limit: Duration::from_secs(60),
        attempts: 20,
        backoff: Backoff { first: Duration::from_millis(500), most: Duration::from_secs(300) },
    }
}

/// Many attempts: an anchor may be away for hours, and what it lacks then is as much exposed.
fn anchor_upload(anchors: &Anchors) -> Kind {
    Kind {
        name: UPLOAD,
        handler: anchoring(anchors, anchor_upload::run),
        concurrency: Some(4),
        limit: Duration::from_secs(120),
        attempts: 1000,
        backoff: Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60) },
    }
}

/// An audit of a large vault takes hours; another worker goes on where one went away.
fn audit_run(anchors: &Anchors) -> Kind {
    Kind {
        name: AUDIT,
        handler: anchoring(anchors, audit_run::run),
        concurrency: Some(1),
        limit: Duration::from_secs(24 * 3600),
        attempts: audit_run::ATTEMPTS,
        backoff: Backoff { first: Duration::from_secs(2), most: Duration::from_secs(60) },
    }
}

/// A handler that is given the anchors.
fn anchoring<F>(anchors: &Anchors, run: fn(Store, ClaimedJob, Anchors) -> F) -> Handler
where
    F: Future<Output = Result<(), JobError>> + Send + 'static,
{
    let anchors = anchors.clone();
    Arc::new(move |store, job| Box::pin(run(store, job, anchors.clone())))
}

/// A batch of a sweep, and then a pause of three times as long: a sweep has no hurry, and appends go
/// on beside it.
async fn paced(batch: impl Future<Output = Result<usize, Error>>) -> Result<usize, Error> {
    let started = Instant::now();
    let done = batch.await?;
    if done > 0 {
        tokio::time::sleep(started.elapsed() * 3).await;
    }
    Ok(done)
}

/// A kind as the sweeps have it: one at a time in a process, and few attempts, because the next tick
/// does the same work.
fn kind<F>(name: &'static str, run: fn(Store, ClaimedJob) -> F) -> Kind
where
    F: Future<Output = Result<(), JobError>> + Send + 'static,
{
    Kind {
        name,
        handler: Arc::new(move |store, job| Box::pin(run(store, job))),
        concurrency: Some(1),
        limit: SWEEP_LIMIT,
        attempts: 5,
        backoff: Backoff { first: Duration::from_secs(2), most: Duration::from_secs(60) },
    }
}
