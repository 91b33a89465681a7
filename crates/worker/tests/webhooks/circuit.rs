//! Endpoints that fail are left alone, and tried again with one delivery.

use std::time::Duration;

use deed_notify::circuit::{Circuit, Health};
use deed_store::webhooks::{Attempt, DeliveryState, Outcome, PendingDelivery, Webhook};
use uuid::Uuid;

use crate::scene::Hooks;
use deed_testkit::endpoint::{Endpoint, status};

#[tokio::test]
async fn a_circuit_opens_is_probed_with_one_delivery_and_closes() {
    let (hooks, mut receiver) = (Hooks::new().await, Endpoint::start().await);
    let webhook = hooks.hook(&receiver.url()).await;
    receiver.answers(async |_| status(500));
    hooks.pile_up(webhook, 100).await;
    let worker = hooks.deliver();
    let open = async || loop {
        let found = hooks.webhook(webhook).await;
        if found.health.circuit == Circuit::Open {
            return found;
        }
        tokio::task::yield_now().await;
    };
    let found = open().await;
    assert_eq!(found.health.failures, 5);
    let pause = found.probe_at.unwrap() - hooks.store().clock().now();
    assert!((20..=31).contains(&pause.num_seconds()), "{pause}");
    // What was under way when it opened is all that was tried.
    let tried = |log: &[deed_store::webhooks::Delivery]| {
        log.iter().map(|delivery| delivery.attempts).sum::<u32>()
    };
    let before = tried(&hooks.log(webhook, DeliveryState::Pending).await);
    assert!((5..=16).contains(&before), "{before}");

    // A probe fails: one attempt, and a longer pause.
    hooks.due(webhook).await;
    while hooks.webhook(webhook).await.health.failures != 6 {
        tokio::task::yield_now().await;
    }
    let found = open().await;
    assert_eq!(tried(&hooks.log(webhook, DeliveryState::Pending).await), before + 1);
    assert!((found.probe_at.unwrap() - hooks.store().clock().now()).num_seconds() > 40);

    // A probe succeeds: all the rest follows.
    while receiver.received.try_recv().is_ok() {}
    receiver.answers(async |_| status(204));
    hooks.due(webhook).await;
    hooks.until(webhook, DeliveryState::Delivered, |log| log.len() >= 84).await;
    hooks.due(webhook).await;
    hooks.until(webhook, DeliveryState::Delivered, |log| log.len() == 100).await;
    let found = hooks.webhook(webhook).await;
    assert_eq!((found.health.circuit, found.health.failures), (Circuit::Closed, 0));
    worker.stop().await;
}

const MINUTE: Duration = Duration::from_secs(60);

/// Hands out every event there is.
async fn fan_out(hooks: &Hooks) {
    let behind = "SELECT (SELECT max(seq) FROM events) - done FROM event_consumers
        WHERE name = 'webhooks'";
    while hooks.client.query_one(behind, &[]).await.unwrap().get::<_, i64>(0) > 0 {
        hooks.store().fan_out_webhooks().await.unwrap();
    }
}

/// Every delivery of every endpoint fails once; the endpoints are as `health` says then.
async fn fail(hooks: &Hooks, webhooks: [Uuid; 2], health: Health) {
    fan_out(hooks).await;
    for webhook in webhooks {
        hooks.due(webhook).await;
    }
    let failed = |delivery: &PendingDelivery| Attempt {
        id: delivery.id,
        outcome: Outcome::Retry(MINUTE),
        status: Some(500),
        error: None,
        response: None,
        took: Duration::ZERO,
    };
    let store = hooks.store();
    let claimed = store.claim_webhooks(store.new_replica(), 8, 8, MINUTE).await.unwrap();
    assert_eq!(claimed.len(), 2);
    for one in claimed {
        let attempts = one.deliveries.iter().map(failed).collect();
        assert!(store.settle_webhook(one.held, health, attempts).await.unwrap());
    }
}

#[tokio::test]
async fn endpoints_that_fail_are_told_of_one_another_once_and_never_of_themselves() {
    let hooks = Hooks::new().await;
    let all = |url| Webhook { event_types: vec!["*".to_owned()], ..hooks.described(url) };
    let one = hooks.make(all("https://one.example/")).await;
    let two = hooks.make(all("https://two.example/")).await;
    for failures in 5..10 {
        fail(&hooks, [one, two], Health { circuit: Circuit::Open, failures }).await;
    }
    fail(&hooks, [one, two], Health { circuit: Circuit::Closed, failures: 0 }).await;
    fan_out(&hooks).await;
    let kinds = async |webhook| {
        let log = hooks.log(webhook, DeliveryState::Pending).await;
        let mut kinds: Vec<String> = log.into_iter().map(|one| one.event_type).collect();
        kinds.sort();
        kinds
    };
    let (opened, closed) = ("webhook.circuit-opened", "webhook.circuit-closed");
    assert_eq!(kinds(one).await, [closed, opened, "webhook.created"]);
    assert_eq!(kinds(two).await, [closed, opened]);
}
