//! All chains, in units of some records. Units are worked on side by side and end in order, so that
//! one record tells how far the audit is.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use deed_store::audit::Head;
use futures::{TryStreamExt as _, stream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Event, Progress, Shared, Stop, unit};

/// Records of one unit.
const RECORDS: i64 = 256;

/// Records in order, and where their chains lie in the vault.
pub(crate) struct Unit {
    /// Behind the chain of this record,
    pub(crate) after: Uuid,
    /// up to that of this one.
    pub(crate) upto: Uuid,
    pub(crate) heads: Vec<Head>,
    /// Whether chains that are ahead of the anchors are told.
    pub(crate) anchored: bool,
}

/// Audits the chains after one record. `anchored` is the newest checkpoint that anchors hold.
pub(crate) async fn audit(
    shared: &Arc<Shared>,
    after: Uuid,
    anchored: Option<i64>,
    progress: &mut Progress,
    stop: &CancellationToken,
) -> Result<(), Stop> {
    progress.of_records = shared.reader.records_after(after).await?;
    let units = stream::try_unfold(Some(after), |from| async move {
        let Some(after) = from else { return Ok(None) };
        let heads = shared.reader.heads(after, anchored.unwrap_or_default(), RECORDS).await?;
        // The last one has no record, and whatever else lies in the vault.
        let next = heads.last().map(|head| head.record);
        let upto = next.unwrap_or(Uuid::max());
        let unit = Unit { after, upto, heads, anchored: anchored.is_some() };
        Ok::<_, Stop>(Some((unit, next)))
    });
    let done = units.map_ok(|unit| async move {
        let end = unit.heads.last().map(|head| head.record);
        let task = tokio::spawn(unit::audit(Arc::clone(shared), unit));
        task.await??;
        Ok::<_, Stop>(end)
    });
    let mut done = std::pin::pin!(done.try_buffered(shared.lanes));
    loop {
        let end = tokio::select! {
            end = done.try_next() => end?,
            () = stop.cancelled() => return Err(Stop::Cancelled),
        };
        let Some(end) = end else { return Ok(()) };
        progress.cursor = end.or(progress.cursor);
        progress.checked = shared.counts();
        progress.of_records =
            progress.of_records.max(shared.checked.records.load(Ordering::Relaxed));
        let _ = shared.events.send(Event::Progress(*progress)).await;
    }
}
