//! What arrives, how it is signed, in what order, and again after a failure.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use deed_notify::signature::http::{Parts, Unsigned, content_digest};
use deed_notify::signature::standard::{Secret, signatures};
use deed_store::webhooks::{self, DeliveryState, Format, Rotation, SecretSealer, SigningAlg, Test};
use serde_json::json;
use uuid::Uuid;

use crate::scene::{Hooks, SERVER_SECRET};
use deed_testkit::endpoint::{Endpoint, status};

#[tokio::test]
async fn an_event_arrives_once_signed_with_the_secret() {
    let (hooks, mut receiver) = (Hooks::new().await, Endpoint::start().await);
    let webhook = hooks.hook(&receiver.url()).await;
    let worker = hooks.deliver();
    let record = Uuid::now_v7();
    hooks.tell(record, json!({ "what": "said" })).await;
    let received = receiver.next().await;
    let event = received.json();
    assert_eq!(
        (&event["type"], &event["data"]["what"]),
        (&json!("record.note-added"), &json!("said"))
    );
    assert_eq!((&event["recordId"], &event["orgId"]), (&json!(record), &json!(hooks.org)));
    let (id, time) = (received.header("webhook-id"), received.header("webhook-timestamp"));
    assert_eq!(event["id"], id);
    let expected = hooks.secret.sign(id, time.parse().unwrap(), &received.body);
    assert_eq!(received.header("webhook-signature"), expected);
    assert_eq!(received.header("content-type"), "application/json");
    assert_eq!(received.path, "/hook");
    let log = hooks.until(webhook, DeliveryState::Delivered, |log| log.len() == 1).await;
    let delivery = &log[0];
    assert_eq!(delivery.event_id.to_string(), id);
    assert_eq!((delivery.attempts, delivery.last_status), (1, Some(200)));
    assert_eq!(delivery.last_response.as_deref(), Some("so it is"));
    worker.stop().await;
    assert!(receiver.received.try_recv().is_err(), "it came twice");
    assert!(hooks.webhook(webhook).await.last_success_at.is_some());
}

#[tokio::test]
async fn a_cloud_event_is_signed_with_the_servers_key() {
    let (hooks, mut receiver) = (Hooks::new().await, Endpoint::start().await);
    let url = format!("{}?tenant=7", receiver.url());
    let mut wanted = hooks.described(&url);
    (wanted.format, wanted.signing_alg) = (Format::CloudEvents, SigningAlg::Ed25519);
    hooks.make(wanted).await;
    let worker = hooks.deliver();
    hooks.tell_many(1).await;
    let received = receiver.next().await;
    assert_eq!(received.json()["specversion"], "1.0");
    assert_eq!(received.json()["source"], "https://deed.test");
    assert_eq!(received.header("webhook-signature"), "");
    let digest = content_digest(&received.body);
    assert_eq!(received.header("content-digest"), digest);
    let signer = hooks.store().signer();
    let unsigned = Unsigned::new(&Parts {
        target_uri: &url,
        content_type: "application/cloudevents+json",
        content_digest: &digest,
        id: received.header("webhook-id"),
        timestamp: received.header("webhook-timestamp").parse().unwrap(),
        key_id: &signer.thumbprint().kid(),
    });
    let signature = signer.sign_http(&unsigned);
    let (input, signature) = unsigned.finish(&signature);
    assert_eq!(received.header("signature-input"), input);
    assert_eq!(received.header("signature"), signature);
    worker.stop().await;
}

#[tokio::test]
async fn only_what_is_subscribed_arrives_and_only_of_the_own_organisation() {
    let (hooks, mut receiver) = (Hooks::new().await, Endpoint::start().await);
    let mut wanted = hooks.described(&receiver.url());
    wanted.event_types = vec!["record.cancelled".to_owned(), "record.recorded".to_owned()];
    hooks.make(wanted).await;
    let sql = "INSERT INTO events (org_id, kind, data)
        SELECT o, k, jsonb_build_object('n', 1) FROM unnest($1::uuid[]) o, unnest($2::text[]) k";
    let orgs = [Uuid::now_v7(), hooks.org];
    let kinds = ["record.recorded", "record.note-added", "record.cancelled"];
    hooks.client.execute(sql, &[&orgs.as_slice(), &kinds.as_slice()]).await.unwrap();
    let worker = hooks.deliver();
    let mut arrived = [receiver.next().await.json(), receiver.next().await.json()];
    arrived.sort_by_key(|event| event["type"].to_string());
    assert_eq!(arrived[0]["type"], "record.cancelled");
    assert_eq!(arrived[1]["type"], "record.recorded");
    assert!(arrived.iter().all(|event| event["orgId"] == json!(hooks.org)));
    worker.stop().await;
    assert!(receiver.received.try_recv().is_err());
}

#[tokio::test]
async fn events_of_a_record_arrive_in_their_order() {
    let (hooks, mut receiver) = (Hooks::new().await, Endpoint::start().await);
    hooks.hook(&receiver.url()).await;
    let records: Vec<Uuid> = (0..4).map(|_| Uuid::now_v7()).collect();
    for n in 0..80 {
        hooks.tell(records[n % 4], json!({ "n": n })).await;
    }
    let worker = hooks.deliver();
    let mut last: HashMap<String, i64> = HashMap::new();
    for _ in 0..80 {
        let event = receiver.next().await.json();
        let n = event["data"]["n"].as_i64().unwrap();
        let before = last.insert(event["recordId"].to_string(), n);
        assert!(before.is_none_or(|before| before < n), "{n} came after {before:?}");
    }
    worker.stop().await;
}

#[tokio::test]
async fn a_failed_delivery_comes_again_with_its_id_and_the_later_ones_wait_for_it() {
    let (hooks, mut receiver) = (Hooks::new().await, Endpoint::start().await);
    let webhook = hooks.hook(&receiver.url()).await;
    receiver.answers(async |_| status(503));
    let record = Uuid::now_v7();
    for n in 0..3 {
        hooks.tell(record, json!({ "n": n })).await;
    }
    let worker = hooks.deliver();
    let first = receiver.next().await;
    let failed = |log: &[webhooks::Delivery]| log.len() == 3 && log.iter().any(|d| d.attempts == 1);
    let log = hooks.until(webhook, DeliveryState::Pending, failed).await;
    assert!(log.iter().all(|delivery| delivery.next_at.is_some()), "{log:?}");
    let tried: Vec<_> = log.iter().filter(|delivery| delivery.attempts == 1).collect();
    assert_eq!(tried.len(), 1, "the later ones were not tried");
    assert_eq!(tried[0].last_status, Some(503));
    assert!(tried[0].last_error.as_ref().unwrap().contains("503"));
    receiver.answers(async |_| status(200));
    hooks.due(webhook).await;
    let again = receiver.next().await;
    assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
    assert_eq!(again.body, first.body);
    let order = [receiver.next().await, receiver.next().await];
    assert_eq!(order.map(|event| event.json()["data"]["n"].clone()), [json!(1), json!(2)]);
    worker.stop().await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (hooks, mut receiver) = (Hooks::new().await, Endpoint::start().await);
    let other = Endpoint::start().await;
    let webhook = hooks.hook(&receiver.url()).await;
    let target = other.url();
    receiver.answers(move |_| {
        let target = target.clone();
        async move {
            let mut answer = status(307);
            answer.headers_mut().insert("location", target.parse().unwrap());
            answer
        }
    });
    let worker = hooks.deliver();
    hooks.tell_many(1).await;
    receiver.next().await;
    let log =
        hooks.until(webhook, DeliveryState::Pending, |log| log.iter().any(|d| d.attempts == 1));
    assert!(log.await[0].last_error.as_ref().unwrap().contains("redirect"));
    worker.stop().await;
    let mut other = other;
    assert!(other.received.try_recv().is_err());
}

#[tokio::test]
async fn an_answer_of_any_size_is_cut_and_one_with_nul_is_kept() {
    let (hooks, receiver) = (Hooks::new().await, Endpoint::start().await);
    let webhook = hooks.hook(&receiver.url()).await;
    receiver.answers(async |_| {
        let mut answer = status(200);
        *answer.body_mut() = bytes::Bytes::from(vec![0; 8 << 20]).into();
        answer
    });
    let worker = hooks.deliver();
    hooks.tell_many(1).await;
    let log = hooks.until(webhook, DeliveryState::Delivered, |log| log.len() == 1).await;
    let excerpt = log[0].last_response.as_ref().unwrap();
    assert_eq!(excerpt.chars().count(), 1024);
    assert!(excerpt.chars().all(|c| c == '\u{fffd}'));
    worker.stop().await;
}

#[tokio::test]
async fn while_a_secret_is_rotated_both_sign() {
    let (hooks, mut receiver) = (Hooks::new().await, Endpoint::start().await);
    let webhook = hooks.hook(&receiver.url()).await;
    let new = Secret::from_bytes([8; 32]).unwrap();
    let sealed = SecretSealer::new(&SERVER_SECRET).seal(webhook, &new).unwrap();
    let hour = chrono::TimeDelta::hours(1);
    let until = hooks.store().clock().now() + hour;
    let rotation = Rotation { secret: sealed, previous_until: until };
    hooks
        .mutate(move |tx| {
            let rotation = rotation.clone();
            Box::pin(async move { webhooks::rotate(tx, webhook, &rotation).await })
        })
        .await;
    let worker = hooks.deliver();
    hooks.tell_many(1).await;
    let received = receiver.next().await;
    let (id, time) = (received.header("webhook-id"), received.header("webhook-timestamp"));
    let time = time.parse().unwrap();
    let both = signatures([&new, &hooks.secret], id, time, &received.body);
    assert_eq!(received.header("webhook-signature"), both);
    // The time of grace is over.
    let over = "UPDATE webhooks SET previous_until = now() - interval '1 second'";
    hooks.client.batch_execute(over).await.unwrap();
    hooks.tell_many(1).await;
    let received = receiver.next().await;
    let (id, time) = (received.header("webhook-id"), received.header("webhook-timestamp"));
    let one = new.sign(id, time.parse().unwrap(), &received.body);
    assert_eq!(received.header("webhook-signature"), one);
    worker.stop().await;
}

#[tokio::test]
async fn one_endpoint_that_hangs_with_a_backlog_holds_no_other_one_up() {
    let hooks = Hooks::new().await;
    let (hanging, mut healthy) = (Endpoint::start().await, Endpoint::start().await);
    hanging.answers(async |_| std::future::pending().await);
    let stuck = hooks.hook(&hanging.url()).await;
    hooks.pile_up(stuck, 20_000).await;
    let mut hanging = hanging;
    let worker = hooks.deliver();
    // The hanging one is in hand before the first event of the other one.
    hanging.next().await;
    let well = hooks.hook(&healthy.url()).await;
    hooks.tell_many(200).await;
    let mut seen = HashSet::new();
    while seen.len() < 200 {
        assert!(seen.insert(healthy.next().await.header("webhook-id").to_owned()));
    }
    hooks.until(well, DeliveryState::Delivered, |log| log.len() == 200).await;
    assert_eq!(hooks.store().webhook_backlog(stuck).await.unwrap().pending, 10_000, "or more");
    assert_eq!(hooks.log(stuck, DeliveryState::Delivered).await.len(), 0);
    worker.stop.cancel();
}

#[tokio::test]
async fn dead_letters_are_listed_and_replayed() {
    let (hooks, mut receiver) = (Hooks::new().await, Endpoint::start().await);
    let webhook = hooks.hook(&receiver.url()).await;
    let fails = Arc::new(AtomicUsize::new(1));
    let left = Arc::clone(&fails);
    receiver.answers(move |_| {
        let failed = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        async move { status(if failed.is_ok() { 500 } else { 200 }) }
    });
    // Its last attempt.
    hooks.pile_up(webhook, 1).await;
    let used = "UPDATE webhook_deliveries SET attempts = 12";
    hooks.client.batch_execute(used).await.unwrap();
    let worker = hooks.deliver();
    let first = receiver.next().await;
    let dead = hooks.until(webhook, DeliveryState::Dead, |log| log.len() == 1).await;
    assert_eq!((dead[0].attempts, dead[0].last_status), (13, Some(500)));
    let delivery = dead[0].id;
    hooks.mutate(move |tx| Box::pin(webhooks::replay(tx, webhook, delivery))).await;
    assert_eq!(receiver.next().await.header("webhook-id"), first.header("webhook-id"));
    hooks.until(webhook, DeliveryState::Delivered, |log| log.len() == 1).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_paused_webhook_collects_and_a_resumed_one_delivers() {
    let (hooks, mut receiver) = (Hooks::new().await, Endpoint::start().await);
    let webhook = hooks.hook(&receiver.url()).await;
    let now = hooks.store().clock().now();
    hooks.mutate(move |tx| Box::pin(webhooks::pause(tx, webhook, now))).await;
    let worker = hooks.deliver();
    hooks.tell_many(3).await;
    hooks.until(webhook, DeliveryState::Pending, |log| log.len() == 3).await;
    assert!(receiver.received.try_recv().is_err());
    hooks.mutate(move |tx| Box::pin(webhooks::resume(tx, webhook))).await;
    for _ in 0..3 {
        receiver.next().await;
    }
    let test = Test::new(webhook, hooks.org, now);
    let id = test.event.id.to_string();
    hooks
        .mutate(move |tx| {
            let test = test.clone();
            Box::pin(async move {
                webhooks::test(tx, webhook, Format::Standard, "https://deed.test", &test).await
            })
        })
        .await;
    let received = receiver.next().await;
    assert_eq!(
        (received.header("webhook-id"), &received.json()["type"]),
        (&*id, &json!("webhook.test"))
    );
    worker.stop().await;
}
