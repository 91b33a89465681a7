//! `sweep.partitions`: the partitions of the coming months.

use deed_store::Store;
use deed_store::queue::ClaimedJob;

use crate::kind::JobError;

/// Months ahead: a year without any worker passes before a row lands in a default partition.
const MONTHS: i32 = 12;

pub(super) async fn run(store: Store, _job: ClaimedJob) -> Result<(), JobError> {
    let made = store.ensure_partitions(MONTHS).await?;
    if made > 0 {
        tracing::info!(made, "partitions were made");
    }
    Ok(())
}
