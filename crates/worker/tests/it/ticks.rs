//! Two workers, one schedule a second.

use std::collections::BTreeSet;

use deed_worker::JobError;
use tokio::sync::mpsc;

use crate::support::{Scene, kind, start, usual};

#[tokio::test]
async fn each_tick_is_one_job_however_many_workers_look() {
    let scene = Scene::new().await;
    let client = scene.client().await;
    // Ten ticks were missed, and all of them are to be made up for.
    let schedule = "INSERT INTO schedules (name, cron, kind, catch_up, last_tick)
        VALUES ('each', '* * * * * *', 'test', 'all', date_trunc('second', now()) - interval '10 s')";
    client.batch_execute(schedule).await.unwrap();
    let (tell, mut told) = mpsc::unbounded_channel();
    let kind = kind(move |job| {
        let tell = tell.clone();
        let tick = job.payload["tick"].as_str().unwrap().to_owned();
        async move { tell.send(tick).map_err(|e| JobError::Dead(e.to_string())) }
    });
    let other = Scene::connect(&scene.database).await;
    let workers = [
        start(&scene.store, kind.clone(), usual()),
        start(&scene.store, kind.clone(), usual()),
        start(&other, kind, usual()),
    ];
    let mut seen = BTreeSet::new();
    while seen.len() < 13 {
        let tick = told.recv().await.unwrap();
        assert!(seen.insert(tick.clone()), "{tick} came twice");
    }
    for worker in workers {
        worker.stop().await;
    }
    while let Some(tick) = told.recv().await {
        assert!(seen.insert(tick.clone()), "{tick} came twice");
    }
    // Without a gap: as many ticks as seconds from the first to the last.
    let gaps = "SELECT extract(epoch FROM max(tick) - min(tick))::int8 + 1 - count(*),
        count(*) FROM schedule_ticks WHERE schedule = 'each'";
    let row = client.query_one(gaps, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
    let enqueued = usize::try_from(row.get::<_, i64>(1)).unwrap();
    let waiting = "SELECT count(*) FROM jobs WHERE kind = 'test'";
    let left: i64 = client.query_one(waiting, &[]).await.unwrap().get(0);
    assert_eq!(seen.len() + usize::try_from(left).unwrap(), enqueued);
}

#[tokio::test]
async fn a_schedule_that_this_program_does_not_have_is_left_to_those_that_have_it() {
    let scene = Scene::new().await;
    let client = scene.client().await;
    // One of another version's program, by a kind that this worker knows; and one that was made by hand.
    let schedules = "INSERT INTO schedules (name, cron, kind, catch_up, last_tick, from_program)
        SELECT name, '* * * * * *', 'test', 'all', date_trunc('second', now()) - interval '10 s',
            name = 'dropped' FROM unnest(ARRAY['dropped', 'by-hand']) AS name";
    client.batch_execute(schedules).await.unwrap();
    let (tell, mut told) = mpsc::unbounded_channel();
    let kind = kind(move |job| {
        let tell = tell.clone();
        let schedule = job.payload["schedule"].as_str().unwrap().to_owned();
        async move { tell.send(schedule).map_err(|e| JobError::Dead(e.to_string())) }
    });
    let worker = start(&scene.store, kind, usual());
    // Eleven come of the first look; the twelfth tells that it has passed the other schedule too.
    for _ in 0..12 {
        assert_eq!(told.recv().await.as_deref(), Some("by-hand"));
    }
    worker.stop().await;
    let row = "SELECT (SELECT count(*) FROM schedule_ticks WHERE schedule = 'dropped'),
        (SELECT count(*) FROM schedules WHERE name = 'dropped' AND last_tick < now() - interval '9 s'),
        (SELECT count(*) FROM schedules WHERE from_program)";
    let row = client.query_one(row, &[]).await.unwrap();
    let counts: [i64; 3] = [row.get(0), row.get(1), row.get(2)];
    // Its row is as it was; the program's own are marked as such.
    assert_eq!(counts, [0, 1, deed_worker::SCHEDULES.len() as i64 + 1]);
}
