//! The feed of events: pages, waiting, and streams.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::support::{TestApp, api_config, text};

/// Reads pages from a cursor on until one has events.
async fn some(app: &TestApp, key: &str, query: &str) -> Value {
    let page = app.get(key, format!("/v1/events?wait=60&{query}")).await.ok(200);
    assert!(!page["items"].as_array().unwrap().is_empty(), "{page}");
    page
}

fn kinds(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect()
}

/// A cursor behind everything that there is now.
async fn present(app: &TestApp, key: &str) -> String {
    let last = "SELECT max(seq) FROM events";
    let last: i64 = app.superuser().await.query_one(last, &[]).await.unwrap().get(0);
    while app.app.store().event_horizon().await.unwrap() < last {
        tokio::task::yield_now().await;
    }
    let mut cursor = String::new();
    loop {
        let page = app.get(key, format!("/v1/events?limit=200{cursor}")).await.ok(200);
        let next = text(&page, "/nextCursor");
        if page["more"] == false {
            return next;
        }
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn an_agent_reads_its_organisations_events_that_it_may_read() {
    let app = TestApp::new().await;
    let (a, b) = (app.org("a").await, app.org("b").await);
    let cursor = present(&app, &a.agent).await;
    app.record_id(&b.agent, "of b").await;
    let record = app.record_id(&a.agent, "of a").await;
    let page = some(&app, &a.agent, &format!("cursor={cursor}")).await;
    assert_eq!(kinds(&page), ["record.recorded"]);
    assert_eq!(page["items"][0]["recordId"], record.as_str());
    assert_eq!(page["items"][0]["orgId"], a.id.as_str());
    // An agent reads no keys, so it reads no events about keys; an administrator does.
    let all = app.get(&a.agent, "/v1/events").await.ok(200);
    assert!(kinds(&all).iter().all(|kind| !kind.starts_with("api-key")), "{all}");
    let all = app.get(&a.admin, "/v1/events?types=api-key.minted,agent.created").await.ok(200);
    assert_eq!(kinds(&all), ["agent.created", "api-key.minted", "api-key.minted"]);
    let none = app.get(&a.agent, "/v1/events?types=api-key.minted").await.ok(200);
    assert!(kinds(&none).is_empty());
    app.get(&a.agent, "/v1/events?types=record.lost").await.problem(400, "event-type-unknown");
    app.get(&a.agent, "/v1/events?wait=61").await.problem(400, "wait-invalid");
    let both = format!("/v1/events?since=2020-01-01T00:00:00Z&cursor={cursor}");
    app.get(&a.agent, both).await.problem(400, "query-invalid");
    for bad in ["17", "MTc", ""] {
        let answer = app.get(&a.agent, format!("/v1/events?cursor={bad}")).await;
        answer.problem(400, "cursor-invalid");
    }
}

#[tokio::test]
async fn since_begins_at_a_time() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    present(&app, &org.admin).await;
    let later =
        "UPDATE events SET created_at = now() - interval '1 day' WHERE kind = 'org.created'";
    app.superuser().await.batch_execute(later).await.unwrap();
    let hour = "SELECT to_char(now() - interval '1 hour', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";
    let hour: String = app.superuser().await.query_one(hour, &[]).await.unwrap().get(0);
    let page = app.get(&app.platform, format!("/v1/events?since={hour}")).await.ok(200);
    assert!(kinds(&page).contains(&"agent.created") && !kinds(&page).contains(&"org.created"));
    let page = app.get(&app.platform, "/v1/events?since=2020-01-01T00:00:00Z").await.ok(200);
    assert!(kinds(&page).contains(&"org.created"));
    let page = app.get(&app.platform, "/v1/events?since=2999-01-01T00:00:00Z").await.ok(200);
    assert_eq!((kinds(&page).len(), &page["more"]), (0, &Value::Bool(false)));
}

#[tokio::test]
async fn who_waits_is_answered_by_the_next_event_and_not_by_others() {
    let app = Arc::new(TestApp::new().await);
    let (a, b) = (app.org("a").await, app.org("b").await);
    let cursor = present(&app, &a.agent).await;
    let waiting = {
        let (app, key) = (Arc::clone(&app), a.agent.clone());
        tokio::spawn(async move { some(&app, &key, &format!("cursor={cursor}")).await })
    };
    app.record_id(&b.agent, "of b").await;
    let record = app.record_id(&a.agent, "of a").await;
    let page = waiting.await.unwrap();
    assert_eq!(page["items"][0]["recordId"], record.as_str());
}

#[tokio::test]
async fn a_cursor_into_what_was_removed_is_told_so() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let first = app.get(&org.admin, "/v1/events?limit=1&wait=60").await.ok(200);
    let cursor = text(&first, "/nextCursor");
    let now = present(&app, &org.admin).await;
    let client = app.superuser().await;
    // Old, but a consumer has not seen them.
    client
        .batch_execute("UPDATE events SET created_at = now() - interval '40 days'")
        .await
        .unwrap();
    assert_eq!(app.app.store().sweep_events(30, 100).await.unwrap(), 0);
    let seen = "UPDATE event_consumers SET done = (SELECT max(seq) FROM events)";
    client.batch_execute(seen).await.unwrap();
    assert_eq!(app.app.store().sweep_events(50, 100).await.unwrap(), 0, "not old enough");
    while app.app.store().sweep_events(30, 3).await.unwrap() > 0 {}
    let problem = app.get(&org.admin, format!("/v1/events?cursor={cursor}")).await;
    problem.problem(410, "events-expired");
    let page = app.get(&org.admin, format!("/v1/events?cursor={now}")).await.ok(200);
    assert!(kinds(&page).is_empty(), "nothing was missed");
    assert!(kinds(&app.get(&org.admin, "/v1/events").await.ok(200)).is_empty());
}

/// A stream of events under way.
struct Stream {
    body: Body,
    text: String,
}

impl Stream {
    async fn open(app: &TestApp, key: &str, resume: Option<&str>) -> (StatusCode, Self) {
        let mut request = Request::get("/v1/events")
            .header("authorization", format!("Bearer {key}"))
            .header("accept", "text/event-stream");
        if let Some(id) = resume {
            request = request.header("last-event-id", id);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = app.router.clone().oneshot(request).await.unwrap();
        (response.status(), Self { body: response.into_body(), text: String::new() })
    }

    /// The next event: its id and its data. `None` when the stream has ended.
    async fn event(&mut self) -> Option<(String, Value)> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
                };
                let (id, data) = (field("id: "), field("data: "));
                self.text = rest.to_owned();
                if let Some(data) = data {
                    return Some((id.unwrap(), serde_json::from_str(&data).unwrap()));
                }
            }
            let frame = self.body.frame().await?.unwrap();
            self.text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
    }
}

#[tokio::test]
async fn a_stream_resumes_after_the_last_event_and_ends_when_the_process_drains() {
    let app = TestApp::new().await;
    let (a, b) = (app.org("a").await, app.org("b").await);
    let present = present(&app, &a.agent).await;
    let (status, mut stream) = Stream::open(&app, &a.agent, None).await;
    assert_eq!(status, 200);
    app.record_id(&b.agent, "of b").await;
    let ids = [app.record_id(&a.agent, "1").await, app.record_id(&a.agent, "2").await];
    let (first_id, first) = stream.event().await.unwrap();
    assert_eq!(
        (first["recordId"].as_str(), &first["type"]),
        (Some(&*ids[0]), &"record.recorded".into())
    );
    let (_, second) = stream.event().await.unwrap();
    assert_eq!(second["recordId"], ids[1].as_str());
    let (_, mut resumed) = Stream::open(&app, &a.agent, Some(&first_id)).await;
    assert_eq!(resumed.event().await.unwrap().1, second);
    // The id of a stream is a cursor, and a cursor resumes a stream.
    let (_, mut from_page) = Stream::open(&app, &a.agent, Some(&present)).await;
    assert_eq!(from_page.event().await.unwrap().1, first);
    let page = app.get(&a.agent, format!("/v1/events?cursor={first_id}")).await.ok(200);
    assert_eq!(page["items"][0], second);
    app.app.draining().store(true, Ordering::Release);
    for mut stream in [stream, resumed] {
        assert!(stream.event().await.is_none());
    }
    let mut last = from_page.event().await;
    while last.is_some() {
        last = from_page.event().await;
    }
}

#[tokio::test]
async fn streams_are_bounded_and_a_place_is_free_again() {
    let app = TestApp::new().await;
    let org = app.org("a").await;
    let mut config = api_config();
    config.limits.max_connections = 4;
    let small = app.sibling_with(config).await;
    let (status, stream) = Stream::open(&small, &org.agent, None).await;
    assert_eq!(status, 200);
    let (status, _) = Stream::open(&small, &org.agent, None).await;
    assert_eq!(status, 503);
    // Who waits without a place is answered at once with what there is.
    present(&app, &org.agent).await;
    drop(stream);
    assert_eq!(Stream::open(&small, &org.agent, None).await.0, 200);
    let (status, _) = Stream::open(&app, "deed_agt_x", None).await;
    assert_eq!(status, 401);
}
