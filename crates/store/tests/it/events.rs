//! The outbox: read in order, nothing passed over, and told by the schemas of the catalogue.

use deed_notify::{EventType, event_id};
use deed_store::Store;
use deed_store::append::Appender;
use deed_store::events::{NewEvent, OutboxRow, tell};
use deed_store::idempotency::{Answer, Mutated};
use serde_json::json;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::support::{connect, create, database, extend, new_record, once, store};

const INSERT: &str = "INSERT INTO events (org_id, kind) VALUES ($1, 'k') RETURNING seq";

/// Waits until the horizon is there. It stays behind while any transaction of the whole server is open
/// that is older, those of other tests among them.
async fn horizon_at(store: &Store, seq: i64) -> i64 {
    loop {
        let horizon = store.event_horizon().await.unwrap();
        if horizon >= seq {
            return horizon;
        }
        tokio::task::yield_now().await;
    }
}

async fn all(store: &Store, newest: i64) -> Vec<OutboxRow> {
    let horizon = horizon_at(store, newest).await;
    store.events_after(0, horizon, 1000).await.unwrap()
}

async fn newest(client: &Client) -> i64 {
    let sql = "SELECT coalesce(max(seq), 0) FROM events";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

async fn told(store: &Store, new: NewEvent) {
    let answer = Answer { status: 200, body: Vec::new(), sealed: None };
    let done = store.mutate("test", None, move |tx| {
        let (new, answer) = (new.clone(), answer.clone());
        Box::pin(async move {
            tell(tx, &new).await?;
            Ok(answer)
        })
    });
    assert!(matches!(done.await.unwrap(), Mutated::Done(_)));
}

fn org_created(org: Uuid) -> NewEvent {
    let data = json!({ "orgId": org, "name": "o" });
    NewEvent { event: EventType::OrgCreated, org_id: Some(org), record_id: None, data }
}

#[tokio::test]
async fn a_younger_transaction_with_an_older_number_is_waited_for() {
    let database = database().await;
    let store = store(&database).await;
    let (older, younger) =
        (connect(&database.urls().superuser).await, connect(&database.urls().superuser).await);
    for client in [&older, &younger] {
        client.batch_execute("BEGIN; SELECT pg_current_xact_id()").await.unwrap();
    }
    let org = Uuid::new_v4();
    let first: i64 = younger.query_one(INSERT, &[&org]).await.unwrap().get(0);
    let second: i64 = older.query_one(INSERT, &[&org]).await.unwrap().get(0);
    older.batch_execute("COMMIT").await.unwrap();
    assert!(first < second);
    for _ in 0..20 {
        assert!(store.event_horizon().await.unwrap() < first, "its transaction is still open");
    }
    younger.batch_execute("COMMIT").await.unwrap();
    let seqs: Vec<i64> = all(&store, second).await.iter().map(|row| row.seq).collect();
    assert_eq!(seqs, [first, second]);
}

#[tokio::test]
async fn whoever_draws_a_number_has_its_transaction_id_before() {
    let database = database().await;
    let superuser = connect(&database.urls().superuser).await;
    let guard = "
        CREATE FUNCTION has_id() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF pg_current_xact_id_if_assigned() IS NULL THEN RAISE 'no transaction id yet'; END IF;
            RETURN NEW; END $$;
        CREATE TRIGGER has_id BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION has_id()";
    superuser.batch_execute(guard).await.unwrap();
    // The guard sees what it is there for. A number that is written to the log gives its transaction an
    // id: the first one after a checkpoint, and each 33rd.
    let bare = loop {
        if let Err(error) = superuser.query(INSERT, &[&Uuid::nil()]).await {
            break error;
        }
    };
    let before = all(&store(&database).await, newest(&superuser).await).await.len();
    assert!(bare.as_db_error().unwrap().message().contains("no transaction id"));

    let store = store(&database).await;
    let appender = Appender::start(&store, 16);
    let org = Uuid::new_v4();
    let record = new_record(&store, org);
    let id = record.record.id;
    appender.create(create(vec![record], None)).await.unwrap();
    let used = once(org, "k", "r");
    appender.create(create(vec![new_record(&store, org)], Some(used))).await.unwrap();
    appender.extend(extend(id, org, None)).await.unwrap();
    told(&store, org_created(org)).await;
    assert_eq!(all(&store, newest(&superuser).await).await.len(), before + 4);
}

#[tokio::test]
async fn the_horizon_costs_nothing_while_nothing_happens() {
    let database = database().await;
    let store = store(&database).await;
    let client = connect(&database.urls().superuser).await;
    told(&store, org_created(Uuid::new_v4())).await;
    horizon_at(&store, newest(&client).await).await;
    let version = "SELECT xmin::text FROM event_stream";
    let before: String = client.query_one(version, &[]).await.unwrap().get(0);
    for _ in 0..5 {
        store.event_horizon().await.unwrap();
    }
    assert_eq!(client.query_one(version, &[]).await.unwrap().get::<_, String>(0), before);
}

#[tokio::test]
async fn events_are_read_in_their_order_and_told_by_their_schemas() {
    let database = database().await;
    let store = store(&database).await;
    let client = connect(&database.urls().superuser).await;
    let appender = Appender::start(&store, 16);
    let org = Uuid::new_v4();
    told(&store, org_created(org)).await;
    let record = new_record(&store, org);
    let (id, hash) = (record.record.id, record.record.head_hash.to_string());
    appender.create(create(vec![record], None)).await.unwrap();
    appender.extend(extend(id, org, None)).await.unwrap();

    let rows = all(&store, newest(&client).await).await;
    let kinds: Vec<&str> = rows.iter().map(|row| row.kind.as_str()).collect();
    assert_eq!(kinds, ["org.created", "record.recorded", "record.note-added"]);
    let horizon = store.event_horizon().await.unwrap();
    let one = store.events_after(rows[0].seq, horizon, 1).await.unwrap();
    assert_eq!(one, rows[1..2]);
    assert!(store.events_after(horizon, horizon, 9).await.unwrap().is_empty());

    let events = store.events_told(&rows).await.unwrap();
    for (event, row) in events.iter().zip(&rows) {
        let schema = EventType::parse(&event.kind).unwrap().data_schema();
        jsonschema::draft202012::validate(&schema, &event.data).unwrap();
        assert_eq!(event.id, event_id(store.event_key(), row.seq));
        assert_eq!((event.org_id, event.timestamp), (Some(org), row.created_at));
    }
    assert_eq!(events[0].data["name"], "o");
    assert_eq!((events[1].record_id, events[1].position), (Some(id), Some(0)));
    assert_eq!(
        (&events[1].data["entryHash"], &events[1].data["type"]),
        (&json!(hash), &json!("t-v1"))
    );
    assert_eq!(events[2].position, Some(1));
}
