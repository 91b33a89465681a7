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
