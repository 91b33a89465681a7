//! Deadlines and the sweep that ends what missed them.

use std::time::Duration;

use deed_lifecycle::{Action, Role, State, VerdictMode};
use serde_json::json;
use uuid::Uuid;

use crate::parties::Parties;

async fn due(parties: &Parties, seconds: u64) -> String {
    let mut wanted = parties.draft(VerdictMode::Principal);
    let deadline = parties.app.app.store().clock().now() + Duration::from_secs(seconds);
    wanted["deadline"] = json!(deadline.to_rfc3339());
    wanted["autoActivate"] = json!(true);
    parties.create(wanted).await
}

#[tokio::test]
async fn what_is_not_handed_in_by_its_deadline_ends_as_expired() {
    let parties = Parties::new().await;
    let late = due(&parties, 60).await;
    let handed_in = due(&parties, 60).await;
    let later = due(&parties, 7200).await;
    let without = parties.in_state(State::Active).await;
    parties.must(&handed_in, Role::Performer, Action::Complete).await;
    let store = parties.app.app.store();
    assert_eq!(store.expire_due(100).await.unwrap(), 0);
    parties.app.advance(Duration::from_secs(60));
    // Too late from the very moment on, whether the sweep was there or not.
    let refused = parties.act(&late, Role::Performer, Action::Complete).await;
    let problem = refused.problem(422, "deadline-passed");
    assert_eq!(problem["currentState"], "ACTIVE");
    assert_eq!(problem["allowedActions"], json!([]));
    let refused = parties.act(&handed_in, Role::Principal, Action::RequestRevision).await;
    refused.problem(422, "deadline-passed");
    assert_eq!(store.expire_due(100).await.unwrap(), 1);
    assert_eq!(store.expire_due(100).await.unwrap(), 0);
    assert_eq!(parties.state(&late).await, State::Expired);
    assert_eq!(parties.state(&later).await, State::Active);
    assert_eq!(parties.state(&without).await, State::Active);
    parties.must(&handed_in, Role::Principal, Action::VerdictAccept).await;
    let path = format!("/v1/records/{late}/entries");
    let entries = parties.app.all(&parties.org.agent, &path).await;
    assert_eq!(entries[1]["body"]["kind"], "record.expired");
    assert_eq!(entries[1]["body"]["actor"], json!({ "role": "system" }));
    assert_eq!(parties.verified(&late).await, 2);
}

#[tokio::test]
async fn the_sweep_goes_in_batches_and_leaves_what_an_append_holds() {
    let parties = Parties::new().await;
    let mut records = Vec::new();
    for _ in 0..7 {
        records.push(due(&parties, 60).await);
    }
    parties.app.advance(Duration::from_secs(60));
    let held: Uuid = records[3].parse().unwrap();
    let mut holder = parties.app.superuser().await;
    #[expect(clippy::disallowed_methods, reason = "a transaction of the test's own")]
    let holding = holder.transaction().await.unwrap();
    // The append path's lock of that record (S8).
    let (high, low) = held.as_u64_pair();
    let key = i64::from_ne_bytes((high ^ low.rotate_left(17)).to_ne_bytes());
    holding.execute("SELECT pg_advisory_xact_lock($1)", &[&key]).await.unwrap();
    let store = parties.app.app.store();
    let mut swept = Vec::new();
    for _ in 0..4 {
        swept.push(store.expire_due(3).await.unwrap());
    }
    assert_eq!(swept.iter().sum::<usize>(), 6, "{swept:?}");
    assert!(swept.iter().all(|n| *n <= 3), "{swept:?}");
    assert_eq!(parties.state(&records[3]).await, State::Active);
    holding.rollback().await.unwrap();
    assert_eq!(store.expire_due(3).await.unwrap(), 1);
    for record in &records {
        assert_eq!(parties.state(record).await, State::Expired);
        assert_eq!(parties.verified(record).await, 2);
    }
}

#[tokio::test]
async fn two_sweeps_at_once_end_each_record_once() {
    let parties = Parties::new().await;
    for _ in 0..20 {
        due(&parties, 60).await;
    }
    let sibling = parties.app.sibling().await;
    parties.app.advance(Duration::from_secs(60));
    let (one, two) = (parties.app.app.store(), sibling.app.store());
    let mut swept = 0;
    loop {
        let (a, b) = tokio::join!(one.expire_due(8), two.expire_due(8));
        let both = a.unwrap() + b.unwrap();
        if both == 0 {
            break;
        }
        swept += both;
    }
    assert_eq!(swept, 20);
    let client = parties.app.superuser().await;
    let sql = "SELECT count(*) FROM events WHERE kind = 'record.expired'";
    let events: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(events, 20);
}

/// Its row says nothing of an entry that its chain has: the next one cannot be written.
async fn damage(parties: &Parties, record: &str) {
    let sql = format!(
        "INSERT INTO vault_entries (record_id, position, hash, previous, entry, body)
         SELECT record_id, 1, hash, hash, entry, body FROM vault_entries
         WHERE record_id = '{record}'"
    );
    parties.app.superuser().await.batch_execute(&sql).await.unwrap();
}

#[tokio::test]
async fn records_that_cannot_be_ended_hold_no_other_one_up() {
    let parties = Parties::new().await;
    let mut records = Vec::new();
    for _ in 0..7 {
        records.push(due(&parties, 60).await);
    }
    // As many as a batch at the head of the list; one for which the table says that it is not due.
    let bad: Vec<String> = records.drain(..3).collect();
    damage(&parties, &bad[0]).await;
    damage(&parties, &bad[1]).await;
    let client = parties.app.superuser().await;
    let undue = format!(
        "UPDATE records SET deadline = deadline + interval '1 year' WHERE id = '{}'",
        bad[2]
    );
    client.batch_execute(&undue).await.unwrap();
    parties.app.advance(Duration::from_secs(60));
    let store = parties.app.app.store();
    let sweep = async || {
        let mut swept = Vec::new();
        loop {
            match store.expire_due(3).await.unwrap() {
                0 => return swept,
                some => swept.push(some),
            }
        }
    };
    assert_eq!(sweep().await, [3, 3, 1], "the first three were put off");
    for record in &records {
        assert_eq!(parties.state(record).await, State::Expired);
        assert_eq!(parties.verified(record).await, 2);
    }
    let later = "SELECT count(*) FROM records WHERE due_at > now() + interval '9 minutes'
        AND due_at <= now() + interval '10 minutes'";
    let later: i64 = client.query_one(later, &[]).await.unwrap().get(0);
    assert_eq!(later, 3);
    for record in &bad {
        assert_eq!(parties.state(record).await, State::Active);
    }
    // What was mended meanwhile ends when it comes up again.
    let mend = format!(
        "UPDATE records SET deadline = deadline - interval '1 year' WHERE id = '{}';
         UPDATE records SET due_at = deadline WHERE due_at IS NOT NULL",
        bad[2]
    );
    client.batch_execute(&mend).await.unwrap();
    assert_eq!(sweep().await, [3]);
    assert_eq!(parties.state(&bad[2]).await, State::Expired);
}
