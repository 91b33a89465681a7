//! From a signed checkpoint to a file, whatever happens on the way.

use deed_anchor::{Directory, Place};
use deed_chain::anchor::Anchor;
use deed_worker::{Anchors, JobError, kinds};
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn every_checkpoint_is_in_an_object() {
    let (world, records) = World::new(3).await;
    world.anchor().await;
    world.append(records[1]).await;
    world.anchor().await;
    let read = |number| Anchor::parse(&std::fs::read(world.object(number)).unwrap()).unwrap();
    let anchored = read(1).checkpoints.len() + read(2).checkpoints.len();
    assert_eq!(anchored, 4);
    assert_eq!(world.number("SELECT count(*) FROM checkpoints").await, 4);
    assert_eq!(world.number("SELECT count(*) FROM jobs").await, 0);
    let standing = world.store.anchor_standings().await.unwrap().remove(0);
    assert_eq!((standing.checkpoints_behind, standing.oldest_seconds), (0, 0.0));
    assert!(!world.object(3).exists(), "nothing new, no object");
}

#[tokio::test]
async fn an_upload_that_was_cut_short_is_done_again() {
    let (world, _) = World::new(2).await;
    world.sweep().await;
    let job = world.claim("anchor.upload", 1).await.remove(0);
    // Its worker went away after the file was there: the job is another worker's, with a new token.
    world.client.batch_execute("UPDATE jobs SET fence = fence + 1").await.unwrap();
    let late = world.work("anchor.upload", job.clone()).await;
    assert!(matches!(late, Err(JobError::Fenced)), "{late:?}");
    assert!(world.object(1).exists());
    assert_eq!(world.number("SELECT count(*) FROM anchored").await, 0);
    let mut again = job;
    again.held.fence += 1;
    world.work("anchor.upload", again).await.unwrap();
    assert_eq!(world.number("SELECT count(*) FROM anchored").await, 1);
    world.assert_intact(true).await;
}

#[tokio::test]
async fn a_key_that_holds_something_else_is_reported_and_not_replaced() {
    let (world, _) = World::new(1).await;
    let object = world.object(1);
    std::fs::create_dir_all(object.parent().unwrap()).unwrap();
    std::fs::write(&object, "something else").unwrap();
    world.sweep().await;
    let job = world.claim("anchor.upload", 1).await.remove(0);
    let refused = world.work("anchor.upload", job).await.unwrap_err().to_string();
    assert!(refused.contains("holds something else"), "{refused}");
    assert_eq!(std::fs::read(&object).unwrap(), b"something else");
    let fault = world.store.anchor_standings().await.unwrap().remove(0).fault.unwrap();
    assert!(fault.contains("deed audit --anchors"), "{fault}");
}

#[tokio::test]
async fn an_anchor_that_is_away_gets_all_once_it_is_back() {
    let (world, records) = World::new(2).await;
    let (there, away) = (world.folder.path().to_owned(), world.folder.path().join("away"));
    let hidden = Anchors::new(vec![Place::Directory(Directory::new(away.clone()))]);
    let handler = |kind: &str| {
        let kinds = kinds(&hidden);
        kinds.iter().find(|one| one.name == kind).unwrap().handler.clone()
    };
    for _ in 0..3 {
        world.append(records[0]).await;
        world.sweep().await;
        let sweep = world.claim("sweep.checkpoints", 1).await;
        assert!(sweep.is_empty());
        world.store.cut_anchor_batches(1).await.unwrap();
    }
    let id = world.store.register_anchor(&format!("file://{}", away.display())).await.unwrap();
    assert_eq!(world.store.enqueue_uploads(id).await.unwrap(), 3);
    let mine = |jobs: Vec<deed_store::queue::ClaimedJob>| {
        jobs.into_iter().filter(move |job| job.payload["anchor"] == id).collect::<Vec<_>>()
    };
    let jobs = mine(world.claim("anchor.upload", 100).await);
    for job in &jobs {
        // The folder itself is made by whoever mounts it.
        let failed = handler("anchor.upload")(world.store.clone(), job.clone()).await;
        assert!(matches!(failed, Err(JobError::Retry(_))), "{failed:?}");
    }
    let standings = world.store.anchor_standings().await.unwrap();
    let standing = standings.iter().find(|one| one.location.ends_with("away")).unwrap();
    assert_eq!((standing.complete, standing.objects_behind), (0, 3));
    assert!(standing.oldest_seconds > 0.0);
    std::fs::create_dir(there.join("away")).unwrap();
    for job in jobs {
        handler("anchor.upload")(world.store.clone(), job).await.unwrap();
    }
    assert_eq!(world.store.enqueue_uploads(id).await.unwrap(), 0);
    let standings = world.store.anchor_standings().await.unwrap();
    let standing = standings.iter().find(|one| one.location.ends_with("away")).unwrap();
    assert_eq!((standing.complete, standing.oldest_seconds), (3, 0.0));
}

#[tokio::test]
async fn a_job_of_an_anchor_that_is_not_configured_waits_for_another_worker() {
    let (world, _) = World::new(1).await;
    let other = world.step("anchor.upload", json!({ "anchor": 77, "number": 1 })).await;
    assert!(matches!(other, Err(JobError::Retry(_))), "{other:?}");
    let nonsense = world.step("anchor.upload", json!({})).await;
    assert!(matches!(nonsense, Err(JobError::Dead(_))), "{nonsense:?}");
}
