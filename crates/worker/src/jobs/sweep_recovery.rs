//! `sweep.recovery`: what dead processes left behind. Every worker also looks for ended leases by
//! itself, each second; this finds them when that is held up.

use deed_store::Store;
use deed_store::append::Appender;
use deed_store::queue::ClaimedJob;
use uuid::Uuid;

use super::gate_evaluate;
use crate::kind::JobError;

/// Rows of one batch.
const BATCH: usize = 500;
/// Dead evaluations of one batch. Their entries are written together.
const EVALUATIONS: usize = 64;
/// Days for which a replica that is gone is still shown.
const REPLICA_DAYS: i32 = 1;

pub(super) async fn run(store: Store, _job: ClaimedJob) -> Result<(), JobError> {
    while store.rescue_jobs(BATCH).await? == BATCH {}
    while store.sweep_replicas(REPLICA_DAYS, BATCH).await? == BATCH {}
    give_up_evaluations(&store).await
}

/// Gives up what the rules could not judge in all attempts: its record would wait for ever. A job is
/// removed only after its record's entry is there, so this can be stopped anywhere; and one that
/// cannot be given up holds no other one up.
async fn give_up_evaluations(store: &Store) -> Result<(), JobError> {
    let mut after = Uuid::nil();
    loop {
        let jobs = store.dead_evaluations(after, EVALUATIONS).await?;
        let Some(last) = jobs.last() else { return Ok(()) };
        after = last.id;
        let appender = Appender::start(store, EVALUATIONS);
        let attempts = jobs.iter().map(|job| gate_evaluate::give_up(store, &appender, job));
        let mut done = Vec::with_capacity(jobs.len());
        for (job, attempt) in jobs.iter().zip(futures::future::join_all(attempts).await) {
            match attempt {
                // A payload that names no record is about nothing that waits.
                Ok(()) | Err(JobError::Dead(_)) => done.push(job.id),
                Err(error) => {
                    tracing::error!(job = %job.id, %error, "a dead evaluation cannot be given up");
                }
            }
        }
        store.remove_dead_jobs(done).await?;
    }
}
