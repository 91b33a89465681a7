//! Several workers, and such that stand still: nothing is handed out twice, nothing is lost.

use std::collections::HashSet;
use std::time::Duration;

use deed_notify::circuit::{Circuit, Health};
use deed_store::webhooks::{Attempt, DeliveryState, Outcome};

use crate::scene::{Hooks, start};
use crate::support::{Scene, usual};
use deed_testkit::endpoint::Endpoint;

const WELL: Health = Health { circuit: Circuit::Closed, failures: 0 };
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_event_is_handed_out_once_however_many_do_it() {
    let hooks = Hooks::new().await;
    let webhook = hooks.hook("https://example.org/").await;
    hooks.tell_many(600).await;
    let other = Scene::connect(&hooks.scene.database).await;
    let behind = "SELECT (SELECT max(seq) FROM events) - done FROM event_consumers
        WHERE name = 'webhooks'";
    while hooks.client.query_one(behind, &[]).await.unwrap().get::<_, i64>(0) > 0 {
        let (a, b, c) = futures::join!(
            hooks.store().fan_out_webhooks(),
            other.fan_out_webhooks(),
            hooks.store().fan_out_webhooks()
        );
        for done in [a, b, c] {
            done.unwrap();
        }
    }
    let count = "SELECT count(*), count(DISTINCT event_id) FROM webhook_deliveries";
    let row = hooks.client.query_one(count, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (600, 600));
    assert_eq!(hooks.store().webhook_backlog(webhook).await.unwrap().pending, 600);
}

#[tokio::test]
async fn whoever_lost_the_lease_writes_nothing() {
    let hooks = Hooks::new().await;
    let webhook = hooks.hook("https://example.org/").await;
    hooks.pile_up(webhook, 5).await;
    let (store, replica) = (hooks.store(), hooks.store().new_replica());
    let first = store.claim_webhooks(replica, 8, 2, MINUTE).await.unwrap();
    assert_eq!((first.len(), first[0].deliveries.len()), (1, 2));
    assert!(store.claim_webhooks(replica, 8, 2, MINUTE).await.unwrap().is_empty());
    // The worker stands still until its lease has ended.
    hooks.client.batch_execute("UPDATE webhook_endpoints SET due_at = now()").await.unwrap();
    let second = store.claim_webhooks(replica, 8, 2, MINUTE).await.unwrap();
    assert_eq!(second[0].deliveries, first[0].deliveries, "it begins where the first one did");
    let delivered = |id| Attempt {
        id,
        outcome: Outcome::Delivered,
        status: Some(200),
        error: None,
        response: None,
        took: Duration::ZERO,
    };
    let attempts: Vec<_> = first[0].deliveries.iter().map(|one| delivered(one.id)).collect();
    assert!(store.extend_webhooks(&[first[0].held], MINUTE).await.unwrap().is_empty());
    store.release_webhooks(&[first[0].held]).await.unwrap();
    assert!(!store.settle_webhook(first[0].held, WELL, attempts.clone()).await.unwrap());
    assert!(hooks.log(webhook, DeliveryState::Delivered).await.is_empty());
    assert!(store.settle_webhook(second[0].held, WELL, attempts.clone()).await.unwrap());
    assert!(!store.settle_webhook(second[0].held, WELL, attempts).await.unwrap(), "only once");
    assert_eq!(hooks.log(webhook, DeliveryState::Delivered).await.len(), 2);
    // What is left is due at once.
    let third = store.claim_webhooks(replica, 8, 9, MINUTE).await.unwrap();
    assert_eq!(third[0].deliveries.len(), 3);
}

#[tokio::test]
async fn two_workers_share_the_endpoints_and_repeat_nothing() {
    let hooks = Hooks::new().await;
    let mut receiver = Endpoint::start().await;
    for _ in 0..6 {
        hooks.hook(&receiver.url()).await;
    }
    let other = Scene::connect(&hooks.scene.database).await;
    let workers = [hooks.deliver(), start(other, &["127.0.0.1/32"], &[], usual())];
    hooks.tell_many(40).await;
    let mut seen = Vec::new();
    while seen.len() < 240 {
        seen.push(receiver.next().await.header("webhook-id").to_owned());
    }
    for worker in workers {
        worker.stop().await;
    }
    assert!(receiver.received.try_recv().is_err(), "something came twice");
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 40);
}

#[tokio::test]
async fn a_worker_that_stops_gives_its_endpoints_back() {
    let hooks = Hooks::new().await;
    let mut receiver = Endpoint::start().await;
    receiver.answers(async |_| std::future::pending().await);
    let webhook = hooks.hook(&receiver.url()).await;
    hooks.pile_up(webhook, 3).await;
    let config = deed_worker::WorkerConfig { drain_timeout: Duration::from_millis(1), ..usual() };
    let worker = hooks.deliver_with(&["127.0.0.1/32"], &[], config);
    receiver.next().await;
    worker.stop().await;
    let replica = hooks.store().new_replica();
    let claimed = hooks.store().claim_webhooks(replica, 8, 8, MINUTE).await.unwrap();
    assert_eq!(claimed[0].deliveries.len(), 3);
    assert!(claimed[0].deliveries.iter().all(|delivery| delivery.attempts == 0));
}
