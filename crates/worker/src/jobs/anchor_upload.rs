//! `anchor.upload`: writes one object to one anchor.
//!
//! The object is made from the database each time, the same bytes under the same key, and an anchor
//! takes it once. So it does not matter how often this is done, or by how many workers.

use deed_anchor::Error as PlaceError;
use deed_chain::anchor::{self, Anchor};
use deed_chain::sha256;
use deed_store::Store;
use deed_store::queue::ClaimedJob;
use serde_json::Value;

use crate::anchors::Anchors;
use crate::kind::JobError;

pub(super) async fn run(store: Store, job: ClaimedJob, anchors: Anchors) -> Result<(), JobError> {
    let field = |name: &str| job.payload.get(name).and_then(Value::as_i64);
    let (Some(id), Some(number)) = (field("anchor"), field("number").map(i64::unsigned_abs)) else {
        return Err(JobError::Dead("the payload names no object of an anchor".to_owned()));
    };
    let Some(place) = anchors.place(&store, id).await? else {
        let why = "this worker has no such anchor in its configuration; another one may";
        return Err(JobError::Retry(why.to_owned()));
    };
    let installation = store.installation();
    let object = Anchor {
        issuer: installation.issuer.clone(),
        installation: installation.id,
        number,
        checkpoints: store.anchor_batch(number).await?,
    };
    let key = anchor::key(installation.id, number);
    let making = tokio::task::spawn_blocking(move || {
        let bytes = object.to_bytes();
        (sha256(&bytes), bytes)
    });
    let (digest, bytes) = making.await.map_err(|error| JobError::Retry(error.to_string()))?;
    let location = place.location().to_owned();
    let count = |outcome: &'static str| {
        metrics::counter!("deed_anchor_uploads_total", "anchor" => location.clone(),
            "outcome" => outcome)
        .increment(1);
    };
    match place.put(&key, bytes).await {
        Ok(version) => {
            count("done");
            Ok(store.record_anchored(job.held, id, number, digest, version).await?)
        }
        Err(error) => {
            count("failed");
            if let PlaceError::Taken(_) = error {
                // Nobody but this server writes there, and it writes nothing else.
                tracing::error!(anchor = location, %error, "an anchor does not agree with the database");
                store
                    .set_anchor_fault(id, Some(&format!("{error}: run `deed audit --anchors`")))
                    .await?;
            }
            Err(JobError::Retry(error.to_string()))
        }
    }
}
