//! Ticks: each is enqueued once, whoever believes what.

use chrono::{DateTime, TimeDelta, Utc};
use deed_store::Store;
use deed_store::schedules::{CatchUp, DueTicks, NewSchedule};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::support::{connect, count, database, store};

static SCHEDULES: [NewSchedule; 2] = [
    NewSchedule { name: "each", cron: "* * * * * *", kind: "probe", catch_up: CatchUp::All },
    NewSchedule { name: "hourly", cron: "0 * * * *", kind: "probe", catch_up: CatchUp::Skip },
];

/// A store whose schedules were last decided `minutes` ago, and the database's time.
async fn scene(minutes: i32) -> (Store, Client, DateTime<Utc>) {
    let database = database().await;
    let store = store(&database).await;
    store.register_schedules(&SCHEDULES).await.unwrap();
    let client = connect(&database.urls().superuser).await;
    let past = format!("UPDATE schedules SET last_tick = now() - interval '{minutes} minutes'");
    client.batch_execute(&past).await.unwrap();
    let (now, _) = store.schedules().await.unwrap();
    let now = DateTime::from_timestamp(now.timestamp(), 0).unwrap();
    // The database lives as long as the process's server; the guard may go.
    std::mem::forget(database);
    (store, client, now)
}

fn due(ticks: &[DateTime<Utc>], decided: DateTime<Utc>) -> DueTicks {
    DueTicks { schedule: "each".to_owned(), ticks: ticks.to_vec(), decided }
}

const JOBS: &str = "SELECT count(*) FROM jobs";

#[tokio::test]
async fn of_workers_at_the_same_time_one_claims_each_tick() {
    let (store, client, now) = scene(1).await;
    let schedule = store.schedules().await.unwrap().1.remove(0);
    let ticks = schedule.due(now).unwrap().unwrap();
    assert!((60..=61).contains(&ticks.len()), "{}", ticks.len());
    // Workers that have seen different parts of it.
    let claims = (0..8).map(|worker| {
        let seen = &ticks[..ticks.len() - worker];
        store.claim_ticks(Uuid::from_u128(worker as u128), due(seen, *seen.last().unwrap()))
    });
    let claimed = futures::future::join_all(claims).await;
    let claimed: usize = claimed.into_iter().map(Result::unwrap).sum();
    assert_eq!(claimed, ticks.len());
    assert_eq!(count(&client, JOBS).await, i64::try_from(ticks.len()).unwrap());
    let apart = "SELECT count(*) FROM schedule_ticks t JOIN jobs j ON j.id = t.job_id
        WHERE (j.payload->>'tick')::timestamptz = t.tick AND j.payload->>'schedule' = 'each'";
    assert_eq!(count(&client, apart).await, i64::try_from(ticks.len()).unwrap());
    let last = store.schedules().await.unwrap().1.remove(0);
    assert_eq!(last.last.map(|tick| tick.at), ticks.last().copied());
    assert_eq!(last.decided, *ticks.last().unwrap());
}

#[tokio::test]
async fn a_tick_is_not_enqueued_again_after_its_row_was_swept() {
    let (store, client, now) = scene(60).await;
    let tick = now - TimeDelta::seconds(5);
    assert_eq!(store.claim_ticks(Uuid::nil(), due(&[tick], tick)).await.unwrap(), 1);
    client.batch_execute("DELETE FROM schedule_ticks").await.unwrap();
    // A worker that slept from before the claim until after the sweep.
    assert_eq!(store.claim_ticks(Uuid::nil(), due(&[tick], tick)).await.unwrap(), 0);
    assert_eq!(count(&client, JOBS).await, 1);
}

#[tokio::test]
async fn a_tick_and_its_job_are_there_together_or_not_at_all() {
    let (store, client, now) = scene(1).await;
    let refuse = "ALTER TABLE jobs ADD CHECK (kind <> 'probe') NOT VALID";
    client.batch_execute(refuse).await.unwrap();
    let tick = now - TimeDelta::seconds(5);
    let refused = store.claim_ticks(Uuid::nil(), due(&[tick], now)).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("jobs")));
    assert_eq!(count(&client, "SELECT count(*) FROM schedule_ticks").await, 0);
    let schedule = store.schedules().await.unwrap().1.remove(0);
    assert!(schedule.decided < tick, "nothing was decided either");
}

#[tokio::test]
async fn skipped_ticks_are_decided_without_a_job() {
    let (store, client, now) = scene(600).await;
    let hourly = store.schedules().await.unwrap().1.remove(1);
    let ten_past = now + TimeDelta::hours(1);
    // Ten hours were missed; none of them is within a minute of this.
    let late = ten_past - TimeDelta::seconds(ten_past.timestamp() % 3600 - 600);
    assert_eq!(hourly.due(late).unwrap(), Some(Vec::new()));
    let none = DueTicks { schedule: "hourly".to_owned(), ticks: Vec::new(), decided: now };
    assert_eq!(store.claim_ticks(Uuid::nil(), none).await.unwrap(), 0);
    let hourly = store.schedules().await.unwrap().1.remove(1);
    assert_eq!((hourly.decided, hourly.last), (now, None));
    assert_eq!(count(&client, JOBS).await, 0);
}

#[tokio::test]
async fn a_schedule_begins_anew_only_when_it_changes() {
    let (store, _client, _) = scene(600).await;
    let decided =
        |store: Store| async move { store.schedules().await.unwrap().1.remove(0).decided };
    let before = decided(store.clone()).await;
    store.register_schedules(&SCHEDULES).await.unwrap();
    assert_eq!(decided(store.clone()).await, before);
    static CHANGED: [NewSchedule; 1] = [NewSchedule { cron: "*/2 * * * * *", ..SCHEDULES[0] }];
    store.register_schedules(&CHANGED).await.unwrap();
    let after = decided(store).await;
    assert!(after > before + TimeDelta::minutes(599), "{before} {after}");
}
