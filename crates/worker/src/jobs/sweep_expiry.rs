//! `sweep.expiry`: ends records whose deadline has passed.

use deed_store::Store;
use deed_store::queue::ClaimedJob;

use super::paced;
use crate::kind::JobError;

/// Records of one batch, which is one transaction.
const BATCH: usize = 32;

pub(super) async fn run(store: Store, _job: ClaimedJob) -> Result<(), JobError> {
    while paced(store.expire_due(BATCH)).await? > 0 {}
    Ok(())
}
