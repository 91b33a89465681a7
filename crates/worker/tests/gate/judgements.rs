//! What a judgement makes of a record.

use deed_lifecycle::{Action, VerdictMode};
use deed_store::Error;
use deed_store::records::Actor;
use serde_json::json;

use crate::support::World;

#[tokio::test]
async fn rules_that_are_met_settle_and_others_hold() {
    let world = World::new().await;
    for (delivered, status, signal, result) in
        [(105, "FULFILLED", "SETTLE", "PASS"), (106, "FAILED", "HOLD", "FAIL")]
    {
        let id = world.active(VerdictMode::Auto).await;
        world.complete(id, delivered).await;
        assert_eq!(world.status(id).await, "EVALUATING");
        assert_eq!(world.work().await, 1);
        assert_eq!(world.status(id).await, status);
        assert_eq!(world.signals(id).await, [signal]);
        let entry = world.newest(id).await;
        assert_eq!(entry["kind"], "record.evaluated");
        assert_eq!((&entry["from"], &entry["to"]), (&json!("EVALUATING"), &json!(status)));
        assert_eq!(
            (&entry["criteriaPosition"], &entry["completionPosition"]),
            (&json!(0), &json!(1))
        );
        assert_eq!(entry["evaluation"]["result"], result);
        let mapping = &entry["evaluation"]["mappings"][0];
        assert_eq!(
            (&mapping["expected"], &mapping["tolerance"]),
            (&json!("100"), &json!({ "percent": "5" }))
        );
        assert_eq!(mapping["found"], json!(delivered.to_string()));
    }
}

#[tokio::test]
async fn the_principal_confirms_what_the_rules_found_or_decides_otherwise() {
    let world = World::new().await;
    for (delivered, action, status, signal) in [
        (100, Action::VerdictAccept, "FULFILLED", "SETTLE"),
        (1, Action::VerdictAccept, "FULFILLED", "SETTLE"),
        (100, Action::VerdictReject, "FAILED", "HOLD"),
    ] {
        let id = world.active(VerdictMode::AutoThenPrincipal).await;
        world.complete(id, delivered).await;
        world.work().await;
        assert_eq!(world.status(id).await, "AWAITING_CONFIRMATION");
        assert!(world.signals(id).await.is_empty(), "nothing is decided yet");
        world.act(id, world.principal, action, json!({})).await.unwrap();
        assert_eq!(world.status(id).await, status);
        assert_eq!(world.signals(id).await, [signal]);
    }
}

#[tokio::test]
async fn what_cannot_be_judged_goes_to_the_principal() {
    let world = World::new().await;
    for mode in [VerdictMode::Auto, VerdictMode::AutoThenPrincipal] {
        let id = world.active(mode).await;
        let fields = json!({ "completion": { "other": 1 } });
        world.act(id, world.performer, Action::Complete, fields).await.unwrap();
        world.work().await;
        assert_eq!(world.status(id).await, "AWAITING_VERDICT");
        let entry = world.newest(id).await;
        assert_eq!(entry["evaluation"]["result"], "ERROR");
        assert_eq!(entry["evaluation"]["mappings"][0]["reason"], "the evidence has nothing at /n");
        assert!(world.signals(id).await.is_empty());
    }
}

#[tokio::test]
async fn rules_that_cannot_be_applied_do_not_hold_a_record_up() {
    let world = World::new().await;
    // Judged before by the same worker, which keeps the rules that it has read.
    let before = world.active(VerdictMode::Auto).await;
    world.complete(before, 100).await;
    world.work().await;
    assert_eq!(world.status(before).await, "FULFILLED");
    let id = world.active(VerdictMode::Auto).await;
    world.complete(id, 100).await;
    world.sql(r#"UPDATE record_types SET rules_config = '{"mappings":[]}'"#).await;
    world.work().await;
    assert_eq!(world.status(id).await, "AWAITING_VERDICT");
    let entry = world.newest(id).await;
    assert_eq!(entry["evaluation"]["result"], "ERROR");
    assert!(
        entry["evaluation"]["reason"].as_str().is_some_and(|reason| reason.contains("/mappings"))
    );
}

#[tokio::test]
async fn a_revision_is_judged_and_the_completion_before_it_no_more() {
    let world = World::new().await;
    let id = world.active(VerdictMode::AutoThenPrincipal).await;
    world.complete(id, 1).await;
    let first = world.claim().await.remove(0);
    (world.handler)(world.store.clone(), first.clone()).await.unwrap();
    world.act(id, world.principal, Action::RequestRevision, json!({})).await.unwrap();
    world.complete(id, 100).await;
    let head = world.record(id).await.head_position;
    // The first worker died before it could settle its job: another one does it again.
    (world.handler)(world.store.clone(), first).await.unwrap();
    assert_eq!(world.record(id).await.head_position, head, "it concerns no newest completion");
    assert_eq!(world.status(id).await, "EVALUATING");
    world.work().await;
    let entry = world.newest(id).await;
    assert_eq!(
        (&entry["evaluation"]["result"], &entry["completionPosition"]),
        (&json!("PASS"), &json!(head))
    );
    world.act(id, world.principal, Action::VerdictAccept, json!({})).await.unwrap();
    assert_eq!(world.signals(id).await, ["SETTLE"]);
}

#[tokio::test]
async fn a_dispute_is_judged_with_the_wider_tolerance_and_may_release() {
    let world = World::new().await;
    for (delivered, status, signals, result) in [
        (110, "FULFILLED", &["HOLD", "RELEASE"][..], "PASS"),
        (111, "DISPUTED_TIER_1", &["HOLD"][..], "FAIL"),
    ] {
        let id = world.active(VerdictMode::Auto).await;
        world.complete(id, delivered).await;
        world.work().await;
        assert_eq!(world.status(id).await, "FAILED");
        world
            .act(id, world.performer, Action::Dispute, json!({ "reason": "rounding" }))
            .await
            .unwrap();
        assert_eq!(world.status(id).await, "DISPUTED_TIER_1");
        let job = world.claim().await.remove(0);
        (world.handler)(world.store.clone(), job.clone()).await.unwrap();
        assert_eq!(world.status(id).await, status);
        assert_eq!(world.signals(id).await, signals);
        let entry = world.newest(id).await;
        assert_eq!(entry["kind"], "record.reevaluated");
        assert_eq!(entry["evaluation"]["tolerances"], "dispute");
        assert_eq!(entry["evaluation"]["mappings"][0]["tolerance"], json!({ "percent": "10" }));
        assert_eq!(entry["evaluation"]["result"], result);
        // Once a dispute: the same job again changes nothing.
        let head = world.record(id).await.head_position;
        (world.handler)(world.store.clone(), job).await.unwrap();
        assert_eq!(world.record(id).await.head_position, head);
        assert_eq!(world.signals(id).await, signals);
    }
}

#[tokio::test]
async fn no_rule_overturns_what_the_principal_decided() {
    let world = World::new().await;
    let id = world.active(VerdictMode::AutoThenPrincipal).await;
    world.complete(id, 100).await;
    let judged = world.claim().await.remove(0);
    (world.handler)(world.store.clone(), judged.clone()).await.unwrap();
    assert_eq!(world.newest(id).await["evaluation"]["result"], "PASS");
    world.act(id, world.principal, Action::VerdictReject, json!({})).await.unwrap();
    world.act(id, world.performer, Action::Dispute, json!({})).await.unwrap();
    assert_eq!(world.work().await, 0, "nothing is to be judged");
    // Nor does a job that a version before this one left behind, or a judgement by itself.
    let head = world.record(id).await.head_position;
    world.again(&judged).await;
    assert_eq!(world.work().await, 1);
    for action in [Action::ReevaluationPassed, Action::ReevaluationFailed] {
        let refused = world.act(id, Actor::System, action, json!({})).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    }
    assert_eq!(world.record(id).await.head_position, head);
    assert_eq!(world.status(id).await, "DISPUTED_TIER_1");
    // It may itself.
    world.act(id, world.principal, Action::ResolveOverturn, json!({})).await.unwrap();
    assert_eq!(world.signals(id).await, ["HOLD", "RELEASE"]);
}

#[tokio::test]
async fn rules_that_could_not_decide_do_not_overturn_what_the_principal_decided_then() {
    let world = World::new().await;
    let id = world.active(VerdictMode::Auto).await;
    // With the rules as they are this completion would pass, also in a dispute.
    world.complete(id, 100).await;
    for (actor, action) in [
        (Actor::System, Action::EvaluationUndecided),
        (world.principal, Action::VerdictReject),
        (world.performer, Action::Dispute),
    ] {
        world.act(id, actor, action, json!({})).await.unwrap();
    }
    // The job of the completion is left; the dispute has none, and a stray one changes nothing.
    let job = world.claim().await.remove(0);
    assert_eq!(world.work().await, 0);
    world.again(&job).await;
    assert_eq!(world.work().await, 1);
    for action in [Action::ReevaluationPassed, Action::ReevaluationFailed] {
        let refused = world.act(id, Actor::System, action, json!({})).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    }
    assert_eq!(world.status(id).await, "DISPUTED_TIER_1");
    assert_eq!(world.signals(id).await, ["HOLD"]);
    world.act(id, world.principal, Action::ResolveOverturn, json!({})).await.unwrap();
    assert_eq!(world.signals(id).await, ["HOLD", "RELEASE"]);
}
