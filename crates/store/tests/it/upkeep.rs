//! The sweeps' batches, and the replicas that one of them removes.

use deed_store::replicas::Tier;

use crate::support::{connect, count, database, store};

#[tokio::test]
async fn idempotency_keys_are_removed_by_age_page_by_page() {
    let database = database().await;
    let store = store(&database).await;
    let client = connect(&database.urls().superuser).await;
    let fill = "INSERT INTO idempotency_keys (scope, key, request_hash, status, response, created_at)
        SELECT gen_random_uuid(), n::text, decode(repeat('00', 32), 'hex'), 200, decode(repeat('ab', 700), 'hex'),
            now() - interval '1 hour' * (n % 100) FROM generate_series(1, 4000) n";
    client.batch_execute(fill).await.unwrap();
    let old =
        "SELECT count(*) FROM idempotency_keys WHERE created_at < now() - interval '48 hours'";
    let (before, total) = (count(&client, old).await, 4000);
    let (mut page, mut removed, mut batches) = (Some(0), 0, 0);
    while let Some(at) = page {
        let (next, some) = store.sweep_idempotency_keys(at, 48).await.unwrap();
        (page, removed, batches) = (next, removed + some, batches + 1);
    }
    assert!(batches > 1, "the table has more than one batch of pages");
    assert_eq!(i64::try_from(removed).unwrap(), before);
    assert_eq!(count(&client, old).await, 0);
    let rest = count(&client, "SELECT count(*) FROM idempotency_keys").await;
    assert_eq!(rest, total - before);
}

#[tokio::test]
async fn old_ticks_and_dead_jobs_go_in_batches_and_the_newest_tick_stays() {
    let database = database().await;
    let store = store(&database).await;
    let client = connect(&database.urls().superuser).await;
    let fill = "INSERT INTO schedules (name, cron, kind, catch_up) VALUES
            ('old', '* * * * *', 'probe', 'all'), ('new', '* * * * *', 'probe', 'all');
        INSERT INTO schedule_ticks (schedule, tick, job_id, claimed_by)
            SELECT 'old', date_trunc('second', now()) - interval '1 day' * n, gen_random_uuid(), gen_random_uuid()
            FROM generate_series(31, 40) n;
        INSERT INTO schedule_ticks (schedule, tick, job_id, claimed_by)
            SELECT 'new', date_trunc('second', now()) - interval '1 day' * n, gen_random_uuid(), gen_random_uuid()
            FROM generate_series(28, 33) n;
        INSERT INTO jobs (id, kind, org_id, payload, priority, state, run_at)
            SELECT uuid_floor(now() - interval '1 day' * n), 'probe', gen_random_uuid(), '{}', 0,
            CASE WHEN n = 95 THEN 'waiting' ELSE 'dead' END, now() - interval '1 day' * n FROM generate_series(86, 95) n";
    client.batch_execute(fill).await.unwrap();
    assert_eq!(store.sweep_ticks(30, 5).await.unwrap(), 5);
    while store.sweep_ticks(30, 5).await.unwrap() > 0 {}
    let of = |name| format!("SELECT count(*) FROM schedule_ticks WHERE schedule = '{name}'");
    assert_eq!(count(&client, &of("old")).await, 1);
    // 28, 29, and perhaps the one that is just 30 days old.
    assert_eq!(count(&client, &of("new")).await, 2);
    assert_eq!(store.sweep_dead_jobs(90, 2).await.unwrap(), 2);
    while store.sweep_dead_jobs(90, 2).await.unwrap() > 0 {}
    let dead = "SELECT count(*) FROM jobs WHERE state = 'dead'";
    assert_eq!(count(&client, dead).await, 4);
    assert_eq!(count(&client, "SELECT count(*) FROM jobs WHERE state = 'waiting'").await, 1);
}

#[tokio::test]
async fn replicas_come_live_and_go() {
    let database = database().await;
    let store = store(&database).await;
    let client = connect(&database.urls().superuser).await;
    let (api, worker) = (store.new_replica(), store.new_replica());
    store.beat(api, Tier::Api, "1.0", false).await.unwrap();
    store.beat(worker, Tier::Worker, "1.1", false).await.unwrap();
    store.beat(worker, Tier::Worker, "1.1", true).await.unwrap();
    let of = |id| {
        let store = store.clone();
        async move { store.replicas().await.unwrap().into_iter().find(|one| one.id == id) }
    };
    let seen = of(worker).await.unwrap();
    assert_eq!((seen.tier.as_str(), seen.version.as_str()), ("worker", "1.1"));
    assert!(seen.draining && seen.alive && seen.heartbeat_at > seen.started_at);
    let silent = "UPDATE replicas SET started_at = now() - interval '2 days',
        heartbeat_at = now() - interval '31 seconds' WHERE kind = 'api'";
    client.batch_execute(silent).await.unwrap();
    assert!(!of(api).await.unwrap().alive);
    assert_eq!(store.sweep_replicas(1, 10).await.unwrap(), 0);
    let gone = "UPDATE replicas SET heartbeat_at = now() - interval '25 hours' WHERE kind = 'api'";
    client.batch_execute(gone).await.unwrap();
    assert_eq!(store.sweep_replicas(1, 10).await.unwrap(), 1);
    assert!(of(api).await.is_none());
    // A heartbeat after that makes the row again.
    store.beat(api, Tier::Api, "1.0", false).await.unwrap();
    assert!(of(api).await.unwrap().alive);
    store.leave(worker).await.unwrap();
    assert!(of(worker).await.is_none());
}
