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
const SHORTEST_POLL: Duration = Duration::from_millis(5);
/// The longest such pause, before its jitter of up to a quarter.
const LONGEST_POLL: Duration = Duration::from_millis(50);
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
    let mut kinds = vec![KindState::default(); hands.kinds.len()];
    let mut pause = SHORTEST_POLL;
    while !stop.is_cancelled() {
        let wanted = wanted(hands, &kinds);
        // What this claim gives is worked on even when `stop` comes now.
        let nap = match claim(store, id, hands, lease, &wanted, &mut kinds).await {
            Ok(0) => {
                pause = (pause * 2).min(LONGEST_POLL);
                jittered(pause)
            }
            Ok(_) => {
                pause = SHORTEST_POLL;
                pause
            }
            Err(error) => {
                tracing::warn!(%error, "no jobs could be claimed");
                // Places alone are no reason to try again at once.
                kinds.iter_mut().for_each(|kind| kind.backlog = false);
                AFTER_ERROR
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = store.jobs_added() => {}
            () = room(hands, &kinds) => {}
            () = sleep(nap) => {}
        }
    }
}

/// What the last claim of a kind told.
#[derive(Debug, Clone, Copy, Default)]
struct KindState {
    /// Where its round of the organisations stopped.
    turn: Option<Turn>,
    /// It gave as much as was asked for, or did not see everyone: there may be more.
    backlog: bool,
}

/// One wish for each kind that has a free place, with the number of the kind.
fn wanted(hands: &Hands, kinds: &[KindState]) -> Vec<(usize, Wanted)> {
    let kinds = hands.kinds.iter().zip(kinds).enumerate();
    let wishes = kinds.map(|(number, (kind, state))| {
        let (limit, _) = hands.places(number);
        (number, Wanted { kind: kind.name.to_owned(), limit, after: state.turn })
    });
    wishes.filter(|(_, wish)| wish.limit > 0).collect()
}

/// Claims what is wanted, begins to work on it, and says how many jobs it were.
async fn claim(
    store: &Store,
    id: Uuid,
    hands: &Arc<Hands>,
    lease: Duration,
    wanted: &[(usize, Wanted)],
    kinds: &mut [KindState],
) -> Result<usize, Error> {
    if wanted.is_empty() {
        return Ok(0);
    }
    let end = Instant::now() + lease;
    let wishes = wanted.iter().map(|(_, wish)| wish.clone()).collect();
    let claimed = store.claim_jobs(id, wishes, lease).await?;
    let mut begun = 0;
    for ((kind, wish), Claimed { jobs, next }) in wanted.iter().zip(claimed) {
        // A round that did not begin at the first organisation has not seen everyone either.
        let backlog = jobs.len() == wish.limit || next.is_some() || wish.after.is_some();
        kinds[*kind] = KindState { turn: next, backlog };
        begun += jobs.len();
        for job in jobs {
            hands.take(store, job, *kind, end);
        }
    }
    Ok(begun)
}

/// Until a kind with a backlog has places: half of them, or any after a short while. Never, when no
/// kind has a backlog.
async fn room(hands: &Hands, kinds: &[KindState]) {
    let backlogged: Vec<usize> = (0..kinds.len()).filter(|number| kinds[*number].backlog).collect();
    let free = |least: fn(usize) -> usize| {
        backlogged.iter().any(|number| {
            let (free, all) = hands.places(*number);
            free >= least(all)
        })
    };
    while !free(|_| 1) {
        hands.freed().await;
    }
    let half = async {
        while !free(|all| all.div_ceil(2)) {
            hands.freed().await;
        }
    };
    let _ = timeout(GATHER, half).await;
}

/// Between three quarters and all of a pause, so that workers do not poll in step.
fn jittered(pause: Duration) -> Duration {
    let [random] = random::bytes();
    pause.mul_f64(0.75 + 0.25 * f64::from(random) / 255.0)
}
