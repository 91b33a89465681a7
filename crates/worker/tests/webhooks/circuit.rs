//! Endpoints that fail are left alone, and tried again with one delivery.

use deed_notify::circuit::Circuit;
use deed_store::webhooks::DeliveryState;

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
