//! What is not kept for ever.

use deed_store::webhooks::{self, DeliveryState};

use crate::scene::Hooks;

#[tokio::test]
async fn what_is_too_old_is_given_up_then_removed_and_so_is_what_was_deleted() {
    let hooks = Hooks::new().await;
    let webhook = hooks.hook("https://example.org/").await;
    hooks.pile_up(webhook, 4).await;
    let store = hooks.store();
    // Two of eight days ago, two of an hour ago.
    let age = "UPDATE webhook_deliveries SET id = uuid_floor(now() - CASE WHEN seq < -2
        THEN interval '8 days' ELSE interval '1 hour' END - seq * interval '1 second')";
    hooks.client.batch_execute(age).await.unwrap();
    assert_eq!(store.expire_webhook_deliveries(7, 1).await.unwrap(), 1);
    assert_eq!(store.expire_webhook_deliveries(7, 9).await.unwrap(), 1);
    assert_eq!(store.expire_webhook_deliveries(7, 9).await.unwrap(), 0);
    let dead = hooks.log(webhook, DeliveryState::Dead).await;
    assert_eq!(dead.len(), 2);
    assert!(dead[0].last_error.as_ref().unwrap().contains("too long"));
    assert_eq!(store.sweep_webhook_deliveries(30, 9).await.unwrap(), 0);
    assert_eq!(store.sweep_webhook_deliveries(7, 9).await.unwrap(), 2);
    assert_eq!(hooks.log(webhook, DeliveryState::Pending).await.len(), 2, "what is pending stays");

    let other = hooks.hook("https://example.net/").await;
    hooks.pile_up(other, 1).await;
    let now = store.clock().now();
    hooks.mutate(move |tx| Box::pin(webhooks::delete(tx, webhook, now))).await;
    assert_eq!(store.sweep_deleted_webhooks(1).await.unwrap(), 1);
    assert_eq!(store.sweep_deleted_webhooks(9).await.unwrap(), 1);
    assert_eq!(store.remove_deleted_webhooks(9).await.unwrap(), 0, "not within the hour");
    let earlier = "UPDATE webhooks SET deleted_at = now() - interval '2 hours'
        WHERE deleted_at IS NOT NULL";
    hooks.client.batch_execute(earlier).await.unwrap();
    assert_eq!(store.remove_deleted_webhooks(9).await.unwrap(), 1);
    assert_eq!(hooks.log(other, DeliveryState::Pending).await.len(), 1);
    assert!(store.webhook(other, None).await.is_ok());
}
