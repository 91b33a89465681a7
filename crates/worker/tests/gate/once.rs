//! One verdict and one signal, however often the job is done and wherever a worker dies.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use deed_lifecycle::{Action, VerdictMode};
use serde_json::json;
use uuid::Uuid;

use crate::support::{World, evaluate};

async fn verdicts(world: &World, id: Uuid) -> i64 {
    let sql = format!(
        "SELECT count(*) FROM events WHERE kind = 'record.evaluated' AND record_id = '{id}'"
    );
    world.count(&sql).await
}

#[tokio::test]
async fn many_workers_with_the_same_job_write_one_verdict() {
    let world = World::new().await;
    let id = world.active(VerdictMode::Auto).await;
    world.complete(id, 100).await;
    let job = world.claim().await.remove(0);
    for _ in 0..19 {
        world.again(&job).await;
    }
    let jobs = world.claim().await;
    assert_eq!(jobs.len(), 19);
    // Each as a process of its own, with its own appender.
    let attempts =
        jobs.iter().chain([&job]).map(|job| evaluate()(world.store.clone(), job.clone()));
    for done in futures::future::join_all(attempts).await {
        done.expect("a job whose work is done is done");
    }
    assert_eq!(world.status(id).await, "FULFILLED");
    assert_eq!(verdicts(&world, id).await, 1);
    assert_eq!(world.signals(id).await, ["SETTLE"]);
    assert_eq!(world.record(id).await.head_position, 2);
}

#[tokio::test]
async fn a_worker_may_die_at_any_step() {
    let world = World::new().await;
    let mut died_unfinished = 0;
    for steps in 0..64 {
        let id = world.active(VerdictMode::Auto).await;
        world.complete(id, 100).await;
        let job = world.claim().await.remove(0);
        let finished = {
            let mut attempt = pin!(evaluate()(world.store.clone(), job.clone()));
            let mut left = steps;
            poll_fn(|context| match attempt.as_mut().poll(context) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending if left == 0 => Poll::Ready(None),
                Poll::Pending => {
                    left -= 1;
                    Poll::Pending
                }
            })
            .await
        };
        died_unfinished += usize::from(finished.is_none());
        // What it had begun may still be on its way to the database; the next worker does not know.
        world.again(&job).await;
        world.work().await;
        assert_eq!(world.status(id).await, "FULFILLED", "after {steps} steps");
        assert_eq!(verdicts(&world, id).await, 1, "after {steps} steps");
        assert_eq!(world.signals(id).await, ["SETTLE"], "after {steps} steps");
        if finished.is_some() {
            break;
        }
    }
    // At least while it read, and while it wrote.
    assert!(died_unfinished >= 2, "it was dropped {died_unfinished} times before its end");
}

#[tokio::test]
async fn a_judgement_that_comes_after_the_verdict_is_not_written() {
    let world = World::new().await;
    let id = world.active(VerdictMode::AutoThenPrincipal).await;
    world.complete(id, 100).await;
    let job = world.claim().await.remove(0);
    (world.handler)(world.store.clone(), job.clone()).await.unwrap();
    world.act(id, world.principal, Action::VerdictReject, json!({})).await.unwrap();
    let head = world.record(id).await.head_position;
    evaluate()(world.store.clone(), job).await.unwrap();
    assert_eq!(world.record(id).await.head_position, head);
    assert_eq!(world.signals(id).await, ["HOLD"]);
}

#[tokio::test]
async fn a_verdict_has_one_signal_by_the_database_too() {
    let world = World::new().await;
    let id = world.active(VerdictMode::Auto).await;
    world.complete(id, 100).await;
    world.work().await;
    let client = world.superuser().await;
    let again = "INSERT INTO settlement_signals (record_id, position, org_id, signal, entry_hash,
        key_thumbprint) SELECT record_id, position, org_id, 'HOLD', entry_hash, key_thumbprint
        FROM settlement_signals";
    let refused = client.batch_execute(again).await.unwrap_err();
    assert_eq!(refused.code().map(|code| code.code()), Some("23505"));
    for change in [
        "UPDATE settlement_signals SET signal = 'HOLD'",
        "DELETE FROM settlement_signals",
        "TRUNCATE settlement_signals",
    ] {
        let refused = client.batch_execute(change).await.unwrap_err();
        assert_eq!(refused.code().map(|code| code.code()), Some("23001"), "{change}");
    }
    assert_eq!(world.signals(id).await, ["SETTLE"]);
}

#[tokio::test]
async fn a_payload_of_nothing_is_dead_and_of_an_unknown_record_is_tried_again() {
    let world = World::new().await;
    let id = world.active(VerdictMode::Auto).await;
    world.complete(id, 100).await;
    let mut job = world.claim().await.remove(0);
    job.payload = json!({});
    let error = (world.handler)(world.store.clone(), job.clone()).await.unwrap_err();
    assert!(matches!(error, deed_worker::JobError::Dead(_)), "{error}");
    job.payload = json!({ "recordId": Uuid::now_v7(), "completionPosition": 1 });
    let error = (world.handler)(world.store.clone(), job).await.unwrap_err();
    assert!(matches!(error, deed_worker::JobError::Retry(_)), "{error}");
    assert_eq!(world.status(id).await, "EVALUATING");
}
