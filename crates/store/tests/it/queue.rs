//! The queue: who gets which job, and what a late worker may still do (nothing).

use std::collections::HashSet;
use std::time::Duration;

use deed_store::queue::{ClaimedJob, Failure, Held, JobState, NewJob, Turn, Wanted};
use deed_store::{Error, Store};
use deed_testkit::TestDatabase;
use serde_json::json;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::support::{connect, count, database, state, store};

const LEASE: Duration = Duration::from_secs(60);

struct Scene {
    database: TestDatabase,
    store: Store,
}

impl Scene {
    async fn new() -> Self {
        let database = database().await;
        let store = store(&database).await;
        Self { database, store }
    }

    async fn client(&self) -> Client {
        connect(&self.database.urls().superuser).await
    }

    async fn add(&self, jobs: Vec<NewJob>) -> Vec<Uuid> {
        self.store.enqueue_jobs(jobs).await.unwrap()
    }

    async fn claim(&self, limit: usize) -> Vec<ClaimedJob> {
        self.claim_after(limit, None).await.0
    }

    async fn claim_after(
        &self,
        limit: usize,
        after: Option<Turn>,
    ) -> (Vec<ClaimedJob>, Option<Turn>) {
        let wanted = Wanted { kind: "probe".to_owned(), limit, after };
        let claimed = self.store.claim_jobs(Uuid::from_u128(7), vec![wanted], LEASE).await;
        let one = claimed.unwrap().pop().unwrap();
        (one.jobs, one.next)
    }

    /// Ends all leases, as time would.
    async fn end_leases(&self) {
        let sql =
            "UPDATE jobs SET lease_until = now() - interval '1 second' WHERE state = 'active'";
        self.client().await.batch_execute(sql).await.unwrap();
    }
}

fn job(org: u128) -> NewJob {
    NewJob {
        kind: "probe",
        org_id: Some(Uuid::from_u128(org)),
        record_id: None,
        unique_key: None,
        payload: json!({}),
        priority: 0,
        delay: Duration::ZERO,
    }
}

fn held(jobs: &[ClaimedJob]) -> Vec<Held> {
    jobs.iter().map(|job| job.held).collect()
}

fn orgs(jobs: &[ClaimedJob]) -> Vec<u128> {
    jobs.iter().map(|job| job.org_id.unwrap_or_default().as_u128()).collect()
}

#[tokio::test]
async fn what_is_added_is_what_is_claimed() {
    let scene = Scene::new().await;
    let own = NewJob { org_id: None, payload: json!({ "a": [1, "ü"] }), ..job(1) };
    let record = Uuid::from_u128(9);
    let with_record = NewJob { record_id: Some(record), kind: "other", ..job(1) };
    let ids = scene.add(vec![own, with_record]).await;
    let claimed = scene.claim(10).await;
    assert_eq!(claimed.len(), 1, "another kind is not claimed");
    let first = &claimed[0];
    assert_eq!((first.held.id, first.attempt), (ids[0], 1));
    assert_eq!((first.org_id, first.record_id), (None, None));
    assert_eq!(first.payload, json!({ "a": [1, "ü"] }));
    let waiting = scene.store.jobs(JobState::Waiting, None, None, 10).await.unwrap();
    assert_eq!(waiting.items[0].record_id, Some(record));
    assert_eq!(scene.store.finish_jobs(&held(&claimed)).await.unwrap(), []);
    assert_eq!(count(&scene.client().await, "SELECT count(*) FROM jobs").await, 1);
}

#[tokio::test]
async fn workers_at_the_same_time_never_get_the_same_job() {
    let scene = Scene::new().await;
    scene.add((0..400).map(|n| job(n % 3)).collect()).await;
    let claims = (0..8).map(|_| scene.claim(50));
    let all: Vec<Held> =
        futures::future::join_all(claims).await.iter().flat_map(|jobs| held(jobs)).collect();
    let distinct: HashSet<Uuid> = all.iter().map(|one| one.id).collect();
    assert_eq!(distinct.len(), all.len());
    // Rows that another claim had locked are skipped, so some may be left; no more than that.
    let rest = scene.claim(400).await;
    assert_eq!(rest.len() + all.len(), 400);
    assert!(scene.claim(1).await.is_empty());
}

#[tokio::test]
async fn a_claim_that_others_took_over_is_refused_everything() {
    let scene = Scene::new().await;
    scene.add(vec![job(1)]).await;
    let late = held(&scene.claim(1).await);
    assert_eq!(scene.store.rescue_jobs(10).await.unwrap(), 0, "the lease runs");
    scene.end_leases().await;
    assert_eq!(scene.store.rescue_jobs(10).await.unwrap(), 1);
    let failure = Failure { held: late[0], error: "x".to_owned(), retry_in: None };
    let mut taken = late[0];
    // First while the job waits, then while another worker has it.
    for round in 0..2 {
        assert_eq!(scene.store.finish_jobs(&late).await.unwrap(), late);
        assert_eq!(scene.store.extend_jobs(&late, LEASE).await.unwrap(), late);
        assert_eq!(scene.store.release_jobs(&late).await.unwrap(), late);
        assert_eq!(scene.store.fail_jobs(std::slice::from_ref(&failure)).await.unwrap(), late);
        if round == 0 {
            let claimed = scene.claim(1).await;
            assert_eq!(claimed[0].attempt, 2, "the attempt of the dead worker counts");
            taken = claimed[0].held;
            assert_eq!(taken.id, late[0].id);
            assert!(taken.fence > late[0].fence);
        }
    }
    assert_eq!(scene.store.finish_jobs(&[late[0], taken]).await.unwrap(), late);
    assert_eq!(scene.store.finish_jobs(&[taken]).await.unwrap(), [taken], "only once");
}

#[tokio::test]
async fn a_lease_that_ended_but_was_not_taken_over_still_counts() {
    let scene = Scene::new().await;
    scene.add(vec![job(1)]).await;
    let slow = held(&scene.claim(1).await);
    scene.end_leases().await;
    assert_eq!(scene.store.extend_jobs(&slow, LEASE).await.unwrap(), []);
    assert_eq!(scene.store.rescue_jobs(10).await.unwrap(), 0, "it was extended in time");
    assert_eq!(scene.store.finish_jobs(&slow).await.unwrap(), []);
}

#[tokio::test]
async fn a_failed_job_waits_for_its_time_and_ends_among_the_dead() {
    let scene = Scene::new().await;
    let ids = scene.add(vec![job(1)]).await;
    let first = scene.claim(1).await;
    let retry = |held, seconds| Failure {
        held,
        error: "the wire is cut\0".repeat(1000),
        retry_in: Some(Duration::from_secs(seconds)),
    };
    assert_eq!(scene.store.fail_jobs(&[retry(first[0].held, 3600)]).await.unwrap(), []);
    assert!(scene.claim(1).await.is_empty(), "its time has not come");
    let due = "UPDATE jobs SET run_at = now() - interval '1 second'";
    scene.client().await.batch_execute(due).await.unwrap();
    let second = scene.claim(1).await;
    assert_eq!(second[0].attempt, 2);
    assert!(second[0].held.fence > first[0].held.fence);
    assert!(second[0].waited >= Duration::from_secs(1));
    let dead = Failure { held: second[0].held, error: "no use".to_owned(), retry_in: None };
    scene.store.fail_jobs(&[dead]).await.unwrap();
    assert!(scene.claim(1).await.is_empty());
    let letters = scene.store.jobs(JobState::Dead, None, None, 10).await.unwrap().items;
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].id, letters[0].attempt), (ids[0], 2));
    assert_eq!(letters[0].last_error.as_deref(), Some("no use"));
}

async fn replay(scene: &Scene, id: Uuid) -> Result<(), Error> {
    let done = scene.store.mutate("replay", None, move |tx| {
        Box::pin(async move {
            deed_store::queue::replay(tx, id).await?;
            Ok(deed_store::idempotency::Answer { status: 200, body: Vec::new(), sealed: None })
        })
    });
    done.await.map(drop)
}

#[tokio::test]
async fn a_dead_job_is_replayed_with_all_its_attempts() {
    let scene = Scene::new().await;
    let once = || NewJob { unique_key: Some("once".to_owned()), ..job(1) };
    let ids = scene.add(vec![once()]).await;
    let code = |result: Result<(), Error>| match result {
        Err(Error::Conflict { code, .. }) => code,
        Err(Error::NotFound(_)) => "not-found",
        other => panic!("{other:?}"),
    };
    assert_eq!(code(replay(&scene, ids[0]).await), "job-not-dead");
    assert_eq!(code(replay(&scene, Uuid::nil()).await), "not-found");
    let claimed = scene.claim(1).await;
    let dead = Failure { held: claimed[0].held, error: "no".to_owned(), retry_in: None };
    scene.store.fail_jobs(&[dead]).await.unwrap();
    // The dead one does not hold its key; while the new one lives, the old one stays dead.
    assert_eq!(scene.add(vec![once()]).await.len(), 1);
    assert_eq!(code(replay(&scene, ids[0]).await), "job-superseded");
    let newer = scene.claim(1).await;
    scene.store.finish_jobs(&held(&newer)).await.unwrap();
    replay(&scene, ids[0]).await.unwrap();
    let again = scene.claim(1).await;
    assert_eq!((again[0].held.id, again[0].attempt), (ids[0], 1));
    assert!(again[0].held.fence > claimed[0].held.fence);
    // The claim of before it died stays refused.
    assert_eq!(scene.store.finish_jobs(&held(&claimed)).await.unwrap(), held(&claimed));
}

#[tokio::test]
async fn a_unique_job_is_there_once_until_it_is_finished() {
    let scene = Scene::new().await;
    let once = |key: &str| NewJob { unique_key: Some(key.to_owned()), ..job(1) };
    assert_eq!(scene.add(vec![once("a"), once("a"), once("b")]).await.len(), 2);
    let other_kind = NewJob { kind: "other", ..once("a") };
    assert_eq!(scene.add(vec![once("a"), other_kind]).await.len(), 1);
    let claimed = scene.claim(2).await;
    assert!(scene.add(vec![once("a")]).await.is_empty(), "also while it is worked on");
    scene.store.finish_jobs(&held(&claimed)).await.unwrap();
    assert_eq!(scene.add(vec![once("a")]).await.len(), 1);
    let racing = (0..6).map(|_| scene.add(vec![once("race")]));
    let added: usize = futures::future::join_all(racing).await.iter().map(Vec::len).sum();
    assert_eq!(added, 1);
}

#[tokio::test]
async fn organisations_take_turns_whatever_their_backlog() {
    let scene = Scene::new().await;
    scene.add((0..1000).map(|_| job(1)).collect()).await;
    scene.add(vec![job(2), job(2), job(3)]).await;
    let first = scene.claim(6).await;
    let turn = |range: std::ops::Range<usize>| {
        let mut turn = orgs(&first[range]);
        turn.sort_unstable();
        turn
    };
    assert_eq!(turn(0..3), [1, 2, 3]);
    assert_eq!(turn(3..5), [1, 2], "the second turn");
    let rest = scene.claim(6).await;
    assert_eq!(orgs(&rest), [1; 6], "the others have no more");
}

#[tokio::test]
async fn within_an_organisation_priority_comes_before_age() {
    let scene = Scene::new().await;
    let marked = |org, priority, name: &str| NewJob { priority, payload: json!(name), ..job(org) };
    for (org, priority, name) in
        [(1, 0, "old"), (1, 4, "any time"), (1, 0, "newer"), (1, -4, "urgent"), (2, 4, "other")]
    {
        scene.add(vec![marked(org, priority, name)]).await;
    }
    let order = |jobs: Vec<ClaimedJob>| -> Vec<String> {
        jobs.iter().map(|job| job.payload.as_str().unwrap().to_owned()).collect()
    };
    // Priorities say nothing between organisations.
    assert_eq!(order(scene.claim(2).await), ["urgent", "other"]);
    assert_eq!(order(scene.claim(10).await), ["old", "newer", "any time"]);
}

#[tokio::test]
async fn a_round_of_many_organisations_goes_on_where_it_stopped() {
    let scene = Scene::new().await;
    // More organisations than one claim looks at, all but the last with nothing due.
    let later = |org| NewJob { delay: Duration::from_secs(3600), ..job(org) };
    scene.add((1..=600).map(later).collect()).await;
    scene.add(vec![job(601)]).await;
    let (mut after, mut found, mut claims) = (None, Vec::new(), 0);
    while found.is_empty() {
        (found, after) = scene.claim_after(10, after).await;
        claims += 1;
        assert!(claims < 10, "the job of the last organisation was never seen");
        assert_eq!(found.is_empty(), after.is_some());
    }
    assert_eq!((orgs(&found), claims), (vec![601], 3));
}

#[tokio::test]
async fn a_job_that_is_given_back_has_not_used_an_attempt() {
    let scene = Scene::new().await;
    scene.add(vec![job(1)]).await;
    let first = scene.claim(1).await;
    assert_eq!(scene.store.release_jobs(&held(&first)).await.unwrap(), []);
    let second = scene.claim(1).await;
    assert_eq!(second[0].attempt, 1);
    assert!(second[0].held.fence > first[0].held.fence);
    assert_eq!(scene.store.finish_jobs(&held(&first)).await.unwrap(), held(&first));
}

#[tokio::test]
async fn depths_count_every_state() {
    let scene = Scene::new().await;
    let later = NewJob { delay: Duration::from_secs(3600), ..job(1) };
    scene.add(vec![job(1), job(1), job(1), later.clone(), later]).await;
    let claimed = scene.claim(2).await;
    let dead = Failure { held: claimed[0].held, error: "no".to_owned(), retry_in: None };
    scene.store.fail_jobs(&[dead]).await.unwrap();
    let depths = scene.store.queue_depths().await.unwrap();
    assert_eq!(depths.len(), 1);
    let depth = &depths[0];
    assert_eq!((depth.waiting, depth.active, depth.delayed, depth.dead), (1, 1, 2, 1));
    assert!(depth.oldest_seconds >= 0.0);
}

#[tokio::test]
async fn the_table_refuses_what_makes_no_sense() {
    let scene = Scene::new().await;
    let client = scene.client().await;
    scene.add(vec![job(1)]).await;
    for change in [
        "state = 'active'",
        "lease_until = now()",
        "claimed_by = gen_random_uuid()",
        "state = 'active', lease_until = now(), claimed_by = gen_random_uuid()",
        "attempt = 1",
        "attempt = -1",
        "fence = -1",
        "priority = 5",
        "state = 'done'",
        "payload = to_jsonb(repeat('x', 70000))",
        "last_error = repeat('x', 4097)",
    ] {
        let refused = client.batch_execute(&format!("UPDATE jobs SET {change}")).await;
        assert_eq!(state(refused), "23514", "{change}");
    }
}

/// How many rows of `jobs` were read, once the last connection of this store has ended: a backend
/// hands in its counts when it ends.
async fn rows_read(client: &Client, store: Store) -> i64 {
    drop(store);
    let idle = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'deed-store-test'
        AND datname = current_database()";
    while count(client, idle).await > 0 {
        tokio::task::yield_now().await;
    }
    let read = "SELECT (seq_tup_read + coalesce(idx_tup_fetch, 0))::int8 FROM pg_stat_user_tables
        WHERE relname = 'jobs'";
    count(client, read).await
}

/// 200,000 waiting jobs, and a claim reads no more of them than it takes: the plan is asked, not
/// the clock.
#[tokio::test]
async fn a_claim_of_a_large_backlog_reads_only_what_it_takes() {
    let scene = Scene::new().await;
    // The plan of this connection is made while the table is empty.
    assert!(scene.claim(10).await.is_empty());
    let client = scene.client().await;
    let flood = "INSERT INTO jobs (id, kind, org_id, payload, priority, run_at)
        SELECT gen_random_uuid(), 'probe', '00000000-0000-0000-0000-000000000001', '{}', 0,
            now() - interval '1 second' FROM generate_series(1, 200000)";
    client.batch_execute(flood).await.unwrap();
    scene.add(vec![job(2)]).await;
    let reset = "SELECT pg_stat_reset_single_table_counters('jobs'::regclass)";
    client.execute(reset, &[]).await.unwrap();
    let claimed = scene.claim(10).await;
    assert_eq!(orgs(&claimed).iter().filter(|org| **org == 2).count(), 1);
    scene.store.finish_jobs(&held(&claimed)).await.unwrap();
    let rows = rows_read(&client, scene.store).await;
    assert!((6..500).contains(&rows), "{rows} rows were read for 6 jobs");
}

#[tokio::test]
async fn claims_of_single_jobs_reach_every_organisation() {
    let scene = Scene::new().await;
    // The flood came first, and its jobs are urgent.
    scene.add((0..200).map(|_| NewJob { priority: -4, ..job(1) }).collect()).await;
    scene.add(vec![job(2)]).await;
    let mut claims = 0;
    loop {
        claims += 1;
        if scene.claim(1).await[0].org_id == Some(Uuid::from_u128(2)) {
            break;
        }
    }
    // By chance, one of two each time: a hundred claims miss once in 10^30.
    assert!(claims <= 100, "{claims} claims");
}

/// The statement that settles waits for the heartbeat of the same jobs, and then finds their rows
/// where the heartbeat has put them.
#[tokio::test]
async fn what_ends_while_its_lease_is_extended_is_settled_all_the_same() {
    let scene = Scene::new().await;
    let failure = |held, retry_in| Failure { held, error: "no luck".to_owned(), retry_in };
    for settling in ["finish", "fail", "release", "extend"] {
        scene.add(vec![job(1), job(2)]).await;
        let claimed = held(&scene.claim(2).await);
        let mut holder = scene.client().await;
        #[expect(clippy::disallowed_methods, reason = "a transaction of the test's own")]
        let heartbeat = holder.transaction().await.unwrap();
        let extend =
            "UPDATE jobs SET lease_until = now() + interval '1 hour' WHERE state = 'active'";
        assert_eq!(heartbeat.execute(extend, &[]).await.unwrap(), 2);
        let (store, held) = (scene.store.clone(), claimed.clone());
        let settled = tokio::spawn(async move {
            match settling {
                "finish" => store.finish_jobs(&held).await,
                "fail" => store.fail_jobs(&[failure(held[0], None), failure(held[1], None)]).await,
                "release" => store.release_jobs(&held).await,
                _ => store.extend_jobs(&held, LEASE).await,
            }
        });
        let client = scene.client().await;
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
            AND application_name = 'deed-store-test' AND wait_event_type = 'Lock'";
        while count(&client, waits).await == 0 {
            tokio::task::yield_now().await;
        }
        heartbeat.commit().await.unwrap();
        assert_eq!(settled.await.unwrap().unwrap(), [], "{settling}");
        client.batch_execute("DELETE FROM jobs").await.unwrap();
    }
}

/// The plans are made while the table is empty, and hold when 20,000 jobs are active.
#[tokio::test]
async fn settling_some_of_many_active_jobs_reads_only_those() {
    let scene = Scene::new().await;
    let none = Held { id: Uuid::nil(), fence: 1 };
    let failure = |held: &Held| Failure { held: *held, error: "x".to_owned(), retry_in: None };
    scene.store.finish_jobs(&[none]).await.unwrap();
    scene.store.fail_jobs(&[failure(&none)]).await.unwrap();
    let client = scene.client().await;
    let many = "INSERT INTO jobs (id, kind, org_id, payload, priority, run_at, state, fence,
            attempt, lease_until, claimed_by)
        SELECT gen_random_uuid(), 'other', '00000000-0000-0000-0000-000000000001', '{}', 0, now(),
            'active', 1, 1, now() + interval '1 hour', gen_random_uuid()
        FROM generate_series(1, 20000)";
    client.batch_execute(many).await.unwrap();
    scene.add((0..300).map(job).collect()).await;
    let mut claimed = Vec::new();
    while claimed.len() < 300 {
        claimed.extend(held(&scene.claim(300).await));
    }
    let reset = "SELECT pg_stat_reset_single_table_counters('jobs'::regclass)";
    client.execute(reset, &[]).await.unwrap();
    let (done, failed) = claimed.split_at(150);
    assert_eq!(scene.store.finish_jobs(done).await.unwrap(), []);
    let failures: Vec<Failure> = failed.iter().map(failure).collect();
    assert_eq!(scene.store.fail_jobs(&failures).await.unwrap(), []);
    let rows = rows_read(&client, scene.store).await;
    assert!((300..3000).contains(&rows), "{rows} rows were read to settle 300 jobs");
    assert_eq!(count(&client, "SELECT count(*) FROM jobs WHERE state = 'dead'").await, 150);
}

#[tokio::test]
async fn each_failure_gets_its_own_error_and_wait() {
    let scene = Scene::new().await;
    scene.add((0..20).map(job).collect()).await;
    let mut claimed = held(&scene.claim(20).await);
    // Two claims of one job in one batch: the earlier one was lost.
    scene.store.release_jobs(&claimed[..1]).await.unwrap();
    let again = held(&scene.claim(1).await)[0];
    assert_eq!(again.id, claimed[0].id);
    assert!(again.fence > claimed[0].fence);
    claimed.push(again);
    let failures = claimed.iter().enumerate().map(|(n, held)| Failure {
        held: *held,
        error: format!("{} {}", held.id, held.fence),
        retry_in: (n % 2 == 1).then(|| Duration::from_secs(3600 * n as u64)),
    });
    let failures: Vec<Failure> = failures.rev().collect();
    assert_eq!(scene.store.fail_jobs(&failures).await.unwrap(), claimed[..1]);
    let client = scene.client().await;
    for (n, held) in claimed.iter().enumerate().skip(1) {
        let sql =
            "SELECT last_error, state::text, round(extract(epoch FROM run_at - now()) / 3600)::int8
            FROM jobs WHERE id = $1";
        let row = client.query_one(sql, &[&held.id]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), format!("{} {}", held.id, held.fence));
        let expected = if n % 2 == 1 { ("waiting", n as i64) } else { ("dead", 0) };
        assert_eq!((row.get::<_, &str>(1), row.get::<_, i64>(2)), expected, "{n}");
    }
}
