//! The anchors of this worker: their settings are looked at, and where they stand is shown.

use std::sync::Arc;
use std::time::Duration;

use deed_anchor::{Error as PlaceError, Place};
use deed_store::{Error, Store};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Time between two looks at where the anchors stand.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Time between two looks at the settings of an anchor.
const CHECK_EVERY: Duration = Duration::from_secs(3600);
/// The same, while something is wrong with them.
const CHECK_AGAIN: Duration = Duration::from_secs(60);

/// Places that every checkpoint is copied to. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Anchors(Arc<[Place]>);

impl Anchors {
    /// These places.
    #[must_use]
    pub fn new(places: Vec<Place>) -> Self {
        Self(places.into())
    }

    /// Whether nothing is anchored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The places.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.0
    }

    /// The id of each in the database.
    pub(crate) async fn ids(&self, store: &Store) -> Result<Vec<i64>, Error> {
        let mut ids = Vec::with_capacity(self.0.len());
        for place in self.0.iter() {
            ids.push(store.register_anchor(place.location()).await?);
        }
        Ok(ids)
    }

    /// The one that has this id.
    pub(crate) async fn place(&self, store: &Store, id: i64) -> Result<Option<Place>, Error> {
        let ids = self.ids(store).await?;
        let found = ids.iter().position(|one| *one == id);
        Ok(found.map(|nth| self.0[nth].clone()))
    }

    /// Looks at the settings of each anchor, at once and then from time to time, and at where they
    /// stand, until `stop`. What is wrong is logged, shown in the health view and in metrics; work goes
    /// on, since appends do not depend on anchors.
    pub async fn watch(self, store: Store, stop: CancellationToken) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut due = vec![Instant::now(); self.0.len()];
        while !self.is_empty() {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = looks.tick() => {}
            }
            let look = async {
                for (place, due) in self.0.iter().zip(&mut due) {
                    if *due <= Instant::now() {
                        *due = Instant::now() + check(&store, place).await?;
                    }
                }
                show(&store, self.places()).await
            };
            tokio::select! {
                () = stop.cancelled() => return,
                looked = look => if let Err(error) = looked {
                    tracing::warn!(%error, "the anchors could not be looked at");
                }
            }
        }
    }
}

/// Looks at the settings of one anchor; gives the time until the next look.
async fn check(store: &Store, place: &Place) -> Result<Duration, Error> {
    let id = store.register_anchor(place.location()).await?;
    let probe = format!("{}/probe.json", store.installation().id);
    let (anchor, checked) = (place.location().to_owned(), place.check(&probe).await);
    let fault = checked.as_ref().err().map(ToString::to_string);
    store.set_anchor_fault(id, fault.as_deref()).await?;
    metrics::gauge!("deed_anchor_fault", "anchor" => anchor.clone()).set(if fault.is_some() {
        1.0
    } else {
        0.0
    });
    match checked {
        Ok(()) => {
            tracing::info!(anchor, "the anchor keeps what is written to it");
            Ok(CHECK_EVERY)
        }
        Err(error @ PlaceError::Unavailable(_)) => {
            tracing::warn!(anchor, %error, "the anchor cannot be reached");
            Ok(CHECK_AGAIN)
        }
        Err(error) => {
            tracing::error!(anchor, %error, "the anchor is not set up as it must be");
            Ok(CHECK_AGAIN)
        }
    }
}

async fn show(store: &Store, places: &[Place]) -> Result<(), Error> {
    for standing in store.anchor_standings().await? {
        let anchor = standing.location;
        if !places.iter().any(|place| place.location() == anchor) {
            continue;
        }
        metrics::gauge!("deed_anchor_objects_behind", "anchor" => anchor.clone())
            .set(standing.objects_behind as f64);
        metrics::gauge!("deed_anchor_checkpoints_behind", "anchor" => anchor.clone())
            .set(standing.checkpoints_behind as f64);
        metrics::gauge!("deed_anchor_oldest_unanchored_seconds", "anchor" => anchor)
            .set(standing.oldest_seconds);
    }
    Ok(())
}
