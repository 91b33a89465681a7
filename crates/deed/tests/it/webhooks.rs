//! `kill -9` of workers while they deliver.

use std::collections::HashMap;

use deed_testkit::endpoint::{Endpoint, ca_pem};
use serde_json::{Value, json};

use crate::DEADLINE;
use crate::http::{ask, post};
use crate::processes::Deployment;

/// Events, and how many arrive between two kills.
const EVENTS: usize = 240;
const BETWEEN: usize = 40;

#[tokio::test]
async fn workers_that_are_killed_lose_no_event_and_repeat_one_only_with_its_id() {
    let mut deployment = Deployment::migrated().await;
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    std::fs::write(&authority, ca_pem()).unwrap();
    for (name, value) in [
        ("WEBHOOK_ALLOWED_NETWORKS", "127.0.0.1/32"),
        ("WEBHOOK_CA_FILE", authority.to_str().unwrap()),
        ("WORKER_LEASE", "1s"),
    ] {
        deployment.variables.push((name.to_owned(), value.to_owned()));
    }
    let platform = deployment.run(&["keys", "platform", "--label", "test"]).stdout;
    let platform = platform.trim_end();
    let (_api, address) = deployment.start("api").await;
    let org = post(address, "/v1/admin/orgs", platform, &json!({ "name": "Example" })).await;
    let wanted = json!({ "role": "admin", "orgId": org["id"] });
    let key = post(address, "/v1/admin/api-keys", platform, &wanted).await;
    let key = key["secret"].as_str().unwrap().to_owned();
    let mut endpoint = Endpoint::start().await;
    let wanted = json!({ "url": endpoint.url(), "eventTypes": ["record.recorded"] });
    let made = post(address, "/v1/webhooks", &key, &wanted).await;
    let secret = made["secret"].as_str().unwrap().to_owned();

    let mut told = Vec::new();
    let record = json!({ "type": "notarize-generic-v1", "criteria": { "summary": "tested" } });
    for _ in 0..EVENTS {
        let made = post(address, "/v1/records", &key, &record).await;
        told.push(made["record"]["id"].as_str().unwrap().to_owned());
    }
    // By record: the id and the body with which it came.
    let mut arrived: HashMap<String, (String, Vec<u8>)> = HashMap::new();
    let (mut deliveries, mut kills, mut output) = (0, 0, Vec::new());
    let (mut worker, _) = deployment.start("worker").await;
    while arrived.len() < EVENTS {
        let received = endpoint.next().await;
        deliveries += 1;
        let event: Value = serde_json::from_slice(&received.body).unwrap();
        let record = event["recordId"].as_str().unwrap().to_owned();
        let this = (received.header("webhook-id").to_owned(), received.body.to_vec());
        let first = arrived.entry(record).or_insert_with(|| this.clone());
        assert_eq!(*first, this, "what comes again comes with the same id and body");
        if deliveries % BETWEEN == 0 && kills < 4 {
            worker.kill9();
            worker.wait_exit(DEADLINE).await;
            output.append(&mut worker.output());
            (worker, _) = deployment.start("worker").await;
            kills += 1;
        }
    }
    assert_eq!(kills, 4);
    told.retain(|record| !arrived.contains_key(record));
    assert_eq!(told, [] as [&str; 0], "lost");
    // In the end, nothing is left to do.
    let path = format!("/v1/webhooks/{}", made["webhook"]["id"].as_str().unwrap());
    loop {
        let (_, answer) = ask(address, "GET", &path, &key, "").await;
        let webhook: Value = serde_json::from_str(&answer).unwrap();
        if webhook["backlog"] == json!({ "pending": 0, "dead": 0 }) {
            break;
        }
    }
    worker.terminate();
    assert!(worker.wait_exit(DEADLINE).await.success());
    output.append(&mut worker.output());
    deployment.assert_discreet(&output, &[&secret, &key]);
}
