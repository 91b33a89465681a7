//! The endpoints that this worker has in hand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deed_store::Store;
use deed_store::webhooks::{ClaimedWebhook, HeldWebhook};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::{Webhooks, batch};

struct InHand {
    fence: i64,
    /// Measured here from before the claim was sent: never late.
    lease_end: Instant,
    work: AbortHandle,
}

#[derive(Default)]
pub(super) struct Hands {
    endpoints: Mutex<HashMap<Uuid, InHand>>,
    pub(super) tasks: TaskTracker,
    /// A batch has ended.
    pub(super) ended: Notify,
}

impl Hands {
    fn endpoints(&self) -> MutexGuard<'_, HashMap<Uuid, InHand>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn len(&self) -> usize {
        self.endpoints().len()
    }

    /// Begins to deliver.
    pub(super) fn take(
        self: &Arc<Self>,
        store: &Store,
        webhooks: &Arc<Webhooks>,
        claimed: ClaimedWebhook,
        end: Instant,
        stop: CancellationToken,
    ) {
        let held = claimed.held;
        let place = Place { hands: Arc::clone(self), held };
        let deliver = batch::deliver(store.clone(), Arc::clone(webhooks), claimed, stop);
        // Under the lock, so that the work does not end before it is known.
        let mut endpoints = self.endpoints();
        let work = self.tasks.spawn(async move {
            let _place = place;
            deliver.await;
        });
        let work = work.abort_handle();
        let earlier = endpoints.insert(held.id, InHand { fence: held.fence, lease_end: end, work });
        // The same endpoint under a claim that was lost without this worker's knowing.
        if let Some(earlier) = earlier {
            earlier.work.abort();
        }
    }

    fn held(&self) -> Vec<HeldWebhook> {
        self.endpoints().iter().map(|(id, one)| HeldWebhook { id: *id, fence: one.fence }).collect()
    }

    /// Stops the work on endpoints that another worker has, or may have soon.
    fn lose(&self, lost: impl Fn(HeldWebhook, Instant) -> bool) {
        self.endpoints().retain(|id, one| {
            let lost = lost(HeldWebhook { id: *id, fence: one.fence }, one.lease_end);
            if lost {
                one.work.abort();
            }
            !lost
        });
    }

    /// Stops all work, and gives what was worked on.
    pub(super) fn drop_all(&self) -> Vec<HeldWebhook> {
        let held = self.held();
        self.lose(|_, _| true);
        held
    }

    /// Prolongs the leases four times a lease until `stop`; what is no longer ours is dropped.
    pub(super) async fn keep(&self, store: &Store, lease: Duration, stop: CancellationToken) {
        let mut beats = interval(lease / 4);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = beats.tick() => {}
            }
            let held = self.held();
            if held.is_empty() {
                continue;
            }
            let end = Instant::now() + lease;
            match store.extend_webhooks(&held, lease).await {
                Ok(ours) => {
                    let mut endpoints = self.endpoints();
                    for one in &ours {
                        let own = endpoints.get_mut(&one.id).filter(|own| own.fence == one.fence);
                        if let Some(own) = own {
                            own.lease_end = end;
                        }
                    }
                    drop(endpoints);
                    self.lose(|one, _| held.contains(&one) && !ours.contains(&one));
                }
                Err(error) => {
                    tracing::warn!(%error, "leases of endpoints are not prolonged");
                    let now = Instant::now();
                    self.lose(|_, end| end <= now);
                }
            }
        }
    }
}

/// A place that is taken until the batch has ended, however it ends.
struct Place {
    hands: Arc<Hands>,
    held: HeldWebhook,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut endpoints = self.hands.endpoints();
        if endpoints.get(&self.held.id).is_some_and(|one| one.fence == self.held.fence) {
            endpoints.remove(&self.held.id);
        }
        drop(endpoints);
        self.hands.ended.notify_one();
    }
}
