//! A judgement that no attempt could make: its record must not wait for ever.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use deed_lifecycle::{Action, VerdictMode};
use deed_store::queue::ClaimedJob;
use deed_store::records::Actor;
use serde_json::json;
use uuid::Uuid;

use crate::support::{World, handler};

impl World {
    /// Claims the job that waits, and fails its last attempt.
    async fn dies(&self) -> ClaimedJob {
        let job = self.claim().await.remove(0);
        self.bury(&job).await;
        job
    }

    /// An active record whose completion nobody could judge.
    async fn stuck(&self) -> (Uuid, ClaimedJob) {
        let id = self.active(VerdictMode::Auto).await;
        self.complete(id, 100).await;
        (id, self.dies().await)
    }

    /// A failure that is disputed.
    async fn disputed(&self) -> Uuid {
        let id = self.active(VerdictMode::Auto).await;
        self.complete(id, 1).await;
        self.work().await;
        self.act(id, self.performer, Action::Dispute, json!({})).await.expect("disputed");
        id
    }

    async fn sweep(&self, any: &ClaimedJob) {
        handler("sweep.recovery")(self.store.clone(), any.clone()).await.expect("swept");
    }

    async fn dead(&self) -> i64 {
        self.count("SELECT count(*) FROM jobs WHERE state = 'dead'").await
    }
}

#[tokio::test]
async fn a_completion_that_could_not_be_judged_goes_to_the_principal() {
    let world = World::new().await;
    let (id, job) = world.stuck().await;
    assert_eq!(world.status(id).await, "EVALUATING");
    for _ in 0..2 {
        world.sweep(&job).await;
        assert_eq!(world.record(id).await.head_position, 2, "one entry");
        assert_eq!(world.dead().await, 0);
    }
    assert_eq!(world.status(id).await, "AWAITING_VERDICT");
    let entry = world.newest(id).await;
    assert_eq!(
        (&entry["kind"], &entry["to"]),
        (&json!("record.evaluated"), &json!("AWAITING_VERDICT"))
    );
    assert_eq!(entry["actor"], json!({ "role": "system" }));
    assert_eq!((&entry["criteriaPosition"], &entry["completionPosition"]), (&json!(0), &json!(1)));
    assert_eq!(
        entry["evaluation"],
        json!({ "result": "ERROR", "reason": "all attempts to apply the rules have failed" })
    );
    world.act(id, world.principal, Action::VerdictAccept, json!({})).await.unwrap();
    assert_eq!(world.signals(id).await, ["SETTLE"]);
}

#[tokio::test]
async fn a_dispute_that_could_not_be_judged_again_is_left_to_the_parties() {
    let world = World::new().await;
    let id = world.disputed().await;
    assert!(world.record(id).await.work.unwrap().reevaluation_due());
    let job = world.dies().await;
    for _ in 0..2 {
        world.sweep(&job).await;
        assert_eq!(world.record(id).await.head_position, 4, "one entry");
        assert_eq!(world.dead().await, 0);
    }
    assert_eq!(world.status(id).await, "DISPUTED_TIER_1");
    assert!(!world.record(id).await.work.unwrap().reevaluation_due());
    let entry = world.newest(id).await;
    assert_eq!(
        (&entry["kind"], &entry["evaluation"]["result"]),
        (&json!("record.reevaluated"), &json!("ERROR"))
    );
    assert_eq!(world.signals(id).await, ["HOLD"]);
}

#[tokio::test]
async fn a_dead_job_that_nothing_waits_for_is_removed_and_changes_nothing() {
    let world = World::new().await;
    let ended = world.active(VerdictMode::Auto).await;
    world.complete(ended, 100).await;
    let job = world.claim().await.remove(0);
    (world.handler)(world.store.clone(), job.clone()).await.unwrap();
    world.bury(&job).await;
    // A sweep was stopped between its entry and the removal, and the principal has decided since.
    let (disputed, _) = world.stuck().await;
    for (actor, action) in [
        (Actor::System, Action::EvaluationUndecided),
        (world.principal, Action::VerdictReject),
        (world.performer, Action::Dispute),
    ] {
        world.act(disputed, actor, action, json!({})).await.unwrap();
    }
    let heads = async || {
        (world.record(ended).await.head_position, world.record(disputed).await.head_position)
    };
    let before = heads().await;
    assert_eq!(world.dead().await, 2);
    world.sweep(&job).await;
    assert_eq!((heads().await, world.dead().await), (before, 0));
    assert_eq!(
        world.work().await,
        0,
        "the rules have no say in a dispute about the principal's verdict"
    );
    assert_eq!(world.status(disputed).await, "DISPUTED_TIER_1");
}

#[tokio::test]
async fn one_that_cannot_be_given_up_holds_no_other_one_up() {
    let world = World::new().await;
    let (bad, job) = world.stuck().await;
    // Its row says nothing of an entry that its chain has: the next one cannot be written.
    world
        .sql(&format!(
            "INSERT INTO vault_entries (record_id, position, hash, previous, entry, body)
             SELECT record_id, 2, hash, hash, entry, body FROM vault_entries
             WHERE record_id = '{bad}' AND position = 1"
        ))
        .await;
    // More than one batch.
    let mut others = Vec::new();
    for _ in 0..70 {
        others.push(world.stuck().await.0);
    }
    // And what no version of this server has written.
    let other = others.pop().unwrap();
    world.sql(&format!("UPDATE jobs SET payload = '{{}}' WHERE record_id = '{other}'")).await;
    world.sweep(&job).await;
    assert_eq!(world.dead().await, 1, "that of the bad record");
    assert_eq!(world.status(bad).await, "EVALUATING");
    for id in others {
        assert_eq!(world.status(id).await, "AWAITING_VERDICT");
    }
}

#[tokio::test]
async fn the_sweep_may_be_stopped_anywhere() {
    let world = World::new().await;
    let mut stopped = 0;
    for steps in 0..64 {
        let (id, job) = world.stuck().await;
        let finished = {
            let mut sweep = pin!(handler("sweep.recovery")(world.store.clone(), job.clone()));
            let mut left = steps;
            poll_fn(|context| match sweep.as_mut().poll(context) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending if left == 0 => Poll::Ready(None),
                Poll::Pending => {
                    left -= 1;
                    Poll::Pending
                }
            })
            .await
        };
        stopped += usize::from(finished.is_none());
        world.sweep(&job).await;
        assert_eq!(world.status(id).await, "AWAITING_VERDICT", "after {steps} steps");
        assert_eq!(world.record(id).await.head_position, 2, "after {steps} steps");
        assert_eq!(world.dead().await, 0, "after {steps} steps");
        if finished.is_some() {
            break;
        }
    }
    assert!(stopped >= 4, "it was stopped {stopped} times before its end");
}
