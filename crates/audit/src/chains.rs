//! All chains, in units of some records. Units are worked on side by side and end in order, so that
//! one record tells how far the audit is.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use deed_store::audit::Head;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
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
    let (mut from, mut under_way) = (Some(after), VecDeque::new());
    loop {
        while let Some(after) = from.filter(|_| under_way.len() < shared.lanes) {
            let heads = shared.reader.heads(after, anchored.unwrap_or_default(), RECORDS).await?;
            // The last unit has no record, and whatever else lies in the vault.
            from = heads.last().map(|head| head.record);
            let upto = from.unwrap_or(Uuid::max());
            let unit = Unit { after, upto, heads, anchored: anchored.is_some() };
            let task = tokio::spawn(unit::audit(Arc::clone(shared), unit));
            under_way.push_back((from, AbortOnDropHandle::new(task)));
        }
        let Some((end, unit)) = under_way.pop_front() else { return Ok(()) };
        tokio::select! {
            done = unit => done??,
            () = stop.cancelled() => return Err(Stop::Cancelled),
        }
        progress.cursor = end.or(progress.cursor);
        progress.checked = shared.counts();
        progress.of_records =
            progress.of_records.max(shared.checked.records.load(Ordering::Relaxed));
        let _ = shared.events.send(Event::Progress(*progress)).await;
    }
}
