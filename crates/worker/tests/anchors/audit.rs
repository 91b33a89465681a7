//! The audit itself: chains that go on, anchors that lack something, and audits as jobs.

use deed_audit::{Options, Verdict};
use deed_store::audits;
use deed_store::idempotency::Answer;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::world::World;

#[tokio::test]
async fn an_intact_vault_is_counted_and_a_chain_that_goes_on_is_no_fault() {
    let (world, records) = World::new(7).await;
    world.anchor().await;
    world.append(records[3]).await;
    let (outcome, findings) = world.audit(true).await;
    assert_eq!(outcome.verdict, Verdict::Intact, "{findings:?}");
    let checked = outcome.progress.checked;
    assert_eq!((checked.records, checked.entries, checked.checkpoints), (7, 8, 7));
    assert_eq!(checked.anchored_checkpoints, 7);
    assert_eq!(outcome.progress.cursor, Some(records[6]));
    let [ahead] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((ahead.kind, ahead.fault, ahead.record), ("ahead", false, Some(records[3])));
    world.anchor().await;
    assert!(world.audit(true).await.1.is_empty());
}

#[tokio::test]
async fn an_audit_goes_on_behind_a_record() {
    let (world, records) = World::new(6).await;
    world.sweep().await;
    let id = records[1];
    world.tamper(&format!("UPDATE records SET head_position = 5 WHERE id = '{id}'")).await;
    let rest = |after| Options { lanes: 1, after, anchors: Vec::new(), keys: None };
    let (outcome, findings) = world.audit_with(rest(records[2]), CancellationToken::new()).await;
    assert_eq!((outcome.verdict, findings.len()), (Verdict::Intact, 0));
    assert_eq!((outcome.progress.checked.records, outcome.progress.of_records), (3, 3));
    let stopped = CancellationToken::new();
    stopped.cancel();
    let (outcome, _) = world.audit_with(rest(records[2]), stopped).await;
    if outcome.verdict == Verdict::CannotTell {
        assert!(outcome.reason.unwrap().contains("stopped"));
    }
}

#[tokio::test]
async fn what_an_anchor_lacks_or_should_not_have_is_told() {
    let (world, records) = World::new(2).await;
    for _ in 0..3 {
        world.append(records[0]).await;
        world.anchor().await;
    }
    world.assert_intact(true).await;
    let kinds = async || {
        let found: Vec<_> = world.faults(true).await.into_iter().map(|(kind, _)| kind).collect();
        found
    };
    let (second, third) = (world.object(2), world.object(3));
    let (kept, text) = (std::fs::read(&second).unwrap(), std::fs::read_to_string(&third).unwrap());
    std::fs::remove_file(&second).unwrap();
    assert_eq!(kinds().await, ["anchor-missing"], "in the middle");
    std::fs::write(&second, &kept).unwrap();
    std::fs::remove_file(&third).unwrap();
    assert_eq!(kinds().await, ["anchor-missing"], "at the end");
    std::fs::write(&third, text.replacen("deed.test", "deed.evil", 1)).unwrap();
    assert!(kinds().await.contains(&"anchor-unreadable"));
    std::fs::write(&third, &kept).unwrap();
    assert_eq!(kinds().await, ["anchor-unreadable"], "one object in the place of another");
    std::fs::write(&third, text).unwrap();
    std::fs::write(third.with_file_name("more.json"), "{}").unwrap();
    assert_eq!(kinds().await, ["anchor-unreadable"]);
    std::fs::remove_file(third.with_file_name("more.json")).unwrap();
    world.assert_intact(true).await;

    std::fs::rename(world.folder.path(), world.folder.path().with_extension("away")).unwrap();
    let (outcome, _) = world.audit(true).await;
    std::fs::rename(world.folder.path().with_extension("away"), world.folder.path()).unwrap();
    assert_eq!(outcome.verdict, Verdict::CannotTell);
    assert_eq!(outcome.progress.checked.records, 2, "the chains were audited all the same");
}

async fn requested(world: &World, with_anchors: bool) -> Uuid {
    let id = Uuid::now_v7();
    let clock = world.store.clock().clone();
    let requested = world.store.mutate("test_audit", None, move |tx| {
        let clock = clock.clone();
        Box::pin(async move {
            audits::request(tx, &clock, id, with_anchors, Uuid::nil()).await?;
            Ok(Answer { status: 202, body: Vec::new(), sealed: None })
        })
    });
    requested.await.unwrap();
    id
}

#[tokio::test]
async fn an_audit_is_a_job_that_writes_down_what_it_found() {
    let (world, records) = World::new(3).await;
    world.anchor().await;
    let id = requested(&world, true).await;
    let job = world.claim("audit.run", 1).await.remove(0);
    world.work("audit.run", job).await.unwrap();
    let audit = world.store.audit(id).await.unwrap();
    assert_eq!((audit.state.as_str(), audit.verdict.as_deref()), ("done", Some("intact")));
    assert_eq!(audit.progress["checked"]["records"], 3);
    assert_eq!(world.number("SELECT count(*) FROM jobs WHERE kind = 'audit.run'").await, 0);

    let sql = format!("UPDATE records SET head_position = 5 WHERE id = '{}'", records[0]);
    world.tamper(&sql).await;
    let id = requested(&world, false).await;
    // An earlier attempt has got behind the record that is wrong, and found it.
    let found = json!([{ "kind": "head-columns", "fault": true }]);
    let (cursor, progress) =
        (Some(records[0]), json!({ "faults": 1, "checked": { "records": 1 } }));
    world.store.advance_audit(id, cursor, &progress, &found).await.unwrap();
    let job = world.claim("audit.run", 1).await.remove(0);
    world.work("audit.run", job).await.unwrap();
    let audit = world.store.audit(id).await.unwrap();
    assert_eq!(audit.verdict.as_deref(), Some("tampered"));
    assert_eq!(audit.progress["checked"]["records"], 3);
    assert_eq!(audit.findings, found);
}
