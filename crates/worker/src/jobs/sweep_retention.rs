//! `sweep.retention`: removes what is kept for a time only.

use deed_store::Store;
use deed_store::queue::ClaimedJob;

use crate::kind::JobError;

/// Rows of one batch.
const BATCH: usize = 1000;
/// Hours for which a retry with the same idempotency key gets the original answer.
const IDEMPOTENCY_HOURS: i32 = 48;
/// Days for which a dead job can be replayed.
const DEAD_DAYS: i32 = 90;
/// Days for which a tick is kept; the newest of a schedule always is.
const TICK_DAYS: i32 = 30;
/// Days for which the figures of jobs are kept; health reads an hour of them.
const FIGURE_DAYS: i32 = 1;

pub(super) async fn run(store: Store, _job: ClaimedJob) -> Result<(), JobError> {
    let mut page = Some(0);
    while let Some(at) = page {
        (page, _) = store.sweep_idempotency_keys(at, IDEMPOTENCY_HOURS).await?;
    }
    while store.sweep_dead_jobs(DEAD_DAYS, BATCH).await? == BATCH {}
    while store.sweep_ticks(TICK_DAYS, BATCH).await? == BATCH {}
    while store.sweep_job_figures(FIGURE_DAYS, BATCH).await? == BATCH {}
    Ok(())
}
