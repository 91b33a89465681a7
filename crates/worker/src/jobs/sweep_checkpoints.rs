//! `sweep.checkpoints`: signs a checkpoint of every chain that has advanced, and sees to it that each
//! is anchored.

use deed_chain::anchor::MOST_CHECKPOINTS;
use deed_store::queue::ClaimedJob;
use deed_store::{Error, Store};

use super::paced;
use crate::anchors::Anchors;
use crate::kind::JobError;

/// Events of one batch, which is one transaction.
const BATCH: usize = 128;

pub(super) async fn run(store: Store, _job: ClaimedJob, anchors: Anchors) -> Result<(), JobError> {
    let mut signed = 0;
    loop {
        let batch = paced(store.sign_checkpoints(BATCH)).await?;
        signed += batch;
        // A long sweep is anchored as it goes on.
        if batch > 0 && signed >= MOST_CHECKPOINTS {
            anchor(&store, &anchors, MOST_CHECKPOINTS).await?;
            signed = 0;
        }
        if batch == 0 {
            return Ok(anchor(&store, &anchors, 1).await?);
        }
    }
}

/// Divides what was signed among objects, and enqueues what each anchor lacks: also what was left by
/// a worker that went away, by dead jobs, or by the time before there was an anchor.
async fn anchor(store: &Store, anchors: &Anchors, least: usize) -> Result<(), Error> {
    if anchors.is_empty() {
        return Ok(());
    }
    store.cut_anchor_batches(least).await?;
    for id in anchors.ids(store).await? {
        store.enqueue_uploads(id).await?;
    }
    Ok(())
}
