//! `sweep.checkpoints`: signs a checkpoint of every chain that has advanced.

use deed_store::Store;
use deed_store::queue::ClaimedJob;

use super::paced;
use crate::kind::JobError;

/// Events of one batch, which is one transaction.
const BATCH: usize = 128;

pub(super) async fn run(store: Store, _job: ClaimedJob) -> Result<(), JobError> {
    while paced(store.sign_checkpoints(BATCH)).await? > 0 {}
    Ok(())
}
