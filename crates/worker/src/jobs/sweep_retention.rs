//! `sweep.retention`: removes what is kept for a time only.

use deed_store::Store;
use deed_store::queue::ClaimedJob;

use super::paced;
use crate::kind::JobError;

/// Rows of one batch.
const BATCH: usize = 1000;
/// Hours for which a retry with the same idempotency key gets the original answer.
const IDEMPOTENCY_HOURS: i32 = 48;
/// Days for which a dead job can be replayed.
const DEAD_DAYS: i32 = 90;
/// Days for which events can be read, longer while a consumer has not seen them.
const EVENT_DAYS: i32 = 30;
/// Days for which the audit log is kept, in whole months.
const AUDIT_DAYS: i32 = 400;
/// Days for which a tick is kept; the newest of a schedule always is.
const TICK_DAYS: i32 = 30;
/// Days for which a delivery to a webhook is tried or waits for its turn.
const PENDING_DAYS: i32 = 7;
/// Days for which a delivery can be looked at and replayed.
const DELIVERY_DAYS: i32 = 30;
/// Days for which the figures of jobs are kept; health reads an hour of them.
const FIGURE_DAYS: i32 = 1;

pub(super) async fn run(store: Store, _job: ClaimedJob) -> Result<(), JobError> {
    let mut page = Some(0);
    while let Some(at) = page {
        (page, _) = store.sweep_idempotency_keys(at, IDEMPOTENCY_HOURS).await?;
    }
    while store.sweep_dead_jobs(DEAD_DAYS, BATCH).await? == BATCH {}
    while store.sweep_ticks(TICK_DAYS, BATCH).await? == BATCH {}
    while paced(store.sweep_events(EVENT_DAYS, BATCH)).await? == BATCH {}
    while paced(store.expire_webhook_deliveries(PENDING_DAYS, BATCH)).await? == BATCH {}
    while paced(store.sweep_webhook_deliveries(DELIVERY_DAYS, BATCH)).await? == BATCH {}
    while paced(store.sweep_deleted_webhooks(BATCH)).await? == BATCH {}
    store.remove_deleted_webhooks(BATCH).await?;
    while store.sweep_audit(AUDIT_DAYS).await? > 0 {}
    while store.sweep_job_figures(FIGURE_DAYS, BATCH).await? == BATCH {}
    Ok(())
}
