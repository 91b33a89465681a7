//! One anchor, object by object: what it holds must be what the database holds.
//!
//! The list of the anchor leads, never that of the database: what somebody took away there is found by
//! what is here.

use std::collections::VecDeque;
use std::sync::Arc;

use deed_anchor::{Listed, Place};
use deed_chain::anchor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::finding::{Finding, Kind};
use crate::{Event, Progress, Shared, Stop, object};

/// Objects that are compared at once.
const AT_ONCE: usize = 4;
/// Missing objects that are told one by one, about.
const MOST_MISSING: u64 = 1000;
/// Numbers of one look into the database.
const NUMBERS: i64 = 1000;

/// Compares an anchor with the database, and gives the number of the newest checkpoint up to which it
/// holds all.
pub(crate) async fn compare(
    shared: &Arc<Shared>,
    place: &Place,
    stop: &CancellationToken,
) -> Result<i64, Stop> {
    let mut walk = Walk { shared, place, last: 0, whole: 0, gap: false };
    let folder = anchor::folder(shared.reader.installation().id);
    let mut from = None;
    loop {
        let page = place.list(&folder, from.as_ref()).await?;
        let mut objects = VecDeque::from(walk.order(page.items).await?);
        let mut under_way = VecDeque::new();
        loop {
            while under_way.len() < AT_ONCE
                && let Some((number, listed)) = objects.pop_front()
            {
                let task = object::compare(Arc::clone(shared), place.clone(), number, listed);
                under_way.push_back(AbortOnDropHandle::new(tokio::spawn(task)));
            }
            let Some(object) = under_way.pop_front() else { break };
            tokio::select! {
                done = object => done??,
                () = stop.cancelled() => return Err(Stop::Cancelled),
            }
            let progress = Progress { checked: shared.counts(), ..Progress::default() };
            let _ = shared.events.send(Event::Progress(progress)).await;
        }
        match page.next {
            Some(next) => from = Some(next),
            None => break,
        }
    }
    walk.missing(u64::MAX).await?;
    Ok(shared.reader.batch(walk.whole).await?.map_or(0, |(_, last)| last))
}

/// A walk over the numbers of the objects.
struct Walk<'a> {
    shared: &'a Shared,
    place: &'a Place,
    /// The newest number that was seen.
    last: u64,
    /// The newest number up to which none lacks.
    whole: u64,
    gap: bool,
}

impl Walk<'_> {
    /// The objects of a page with their numbers, after a look at what the list by itself shows.
    async fn order(&mut self, items: Vec<Listed>) -> Result<Vec<(u64, Listed)>, Stop> {
        let installation = self.shared.reader.installation().id;
        let mut objects = Vec::with_capacity(items.len());
        let mut before = self.last;
        for listed in items {
            let Some(number) = anchor::number(installation, &listed.key) else {
                let detail = format!("{} is no object of an anchor", listed.key);
                self.tell(Kind::AnchorUnreadable, detail).await;
                continue;
            };
            if listed.deleted {
                let detail = format!("{} was hidden by a delete marker", listed.key);
                self.tell(Kind::AnchorMissing, detail).await;
                continue;
            }
            if number == before {
                let detail = format!("{} has more than one version; each is compared", listed.key);
                self.tell(Kind::AnchorReplaced, detail).await;
            } else {
                self.seen(number).await?;
            }
            before = number;
            objects.push((number, listed));
        }
        Ok(objects)
    }

    async fn seen(&mut self, number: u64) -> Result<(), Stop> {
        if self.last == 0 && number > 1 {
            let detail = format!("the objects before number {number} are gone");
            self.tell(Kind::AnchorExpired, detail).await;
        } else if number > self.last + 1 {
            self.gap = true;
            self.missing(number - 1).await?;
        }
        self.last = number;
        if !self.gap {
            self.whole = number;
        }
        Ok(())
    }

    /// Tells which objects lack after the last one that was seen, up to `upto`: those that were written
    /// once are gone, others are not written yet.
    async fn missing(&mut self, upto: u64) -> Result<(), Stop> {
        let (mut after, mut written, mut told) = (self.last, 0, 0);
        let location = self.place.location();
        while told < MOST_MISSING {
            let page = self.shared.reader.anchored(location, after, upto, NUMBERS).await?;
            let Some(last) = page.last() else { break };
            after = *last;
            written += page.len() as u64;
            for number in page {
                // It may have been written since the list was made.
                let key = anchor::key(self.shared.reader.installation().id, number);
                let again = self.place.list(&key, None).await?.items;
                if !again.iter().any(|listed| !listed.deleted) {
                    told += 1;
                    self.tell(Kind::AnchorMissing, format!("{key} is gone")).await;
                }
            }
        }
        if upto != u64::MAX && written < upto - self.last {
            let detail =
                format!("objects between {} and {} are not written yet", self.last, upto + 1);
            self.tell(Kind::AnchorPending, detail).await;
        }
        Ok(())
    }

    async fn tell(&self, kind: Kind, detail: String) {
        self.shared.found(Finding::of_anchor(kind, self.place.location(), detail)).await;
    }
}
