//! The loop that hands events out.

use std::time::Duration;

use deed_store::Store;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Pause after a look that found nothing; it doubles each time that nothing is found again.
const SHORTEST: Duration = Duration::from_millis(10);
/// The longest such pause.
const LONGEST: Duration = Duration::from_millis(100);
/// Pause after an error.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// Hands events out until `stop`, and tells `added` when there is something to deliver.
pub(super) async fn run(store: &Store, added: &Notify, stop: &CancellationToken) {
    let mut pause = SHORTEST;
    while !stop.is_cancelled() {
        let nap = match store.fan_out_webhooks().await {
            Ok(done) => {
                if done.added > 0 {
                    added.notify_one();
                }
                if done.more {
                    continue;
                }
                pause = if done.added > 0 { SHORTEST } else { (pause * 2).min(LONGEST) };
                pause
            }
            Err(error) => {
                tracing::warn!(%error, "events are not handed out to webhooks");
                AFTER_ERROR
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(nap) => {}
        }
    }
}
