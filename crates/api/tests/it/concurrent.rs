//! Many appenders, two processes, one chain.

use std::collections::BTreeSet;

use deed_chain::{KeySet, Verdict, verify};
use futures::future::join_all;
use serde_json::json;

use crate::support::{TestApp, record, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_appenders_through_two_processes_make_one_gap_free_chain() {
    const APPENDERS: u64 = 64;
    const EACH: u64 = 5;
    let one = TestApp::new().await;
    let two = one.sibling().await;
    let org = one.org("a").await;
    let id = one.record_id(&org.agent, "hot").await;
    let path = format!("/v1/records/{id}/notes");
    let appenders = (0..APPENDERS).map(|appender| {
        let app = if appender % 2 == 0 { &one } else { &two };
        let (path, org) = (&path, &org);
        async move {
            let mut acknowledged = Vec::new();
            for n in 0..EACH {
                let body = json!({ "text": format!("{appender}/{n}") });
                let once = format!("{appender}-{n}");
                let answer = app.post_once(&org.agent, path, &once, body).await.ok(201);
                acknowledged.push(answer["entry"].clone());
            }
            acknowledged
        }
    });
    let acknowledged: Vec<_> = join_all(appenders).await.into_iter().flatten().collect();

    let stored = two.all(&org.agent, &format!("/v1/records/{id}/entries?limit=100")).await;
    let positions: Vec<u64> = stored.iter().filter_map(|e| e["position"].as_u64()).collect();
    assert_eq!(positions, (0..=APPENDERS * EACH).collect::<Vec<_>>(), "gap-free");
    let hashes: BTreeSet<String> = stored.iter().map(|e| text(e, "/hash")).collect();
    assert_eq!(hashes.len(), stored.len(), "no duplicate");
    for pair in stored.windows(2) {
        assert_eq!(pair[1]["previous"], pair[0]["hash"]);
    }
    for entry in &acknowledged {
        let position = usize::try_from(entry["position"].as_u64().unwrap()).unwrap();
        assert_eq!(&stored[position], entry, "what was acknowledged is what is stored");
    }
    let export = one.get(&org.agent, format!("/v1/records/{id}/audit-export")).await;
    let keys = KeySet::from_iter([crate::support::signer().public().clone()]);
    assert_eq!(verify(&export.bytes, Some(&keys)).verdict, Verdict::Valid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creations_from_two_processes_with_common_keys_are_one_record_a_key() {
    const KEYS: usize = 24;
    let one = TestApp::new().await;
    let two = one.sibling().await;
    let org = one.org("a").await;
    // Every key is used by both processes at the same time, in opposite orders.
    let ask = |app, n: usize| {
        let (app, org): (&TestApp, _) = (app, &org);
        async move {
            let body = record(&n.to_string());
            app.post_once(&org.agent, "/v1/records", &n.to_string(), body).await
        }
    };
    let forward = join_all((0..KEYS).map(|n| ask(&one, n)));
    let backward = join_all((0..KEYS).rev().map(|n| ask(&two, n)));
    let (forward, backward) = tokio::join!(forward, backward);
    for (a, b) in forward.iter().zip(backward.iter().rev()) {
        a.ok(201);
        assert_eq!(a.bytes, b.bytes);
    }
    assert_eq!(one.all(&org.agent, "/v1/records").await.len(), KEYS);
}
