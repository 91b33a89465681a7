//! The schedules of the program, and the loop that claims their ticks.

use std::time::Duration;

use chrono::{DateTime, Utc};
use deed_store::schedules::{CatchUp, DueTicks, NewSchedule, Schedule};
use deed_store::{Error, Store, random};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What recurs in every deployment. Times are UTC.
pub const SCHEDULES: &[NewSchedule] = &[
    NewSchedule {
        name: "checkpoints",
        cron: "* * * * *",
        kind: "sweep.checkpoints",
        catch_up: CatchUp::Skip,
    },
    NewSchedule {
        name: "expiry",
        cron: "*/10 * * * * *",
        kind: "sweep.expiry",
        catch_up: CatchUp::Skip,
    },
    NewSchedule {
        name: "recovery",
        cron: "*/30 * * * * *",
        kind: "sweep.recovery",
        catch_up: CatchUp::Skip,
    },
    NewSchedule {
        name: "partitions",
        cron: "17 3 * * *",
        kind: "sweep.partitions",
        catch_up: CatchUp::Latest,
    },
    NewSchedule {
        name: "retention",
        cron: "43 * * * *",
        kind: "sweep.retention",
        catch_up: CatchUp::Latest,
    },
];

/// Longest time between two looks at the schedules.
const LONGEST_NAP: Duration = Duration::from_secs(5);
/// Shortest one, and the pause after an error.
const SHORTEST_NAP: Duration = Duration::from_millis(20);
/// Workers wake up after a tick spread over this many milliseconds: one claims it, the others find
/// it claimed.
const SPREAD_MS: u64 = 50;

/// Registers the schedules, and claims ticks as the worker `replica` until `stop`.
pub(crate) async fn run(store: Store, replica: Uuid, stop: CancellationToken) {
    let mut registered = false;
    while !stop.is_cancelled() {
        let looked = async {
            if !registered {
                store.register_schedules(SCHEDULES).await?;
                registered = true;
            }
            look(&store, replica).await
        };
        let nap = match looked.await {
            Ok(nap) => nap,
            Err(error) => {
                tracing::warn!(%error, "the schedules could not be looked at");
                LONGEST_NAP
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(nap) => {}
        }
    }
}

/// Claims what is due, and says when to look again.
async fn look(store: &Store, replica: Uuid) -> Result<Duration, Error> {
    let (now, schedules) = store.schedules().await?;
    let mut nap = LONGEST_NAP;
    for schedule in schedules.into_iter().filter(is_known) {
        match schedule.due(now) {
            Ok(Some(ticks)) => claim(store, replica, &schedule, ticks, now).await?,
            Ok(None) => {}
            Err(error) => tracing::error!(schedule = schedule.name, %error, "no cron expression"),
        }
        if let Some(next) = schedule.next(now) {
            nap = nap.min((next - now).to_std().unwrap_or_default());
        }
    }
    let [random] = random::bytes();
    let spread = Duration::from_millis(u64::from(random) * SPREAD_MS / 255);
    Ok(nap.max(SHORTEST_NAP) + spread)
}

/// Whether this program has the schedule, or nobody's program does because it was made by hand. One that
/// another version brought along is left to the workers of that version: while they run it ticks on, and
/// when the last of them is gone it rests.
fn is_known(schedule: &Schedule) -> bool {
    !schedule.from_program || SCHEDULES.iter().any(|known| known.name == schedule.name)
}

async fn claim(
    store: &Store,
    replica: Uuid,
    schedule: &Schedule,
    ticks: Vec<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let due = DueTicks { schedule: schedule.name.clone(), ticks, decided: now };
    let claimed = store.claim_ticks(replica, due).await?;
    metrics::counter!("deed_schedule_ticks_total", "schedule" => schedule.name.clone())
        .increment(claimed as u64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::SCHEDULES;

    #[test]
    fn every_schedule_has_a_kind() {
        let kinds = crate::kinds(&crate::Anchors::default());
        for schedule in SCHEDULES {
            assert!(kinds.iter().any(|kind| kind.name == schedule.kind), "{}", schedule.kind);
        }
    }
}
