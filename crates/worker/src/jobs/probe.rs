//! `probe`: does nothing, through every station of the queue. For measuring and for drills.

use std::time::Duration;

use deed_store::Store;
use deed_store::queue::ClaimedJob;

use crate::kind::JobError;

/// Longest pause, in milliseconds.
const LONGEST: u64 = 60_000;

/// Waits as many milliseconds as `payload.waitMs` says (none without it, at most a minute).
pub(super) async fn run(_store: Store, job: ClaimedJob) -> Result<(), JobError> {
    if let Some(wait) = job.payload.get("waitMs").and_then(serde_json::Value::as_u64) {
        tokio::time::sleep(Duration::from_millis(wait.min(LONGEST))).await;
    }
    Ok(())
}
