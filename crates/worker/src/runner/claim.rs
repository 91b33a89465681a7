//! The claim loop: as many jobs as there are places, soon after they are there.

use std::sync::Arc;
use std::time::Duration;

use deed_store::queue::{Claimed, Turn, Wanted};
use deed_store::{Error, Store, random};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::hands::Hands;

/// Pause after a claim that found nothing; it doubles each time that nothing is found again.
const SHORTEST_POLL: Duration = Duration::from_millis(10);
/// The longest such pause, before its jitter of up to a quarter.
const LONGEST_POLL: Duration = Duration::from_millis(400);
/// Pause after a claim that failed.
const AFTER_ERROR: Duration = Duration::from_secs(1);
/// While there is a backlog, a claim waits this long for half of the places to become free: a few
/// larger claims cost less than many small ones.
const GATHER: Duration = Duration::from_millis(2);

/// Claims as the replica `id` until `stop`.
pub(super) async fn run(
    store: &Store,
    id: Uuid,
    hands: &Arc<Hands>,
    lease: Duration,
    stop: &CancellationToken,
) {
    let mut turns: Vec<Option<Turn>> = vec![None; hands.kinds.len()];
    let mut pause = SHORTEST_POLL;
    while !stop.is_cancelled() {
        let wanted = wanted(hands, &turns);
        if wanted.is_empty() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = hands.freed() => {}
            }
            continue;
        }
        // What this claim gives is worked on even when `stop` comes now.
        let nap = match claim(store, id, hands, lease, &wanted, &mut turns).await {
            Ok(Found::Backlog) => {
                pause = SHORTEST_POLL;
                gather(hands).await;
                continue;
            }
            Ok(Found::Some) => {
                pause = SHORTEST_POLL;
                pause
            }
            Ok(Found::Nothing) => {
                pause = (pause * 2).min(LONGEST_POLL);
                jittered(pause)
            }
            Err(error) => {
                tracing::warn!(%error, "no jobs could be claimed");
                AFTER_ERROR
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = store.jobs_added() => {}
            () = sleep(nap) => {}
        }
    }
}

/// What a claim found.
enum Found {
    /// As much as it asked for, or it did not see everyone: there may be more.
    Backlog,
    Some,
    Nothing,
}

/// One wish for each kind that has a free place, with the number of the kind.
fn wanted(hands: &Hands, turns: &[Option<Turn>]) -> Vec<(usize, Wanted)> {
    let kinds = hands.kinds.iter().zip(turns).enumerate();
    let wishes = kinds.map(|(number, (kind, after))| {
        let (limit, _) = hands.places(number);
        (number, Wanted { kind: kind.name.to_owned(), limit, after: *after })
    });
    wishes.filter(|(_, wish)| wish.limit > 0).collect()
}

async fn claim(
    store: &Store,
    id: Uuid,
    hands: &Arc<Hands>,
    lease: Duration,
    wanted: &[(usize, Wanted)],
    turns: &mut [Option<Turn>],
) -> Result<Found, Error> {
    let end = Instant::now() + lease;
    let wishes = wanted.iter().map(|(_, wish)| wish.clone()).collect();
    let claimed = store.claim_jobs(id, wishes, lease).await?;
    let mut found = Found::Nothing;
    for ((kind, wish), Claimed { jobs, next }) in wanted.iter().zip(claimed) {
        // A round that did not begin at the first organisation has not seen everyone either.
        if jobs.len() == wish.limit || next.is_some() || wish.after.is_some() {
            found = Found::Backlog;
        } else if !jobs.is_empty() && !matches!(found, Found::Backlog) {
            found = Found::Some;
        }
        turns[*kind] = next;
        for job in jobs {
            hands.take(store, job, *kind, end);
        }
    }
    Ok(found)
}

/// Waits a little until half of the places of some kind are free.
async fn gather(hands: &Hands) {
    let half = |number| {
        let (free, all) = hands.places(number);
        free * 2 >= all
    };
    let enough = async {
        while !(0..hands.kinds.len()).all(half) {
            hands.freed().await;
        }
    };
    let _ = timeout(GATHER, enough).await;
}

/// Between three quarters and all of a pause, so that workers do not poll in step.
fn jittered(pause: Duration) -> Duration {
    let [random] = random::bytes();
    pause.mul_f64(0.75 + 0.25 * f64::from(random) / 255.0)
}
