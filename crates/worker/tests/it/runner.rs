//! Claim, work, settle; and what becomes of jobs when their worker stops or loses them.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deed_store::queue::JobState;
use deed_worker::{JobError, Kind, WorkerConfig};
use tokio::sync::{Semaphore, mpsc};

use crate::support::{Scene, job, kind, start, usual};

#[tokio::test]
async fn every_job_is_done_once_and_gone() {
    let scene = Scene::new().await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let kind = kind(move |job| {
        let tell = tell.clone();
        async move { tell.send(job.held.id).map_err(|e| JobError::Dead(e.to_string())) }
    });
    scene.add(100).await;
    let first = start(&scene.store, kind.clone(), usual());
    let second = start(&Scene::connect(&scene.database).await, kind, usual());
    scene.add(100).await;
    let mut done = HashSet::new();
    for _ in 0..200 {
        assert!(done.insert(told.recv().await.unwrap()), "a job was done twice");
    }
    first.stop().await;
    second.stop().await;
    assert!(told.recv().await.is_none(), "all handlers are gone, and none was called again");
    for state in JobState::ALL {
        assert_eq!(scene.jobs(state).await, []);
    }
}

/// Runs one job until its worker has called the handler `calls` times; then what is among the dead.
async fn dead_after(calls: usize, handler: fn(u32) -> Result<(), JobError>) -> String {
    let scene = Scene::new().await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let kind = kind(move |job| {
        tell.send(job.attempt).unwrap();
        async move { handler(job.attempt) }
    });
    scene.add(1).await;
    let worker = start(&scene.store, kind, usual());
    for attempt in 1..=calls {
        assert_eq!(told.recv().await, Some(u32::try_from(attempt).unwrap()));
    }
    worker.stop().await;
    let mut dead = scene.jobs(JobState::Dead).await;
    assert_eq!(dead.len(), 1);
    dead.pop().unwrap().1.unwrap()
}

#[tokio::test]
async fn a_job_that_fails_each_time_is_dead_after_its_attempts() {
    let error = dead_after(3, |n| Err(JobError::Retry(format!("no luck {n}")))).await;
    assert_eq!(error, "no luck 3");
}

#[tokio::test]
async fn a_job_that_can_never_work_is_dead_at_once() {
    assert_eq!(dead_after(1, |_| Err(JobError::Dead("nonsense".to_owned()))).await, "nonsense");
}

#[tokio::test]
async fn a_panic_is_a_failed_attempt() {
    assert_eq!(dead_after(3, |_| panic!("on purpose")).await, "the handler panicked");
}

#[tokio::test]
async fn a_job_that_takes_too_long_is_a_failed_attempt() {
    let scene = Scene::new().await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let endless = kind(move |_| {
        tell.send(()).unwrap();
        std::future::pending()
    });
    let kind = Kind { limit: Duration::from_millis(10), attempts: 1, ..endless };
    scene.add(1).await;
    let worker = start(&scene.store, kind, usual());
    told.recv().await.unwrap();
    worker.stop().await;
    let error = scene.jobs(JobState::Dead).await.pop().unwrap().1.unwrap();
    assert!(error.contains("longer than 10ms"), "{error}");
}

#[tokio::test]
async fn a_job_whose_workers_all_died_is_not_begun_again() {
    let scene = Scene::new().await;
    scene.add(1).await;
    let client = scene.client().await;
    let used = "UPDATE jobs SET attempt = 3, fence = 3";
    client.batch_execute(used).await.unwrap();
    let (tell, mut told) = mpsc::unbounded_channel::<()>();
    let kind = kind(move |_| {
        tell.send(()).unwrap();
        async { Ok(()) }
    });
    let worker = start(&scene.store, kind, usual());
    while scene.jobs(JobState::Dead).await.is_empty() {
        tokio::task::yield_now().await;
    }
    worker.stop().await;
    assert!(told.recv().await.is_none());
}

#[tokio::test]
async fn what_a_worker_has_counted_is_in_the_database_when_it_has_stopped() {
    let scene = Scene::new().await;
    let (tell, mut told) = mpsc::unbounded_channel();
    // Each third attempt works.
    let kind = kind(move |job| {
        tell.send(()).unwrap();
        async move { if job.attempt < 3 { Err(JobError::Retry("no".to_owned())) } else { Ok(()) } }
    });
    scene.add(10).await;
    let worker = start(&scene.store, kind, usual());
    for _ in 0..30 {
        told.recv().await.unwrap();
    }
    worker.stop().await;
    let figures = scene.store.job_figures().await.unwrap();
    let [(name, figures)] = figures.as_slice() else { panic!("{figures:?}") };
    assert_eq!((name.as_str(), figures.done, figures.failed, figures.fenced), ("test", 10, 20, 0));
    assert!(figures.waits.longest() > Some(Duration::ZERO));
    assert!(figures.runs.longest() > Some(Duration::ZERO));
}

#[tokio::test]
async fn no_more_jobs_are_in_hand_than_there_are_places() {
    let scene = Scene::new().await;
    let gate = Arc::new(Semaphore::new(0));
    let running = Arc::new(AtomicUsize::new(0));
    let (tell, mut told) = mpsc::unbounded_channel();
    let handler = {
        let (gate, running) = (Arc::clone(&gate), Arc::clone(&running));
        move |_| {
            let (gate, running, tell) = (Arc::clone(&gate), Arc::clone(&running), tell.clone());
            async move {
                tell.send(running.fetch_add(1, Ordering::SeqCst) + 1).unwrap();
                gate.acquire().await.unwrap().forget();
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        }
    };
    scene.add(30).await;
    let narrow = Kind { concurrency: Some(3), ..kind(handler) };
    let worker = start(&scene.store, narrow, usual());
    for done in 0..30 {
        let at_once = told.recv().await.unwrap();
        assert!(at_once <= 3, "{at_once} at once");
        if done >= 2 {
            gate.add_permits(1);
        }
    }
    gate.add_permits(2);
    worker.stop().await;
    assert_eq!(scene.jobs(JobState::Waiting).await, []);
}

#[tokio::test]
async fn a_worker_that_stops_lets_jobs_end_and_claims_no_more() {
    let scene = Scene::new().await;
    let gate = Arc::new(Semaphore::new(0));
    let (tell, mut told) = mpsc::unbounded_channel();
    let held = Arc::clone(&gate);
    let kind = kind(move |_| {
        let (gate, tell) = (Arc::clone(&held), tell.clone());
        async move {
            tell.send(()).unwrap();
            gate.acquire().await.unwrap().forget();
            Ok(())
        }
    });
    scene.add(8).await;
    let worker = start(&scene.store, kind, usual());
    for _ in 0..8 {
        told.recv().await.unwrap();
    }
    scene.add(5).await;
    let draining = Arc::clone(&worker.draining);
    let stopping = tokio::spawn(worker.stop());
    while !draining.load(Ordering::Acquire) {
        tokio::task::yield_now().await;
    }
    gate.add_permits(100);
    stopping.await.unwrap();
    assert_eq!(scene.jobs(JobState::Active).await, []);
    assert_eq!(scene.jobs(JobState::Waiting).await.len(), 5);
    assert!(told.recv().await.is_none());
}

#[tokio::test]
async fn what_does_not_end_in_time_is_given_back_with_its_attempt() {
    let scene = Scene::new().await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let endless = kind(move |_| {
        let tell = tell.clone();
        async move {
            tell.send(()).unwrap();
            std::future::pending().await
        }
    });
    scene.add(4).await;
    let config = WorkerConfig { drain_timeout: Duration::from_millis(1), ..usual() };
    let worker = start(&scene.store, endless, config);
    for _ in 0..4 {
        told.recv().await.unwrap();
    }
    worker.stop().await;
    assert_eq!(scene.jobs(JobState::Waiting).await, vec![(0, None); 4]);
}

/// Tells when it is dropped.
struct Dropped(mpsc::UnboundedSender<&'static str>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_drops_the_work() {
    let scene = Scene::new().await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let endless = kind(move |_| {
        let guard = Dropped(tell.clone());
        async move {
            guard.0.send("begun").unwrap();
            std::future::pending().await
        }
    });
    scene.add(1).await;
    // A heartbeat every quarter of a second.
    let config = WorkerConfig {
        lease: Duration::from_secs(1),
        drain_timeout: Duration::from_millis(1),
        ..usual()
    };
    let worker = start(&scene.store, endless, config);
    assert_eq!(told.recv().await, Some("begun"));
    // Another one has it: the fence has moved on.
    let taken = "UPDATE jobs SET fence = fence + 1, lease_until = now() + interval '1 hour'";
    scene.client().await.batch_execute(taken).await.unwrap();
    assert_eq!(told.recv().await, Some("dropped"));
    worker.stop().await;
    // It changed nothing of what the other one holds.
    assert_eq!(scene.jobs(JobState::Active).await, vec![(1, None)]);
}

#[tokio::test]
async fn a_heartbeat_keeps_a_job_for_longer_than_its_lease() {
    let scene = Scene::new().await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let kind = kind(move |job| {
        let (gate, tell) = (Arc::clone(&held), tell.clone());
        async move {
            tell.send(job.attempt).unwrap();
            gate.acquire().await.unwrap().forget();
            Ok(())
        }
    });
    scene.add(1).await;
    // Long enough that a busy machine does not end it between two heartbeats.
    let config = WorkerConfig { lease: Duration::from_secs(4), ..usual() };
    let worker = start(&scene.store, kind.clone(), config.clone());
    let other = start(&Scene::connect(&scene.database).await, kind, config);
    assert_eq!(told.recv().await, Some(1));
    // Held beyond the first lease, by the database's clock.
    let client = scene.client().await;
    let until = "SELECT lease_until > enqueued_at + interval '9 seconds'
        FROM jobs, pg_sleep(0.05) WHERE kind = 'test'";
    while !client.query_one(until, &[]).await.unwrap().get::<_, bool>(0) {}
    gate.add_permits(1);
    worker.stop().await;
    other.stop().await;
    assert!(told.recv().await.is_none(), "nobody else had begun it");
    assert_eq!(scene.jobs(JobState::Waiting).await, []);
}

#[tokio::test]
async fn jobs_of_unknown_kinds_wait_for_a_worker_that_knows_them() {
    let scene = Scene::new().await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let kind = kind(move |_| {
        tell.send(()).unwrap();
        async { Ok(()) }
    });
    scene.store.enqueue_jobs(vec![job("of-a-newer-version"), job("test")]).await.unwrap();
    let worker = start(&scene.store, kind, usual());
    told.recv().await.unwrap();
    worker.stop().await;
    let left = scene.store.jobs(JobState::Waiting, None, None, 10).await.unwrap().items;
    let unknown = left.iter().filter(|job| job.kind == "of-a-newer-version");
    assert_eq!(unknown.count(), 1);
}
