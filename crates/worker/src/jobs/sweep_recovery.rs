//! `sweep.recovery`: what dead processes left behind. Every worker also looks for ended leases by
//! itself, each second; this finds them when that is held up.

use deed_store::Store;
use deed_store::queue::ClaimedJob;

use crate::kind::JobError;

/// Rows of one batch.
const BATCH: usize = 500;
/// Days for which a replica that is gone is still shown.
const REPLICA_DAYS: i32 = 1;

pub(super) async fn run(store: Store, _job: ClaimedJob) -> Result<(), JobError> {
    while store.rescue_jobs(BATCH).await? == BATCH {}
    while store.sweep_replicas(REPLICA_DAYS, BATCH).await? == BATCH {}
    Ok(())
}
