//! The end of the outbox, read once a process whatever the number of those who listen.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deed_notify::Event;
use deed_store::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::state::App;

/// Pause between two looks at the database.
const POLL: Duration = Duration::from_millis(100);
/// Pause after a look that failed.
const AFTER_ERROR: Duration = Duration::from_secs(1);
/// Most events that one look reads.
const BATCH: usize = 500;
/// Batches that are kept for those who are a little behind; who is further behind reads the database.
const KEPT: usize = 16;

/// Events that were read together.
pub(crate) struct Batch {
    /// The sequence number before the first one.
    after: i64,
    /// There is none of this batch's that comes later.
    upto: i64,
    events: Vec<(i64, Event)>,
}

/// What the process knows of the newest events.
#[derive(Clone, Default)]
pub(crate) struct Newest {
    /// Up to here every event is known.
    pub(crate) horizon: i64,
    kept: VecDeque<Arc<Batch>>,
    /// The process is about to stop.
    pub(crate) closing: bool,
}

impl Newest {
    /// The events after a sequence number, if memory reaches back that far.
    pub(crate) fn after(&self, seq: i64) -> Option<impl Iterator<Item = &(i64, Event)>> {
        let reaches = self.kept.front().is_some_and(|oldest| oldest.after <= seq);
        (reaches || seq >= self.horizon).then(|| {
            let later = self.kept.iter().filter(move |batch| batch.upto > seq);
            later.flat_map(|batch| &batch.events).filter(move |(at, _)| *at > seq)
        })
    }
}

/// Those who listen, and the one task that reads for them while there are any.
pub(crate) struct Tail {
    newest: watch::Sender<Newest>,
    running: Mutex<bool>,
    places: Arc<Semaphore>,
}

/// A place among those who listen.
pub(crate) struct Listener {
    pub(crate) newest: watch::Receiver<Newest>,
    _place: OwnedSemaphorePermit,
}

impl Tail {
    /// A tail for `listeners` at once.
    pub(crate) fn new(listeners: usize) -> Self {
        Self {
            newest: watch::Sender::default(),
            running: Mutex::new(false),
            places: Arc::new(Semaphore::new(listeners)),
        }
    }

    /// A place to listen, if one is free; the first one begins the reading.
    pub(crate) fn listen(&self, app: &App) -> Option<Listener> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = self.newest.subscribe();
        if !*running {
            *running = true;
            tokio::spawn(read(app.clone()));
        }
        metrics::gauge!("deed_event_listeners").set(self.newest.receiver_count() as f64);
        Some(Listener { newest, _place: place })
    }

    /// Ends the reading when nobody listens any more.
    fn may_end(&self) -> bool {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let listeners = self.newest.receiver_count();
        metrics::gauge!("deed_event_listeners").set(listeners as f64);
        *running = listeners > 0;
        !*running
    }
}

async fn read(app: App) {
    let tail = app.tail();
    let mut begun = false;
    while !tail.may_end() {
        if app.draining().load(Ordering::Acquire) {
            tail.newest.send_modify(|newest| newest.closing = true);
        }
        let pause = match look(&app, tail, begun).await {
            Ok(true) => Duration::ZERO,
            Ok(false) => POLL,
            Err(error) => {
                tracing::warn!(%error, "new events cannot be read");
                AFTER_ERROR
            }
        };
        begun |= pause != AFTER_ERROR;
        tokio::time::sleep(pause).await;
    }
}

/// One look at the database. Gives whether there may be more at once.
async fn look(app: &App, tail: &Tail, begun: bool) -> Result<bool, Error> {
    let horizon = app.store().event_horizon().await?;
    let after = tail.newest.borrow().horizon;
    if !begun {
        // What lies before is read by whoever needs it.
        tail.newest.send_modify(|newest| {
            newest.horizon = horizon;
            newest.kept.clear();
        });
        return Ok(false);
    }
    if horizon <= after {
        return Ok(false);
    }
    let rows = app.store().events_after(after, horizon, BATCH).await?;
    let full = rows.len() == BATCH;
    let upto = rows.last().filter(|_| full).map_or(horizon, |row| row.seq);
    let told = app.store().events_told(&rows).await?;
    let events = rows.iter().map(|row| row.seq).zip(told).collect();
    tail.newest.send_modify(|newest| {
        newest.kept.push_back(Arc::new(Batch { after, upto, events }));
        if newest.kept.len() > KEPT {
            newest.kept.pop_front();
        }
        newest.horizon = upto;
    });
    Ok(full)
}
