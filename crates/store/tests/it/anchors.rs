//! Which checkpoints belong to which object, and what an anchor lacks.

use std::time::Duration;

use deed_chain::anchor::MOST_CHECKPOINTS;
use deed_chain::sha256;
use deed_store::Store;
use deed_store::anchors::UPLOAD;
use deed_store::append::Appender;
use deed_store::queue::{ClaimedJob, Held, Wanted};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::checkpoints::all_signed;
use crate::support::{connect, count, create, database, new_record, state, store};

async fn sign(store: &Store, client: &Client, records: usize) {
    let appender = Appender::start(store, 16);
    let records = (0..records).map(|_| new_record(store, Uuid::nil())).collect();
    appender.create(create(records, None)).await.unwrap();
    all_signed(store, client).await;
}

/// Adds checkpoints without their chains, as many as no test signs.
async fn invent(client: &Client, checkpoints: i64) {
    let sql = "INSERT INTO checkpoints (record_id, size, head, statement, body)
        SELECT gen_random_uuid(), 1, sha256(''::bytea), '\\x01', '\\x02' FROM generate_series(1, $1::int8)";
    client.execute(sql, &[&checkpoints]).await.unwrap();
}

async fn claim(store: &Store, limit: usize) -> Vec<ClaimedJob> {
    let wanted = Wanted { kind: UPLOAD.to_owned(), limit, after: None };
    let claimed = store.claim_jobs(Uuid::new_v4(), vec![wanted], Duration::from_secs(60)).await;
    claimed.unwrap().remove(0).jobs
}

fn numbers(jobs: &[ClaimedJob]) -> Vec<u64> {
    let mut numbers: Vec<u64> =
        jobs.iter().map(|job| job.payload["number"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

#[tokio::test]
async fn each_checkpoint_is_in_one_batch() {
    let database = database().await;
    let store = store(&database).await;
    let client = connect(&database.urls().superuser).await;
    assert_eq!(store.cut_anchor_batches(1).await.unwrap(), 0, "nothing to cut");
    sign(&store, &client, 3).await;
    assert_eq!(store.cut_anchor_batches(4).await.unwrap(), 0, "too few");
    assert_eq!(store.cut_anchor_batches(1).await.unwrap(), 1);
    assert_eq!(store.anchor_batch(1).await.unwrap().len(), 3);

    invent(&client, 2 * i64::try_from(MOST_CHECKPOINTS).unwrap() + 5).await;
    let at_once = futures::join!(
        store.cut_anchor_batches(MOST_CHECKPOINTS),
        store.cut_anchor_batches(MOST_CHECKPOINTS)
    );
    assert_eq!(at_once.0.unwrap() + at_once.1.unwrap(), 2);
    assert_eq!(store.cut_anchor_batches(1).await.unwrap(), 1);
    let mut sizes = Vec::new();
    for number in 1..=4 {
        sizes.push(store.anchor_batch(number).await.unwrap().len());
    }
    assert_eq!(sizes, [3, MOST_CHECKPOINTS, MOST_CHECKPOINTS, 5]);
    assert!(store.anchor_batch(5).await.is_err());
    let outside = "SELECT count(*) FROM checkpoints WHERE NOT EXISTS
        (SELECT FROM anchor_batches WHERE seq BETWEEN first_seq AND last_seq)";
    assert_eq!(count(&client, outside).await, 0);
}

#[tokio::test]
async fn an_anchor_gets_a_job_for_each_object_that_it_lacks() {
    let database = database().await;
    let store = store(&database).await;
    let client = connect(&database.urls().superuser).await;
    for _ in 0..3 {
        invent(&client, 2).await;
        store.cut_anchor_batches(1).await.unwrap();
    }
    let anchor = store.register_anchor("file:///a").await.unwrap();
    store.set_anchor_fault(anchor, Some("ill")).await.unwrap();
    assert_eq!(store.register_anchor("file:///a").await.unwrap(), anchor);
    let other = store.register_anchor("file:///b").await.unwrap();
    assert_ne!(other, anchor);
    assert_eq!(store.enqueue_uploads(anchor).await.unwrap(), 3);
    assert_eq!(store.enqueue_uploads(anchor).await.unwrap(), 0, "each has a job");
    let jobs = claim(&store, 10).await;
    assert_eq!(numbers(&jobs), [1, 2, 3]);

    // The second and third one are there first, then the first.
    let done = |number: u64| {
        let job = jobs.iter().find(|job| job.payload["number"] == number).unwrap();
        let version = Some("v1".to_owned());
        store.record_anchored(job.held, anchor, number, sha256("x"), version)
    };
    done(2).await.unwrap();
    done(3).await.unwrap();
    let standing = store.anchor_standings().await.unwrap();
    let [a, b] = standing.as_slice() else { panic!("{standing:?}") };
    assert_eq!((a.complete, a.objects_behind, a.checkpoints_behind), (0, 1, 6));
    assert_eq!(a.fault.as_deref(), Some("ill"));
    assert_eq!((b.complete, b.objects_behind), (0, 3));
    assert!(a.oldest_seconds > 0.0);
    done(1).await.unwrap();
    let a = store.anchor_standings().await.unwrap().remove(0);
    assert_eq!((a.complete, a.objects_behind, a.checkpoints_behind), (3, 0, 0));
    assert_eq!(a.oldest_seconds, 0.0);
    // One whose job was taken over writes nothing down.
    let late = Held { fence: 9, ..jobs[0].held };
    assert!(store.record_anchored(late, other, 1, sha256("x"), None).await.is_err());
    assert_eq!(count(&client, "SELECT count(*) FROM anchored").await, 3);
}

#[tokio::test]
async fn a_dead_job_is_made_anew_and_the_queue_stays_small() {
    let database = database().await;
    let store = store(&database).await;
    let client = connect(&database.urls().superuser).await;
    let many = "INSERT INTO anchor_batches (number, first_seq, last_seq)
        SELECT n, n, n FROM generate_series(1, 1000) n";
    client.batch_execute(many).await.unwrap();
    let anchor = store.register_anchor("file:///a").await.unwrap();
    assert_eq!(store.enqueue_uploads(anchor).await.unwrap(), 256);
    client.batch_execute("UPDATE jobs SET state = 'dead'").await.unwrap();
    assert_eq!(store.enqueue_uploads(anchor).await.unwrap(), 256);
    assert_eq!(numbers(&claim(&store, 300).await), (1..=256).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_was_anchored_is_never_changed() {
    let database = database().await;
    let owner = connect(&database.urls().owner).await;
    let app = connect(&database.urls().app).await;
    for table in ["anchor_batches", "anchored"] {
        for sql in [format!("DELETE FROM {table}"), format!("UPDATE {table} SET number = 1")] {
            assert_eq!(state(owner.batch_execute(&sql).await), "23001", "{sql}");
            assert_eq!(state(app.batch_execute(&sql).await), "42501", "{sql}");
        }
    }
}
