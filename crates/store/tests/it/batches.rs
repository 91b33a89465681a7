//! What arrives together is committed together, and no item fails another.

use deed_store::Error;
use deed_store::append::{Appended, Appender, Create};
use futures::future::join_all;
use uuid::Uuid;

use crate::support::{connect, count, create, database, extend, new_record, once, store};

const ORG: Uuid = Uuid::from_u128(1);

fn created(result: &Result<Appended<()>, Error>) -> bool {
    matches!(result, Ok(Appended::Written(())))
}

/// The queue is full before the batcher's task first runs: one thread, and no submit waits.
async fn together(appender: &Appender, items: Vec<Create>) -> Vec<Result<Appended<()>, Error>> {
    join_all(items.into_iter().map(|item| appender.create(item))).await
}

#[tokio::test]
async fn requests_that_arrive_together_are_one_transaction() {
    let database = database().await;
    let store = store(&database).await;
    let appender = Appender::start(&store, 256);
    let creates: Vec<_> = (0..100).map(|_| new_record(&store, ORG)).collect();
    let ids: Vec<Uuid> = creates.iter().map(|new| new.record.id).collect();
    let items = creates.into_iter().map(|new| create(vec![new], None)).collect();
    assert!(together(&appender, items).await.iter().all(created));
    let extends = ids.iter().chain(&ids).map(|id| appender.extend(extend(*id, ORG, None)));
    for answer in join_all(extends).await {
        assert!(matches!(answer, Ok(Appended::Written(_))));
    }
    let client = connect(&database.urls().superuser).await;
    for (sql, expected) in [
        ("SELECT count(*) FROM vault_entries", 300),
        ("SELECT count(*) FROM events", 300),
        ("SELECT count(*) FROM record_references", 100),
        ("SELECT count(DISTINCT xmin::text) FROM vault_entries WHERE position = 0", 1),
        ("SELECT count(DISTINCT xmin::text) FROM vault_entries WHERE position > 0", 1),
        ("SELECT count(*) FROM records WHERE head_position = 2", 100),
    ] {
        assert_eq!(count(&client, sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn one_bad_item_fails_alone() {
    let database = database().await;
    let store = store(&database).await;
    let appender = Appender::start(&store, 256);
    let taken = new_record(&store, ORG);
    let id = taken.record.id;
    appender.create(create(vec![taken], None)).await.unwrap();
    for bad_place in [0, 7, 19] {
        let mut items = Vec::new();
        for place in 0..20 {
            let mut new = new_record(&store, ORG);
            if place == bad_place {
                // An id that exists: PostgreSQL refuses the whole statement.
                new.record.id = id;
            }
            let key = once(ORG, &format!("{bad_place}-{place}"), "request");
            items.push(create(vec![new], Some(key)));
        }
        let results = together(&appender, items).await;
        for (place, result) in results.iter().enumerate() {
            if place == bad_place {
                let error = result.as_ref().expect_err("the bad item fails");
                assert!(error.is_unique_violation(), "{error}");
            } else {
                assert!(created(result), "item {place} with a bad one at {bad_place}: {result:?}");
            }
        }
    }
    let client = connect(&database.urls().superuser).await;
    assert_eq!(count(&client, "SELECT count(*) FROM records").await, 1 + 3 * 19);
    assert_eq!(count(&client, "SELECT count(*) FROM vault_entries").await, 1 + 3 * 19);
    // The bad item's key is free: nothing of it was kept.
    assert_eq!(count(&client, "SELECT count(*) FROM idempotency_keys").await, 3 * 19);
}

#[tokio::test]
async fn the_records_of_one_request_are_all_written_or_none() {
    let database = database().await;
    let store = store(&database).await;
    let appender = Appender::start(&store, 256);
    let taken = new_record(&store, ORG);
    let id = taken.record.id;
    appender.create(create(vec![taken], None)).await.unwrap();
    let mut several: Vec<_> = (0..5).map(|_| new_record(&store, ORG)).collect();
    several[3].record.id = id;
    let refused = appender.create(create(several, Some(once(ORG, "k", "request")))).await;
    assert!(refused.expect_err("it is refused").is_unique_violation());
    let client = connect(&database.urls().superuser).await;
    assert_eq!(count(&client, "SELECT count(*) FROM records").await, 1);
    let several: Vec<_> = (0..5).map(|_| new_record(&store, ORG)).collect();
    let accepted = appender.create(create(several, Some(once(ORG, "k", "request")))).await;
    assert!(created(&accepted));
    assert_eq!(count(&client, "SELECT count(*) FROM records").await, 6);
}

#[tokio::test]
async fn a_note_to_nothing_fails_alone() {
    let database = database().await;
    let store = store(&database).await;
    let appender = Appender::start(&store, 256);
    let new = new_record(&store, ORG);
    let id = new.record.id;
    appender.create(create(vec![new], None)).await.unwrap();
    let other_org = Uuid::from_u128(2);
    let notes = [(id, ORG), (Uuid::from_u128(17), ORG), (id, other_org), (id, ORG)];
    let results = join_all(notes.map(|(id, org)| appender.extend(extend(id, org, None)))).await;
    let [first, unknown, foreign, second] = &results[..] else { panic!("four results") };
    assert!(matches!(first, Ok(Appended::Written(position)) if position == b"1"));
    assert!(matches!(unknown, Err(Error::NotFound("record"))));
    assert!(matches!(foreign, Err(Error::NotFound("record"))));
    assert!(matches!(second, Ok(Appended::Written(position)) if position == b"2"));
}

#[tokio::test]
async fn a_key_twice_in_a_batch_is_one_write_and_one_replay() {
    let database = database().await;
    let store = store(&database).await;
    let appender = Appender::start(&store, 256);
    let new = new_record(&store, ORG);
    let id = new.record.id;
    let item = |request| create(vec![new_record(&store, ORG)], Some(once(ORG, "k", request)));
    let items = vec![create(vec![new], None), item("a"), item("a"), item("b"), item("a")];
    let results = together(&appender, items).await;
    assert!(created(&results[0]) && created(&results[1]));
    for place in [2, 4] {
        let replayed = matches!(&results[place], Ok(Appended::Replayed(r)) if r.status == 201);
        assert!(replayed, "{:?}", results[place]);
    }
    assert!(matches!(results[3], Err(Error::IdempotencyMismatch)));
    let note = |request| appender.extend(extend(id, ORG, Some(once(ORG, "n", request))));
    let results = join_all([note("a"), note("a"), note("b")]).await;
    assert!(matches!(&results[0], Ok(Appended::Written(position)) if position == b"1"));
    assert!(matches!(&results[1], Ok(Appended::Replayed(r)) if r.body == b"1"));
    assert!(matches!(results[2], Err(Error::IdempotencyMismatch)));
    // A key of another request, of another kind.
    let other = appender.extend(extend(id, ORG, Some(once(ORG, "k", "a note")))).await;
    assert!(matches!(other, Err(Error::IdempotencyMismatch)));
    let client = connect(&database.urls().superuser).await;
    assert_eq!(count(&client, "SELECT count(*) FROM vault_entries").await, 3);
}

#[tokio::test]
async fn more_than_the_queue_holds_is_refused_at_once() {
    let database = database().await;
    let store = store(&database).await;
    let appender = Appender::start(&store, 3);
    let items = (0..8).map(|_| create(vec![new_record(&store, ORG)], None)).collect();
    let results = together(&appender, items).await;
    assert!(results[..3].iter().all(created));
    assert!(results[3..].iter().all(|result| matches!(result, Err(Error::Overloaded))));
    let client = connect(&database.urls().superuser).await;
    assert_eq!(count(&client, "SELECT count(*) FROM records").await, 3);
}
