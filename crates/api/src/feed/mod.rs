//! The feed of events: pages, long-polls and streams over the outbox.

mod cursor;
mod filter;
mod stream;
mod tail;

use std::time::Duration;

use deed_notify::Event;
use tokio::time::{Instant, timeout_at};

pub(crate) use cursor::Cursors;
pub(crate) use filter::Filter;
pub(crate) use stream::stream;
pub(crate) use tail::{Listener, Tail};

use crate::problem::Problem;
use crate::state::App;

/// Events that one statement reads.
const CHUNK: usize = 1000;
/// Statements that one look for a page costs at most: of other organisations' events many may lie between.
const MOST_CHUNKS: usize = 20;

/// Some events, and how far one has come with them.
pub(crate) struct Found {
    pub(crate) events: Vec<(i64, Event)>,
    /// All that pass the filter up to here are there.
    pub(crate) upto: i64,
}

/// Reads the database from a sequence number on towards `horizon`: at most `limit` events, and at most as much
/// of what does not pass as one request may cost.
pub(crate) async fn look(
    app: &App,
    filter: &Filter,
    after: i64,
    horizon: i64,
    limit: usize,
) -> Result<Found, Problem> {
    let (mut upto, mut passed) = (after, Vec::new());
    for _ in 0..MOST_CHUNKS {
        if upto >= horizon || passed.len() == limit {
            break;
        }
        let rows = app.store().events_after(upto, horizon, CHUNK).await?;
        let end = rows.last().filter(|_| rows.len() == CHUNK).map_or(horizon, |row| row.seq);
        let wanted = rows.into_iter().filter(|row| filter.lets_pass(row.org_id, &row.kind));
        passed.extend(wanted.take(limit - passed.len()));
        upto = passed.last().filter(|_| passed.len() == limit).map_or(end, |row| row.seq);
    }
    let told = app.store().events_told(&passed).await?;
    Ok(Found { events: passed.iter().map(|row| row.seq).zip(told).collect(), upto })
}

/// The next events for somebody who listens: from memory, or from the database if memory does not reach back.
/// Empty when `end` comes first, or the process is about to stop.
pub(crate) async fn next(
    app: &App,
    listener: &mut Listener,
    filter: &Filter,
    after: i64,
    limit: usize,
    end: Instant,
) -> Result<Found, Problem> {
    let mut upto = after;
    loop {
        let newest = listener.newest.borrow_and_update().clone();
        let found = match newest.after(upto) {
            Some(events) => {
                let passing = events.filter(|(_, e)| filter.lets_pass(e.org_id, &e.kind));
                let events: Vec<_> = passing.take(limit).cloned().collect();
                let last = events.last().filter(|_| events.len() == limit).map(|(seq, _)| *seq);
                Found { events, upto: last.unwrap_or(newest.horizon).max(upto) }
            }
            None => look(app, filter, upto, newest.horizon, limit).await?,
        };
        upto = found.upto;
        if !found.events.is_empty() || newest.closing {
            return Ok(found);
        }
        if upto >= newest.horizon
            && !matches!(timeout_at(end, listener.newest.changed()).await, Ok(Ok(())))
        {
            return Ok(found);
        }
    }
}

/// Longest time that a request may wait for events: less than a request may take at all.
pub(crate) fn longest_wait(app: &App) -> Duration {
    app.config().limits.request_timeout * 3 / 4
}
