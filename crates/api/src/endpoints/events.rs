//! `GET /v1/events`: what has happened, in order, from any point on.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use uuid::Uuid;

use crate::auth::{Access, Caller, Scope};
use crate::feed::{self, Filter, Found};
use crate::page::{PageQuery, invalid_cursor};
use crate::problem::Problem;
use crate::query::Query;
use crate::reply::ok;
use crate::route::Routes;
use crate::state::App;

const ACCESS: Access = Access::Scope(Scope::EventsRead);

pub(crate) fn mount(routes: Routes) -> Routes {
    routes.mount(ACCESS, routes!(events))
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Names of event types, separated by commas; all that the key may read when absent.
    #[param(example = "record.recorded,record.verdict")]
    types: Option<String>,
    /// Only events of this time or later (RFC 3339); to begin with, instead of a cursor.
    since: Option<DateTime<Utc>>,
    /// `nextCursor` of the page before, or the id of an event of the stream.
    cursor: Option<String>,
    /// Events of the page, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
    /// Seconds to wait for an event when there is none, 0 to 60; never longer than three quarters of
    /// HTTP_REQUEST_TIMEOUT.
    #[param(minimum = 0, maximum = 60)]
    wait: Option<u64>,
    /// Organisation; only for a platform key, which otherwise sees all.
    org_id: Option<Uuid>,
}

/// Longest wait that may be asked for, in seconds.
const LONGEST_WAIT: u64 = 60;

/// Some events, oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct EventsView {
    /// By the schemas in `webhooks` of this document.
    items: Vec<Value>,
    /// Go on from here, now or later: it is there also when nothing is left to read.
    next_cursor: String,
    /// Whether more can be read at once.
    more: bool,
}

#[utoipa::path(
    get, path = "/v1/events", tag = "Events", operation_id = "listEvents",
    summary = "Read events in order, wait for new ones, or follow them as a stream",
    description = "Events come in one order, none is left out, and each is there at most some hundred \
        milliseconds after its transaction. A page may be empty although `more` is true. With \
        `Accept: text/event-stream` the answer is a stream of Server-Sent Events that begins with the present, or \
        after `Last-Event-ID`; it ends after 15 minutes, and the client comes again.",
    params(
        Wanted,
        ("Last-Event-ID" = Option<String>, Header, description = "Of a stream: the id of the last event that was received"),
    ),
    responses(
        (status = 200, description = "Events, oldest first", content(
            (EventsView = "application/json"), (String = "text/event-stream"))),
        (status = 410, description = "The cursor is older than what is kept", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn events(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let filter = Filter::of(&caller, wanted.org_id, wanted.types.as_deref())?;
    let limit = PageQuery::new(wanted.limit, None).limit()?;
    let wait = wait(&app, wanted.wait)?;
    let streaming = accepts_stream(&headers);
    let resumed = headers.get("last-event-id").filter(|_| streaming);
    let resumed = resumed.map(|id| id.to_str().map_err(|_| invalid_cursor())).transpose()?;
    let cursor = resumed.or(wanted.cursor.as_deref());
    let horizon = app.store().event_horizon().await?;
    let after = start(&app, cursor, wanted.since, streaming, horizon).await?;
    if streaming {
        let listener = app.tail().listen(&app).ok_or_else(no_place)?;
        return Ok(feed::stream(app.clone(), (ACCESS, headers), listener, filter, after));
    }
    let mut found = feed::look(&app, &filter, after, horizon, limit).await?;
    let listener = (found.events.is_empty() && found.upto >= horizon && !wait.is_zero())
        .then(|| app.tail().listen(&app))
        .flatten();
    if let Some(mut listener) = listener {
        let end = Instant::now() + wait;
        found = feed::next(&app, &mut listener, &filter, found.upto, limit, end).await?;
    }
    page(&app, found, wanted.since, horizon, limit)
}

fn page(
    app: &App,
    found: Found,
    since: Option<DateTime<Utc>>,
    horizon: i64,
    limit: usize,
) -> Result<Response, Problem> {
    let more = found.events.len() == limit || found.upto < horizon;
    let recent = found.events.iter().filter(|(_, e)| since.is_none_or(|at| e.timestamp >= at));
    let view = EventsView {
        items: recent.map(|(_, event)| event.plain()).collect(),
        next_cursor: app.cursors().seal(found.upto),
        more,
    };
    ok(&view).map(IntoResponse::into_response)
}

/// The sequence number after which to read.
async fn start(
    app: &App,
    cursor: Option<&str>,
    since: Option<DateTime<Utc>>,
    streaming: bool,
    horizon: i64,
) -> Result<i64, Problem> {
    let removed = app.store().events_removed().await?;
    match (cursor, since) {
        (Some(_), Some(_)) => Err(Problem::bad_request(
            "query-invalid",
            "cursor and since were both given",
            "Begin with since, then go on with nextCursor alone.",
        )),
        (Some(cursor), None) => {
            let after = app.cursors().open(cursor).ok_or_else(invalid_cursor)?;
            if after < removed { Err(expired()) } else { Ok(after) }
        }
        (None, Some(since)) => Ok(app.store().events_since(since, horizon).await?),
        (None, None) if streaming => Ok(horizon),
        (None, None) => Ok(removed),
    }
}

fn wait(app: &App, seconds: Option<u64>) -> Result<Duration, Problem> {
    match seconds.unwrap_or(0) {
        seconds @ 0..=LONGEST_WAIT => Ok(Duration::from_secs(seconds).min(feed::longest_wait(app))),
        seconds => Err(Problem::bad_request(
            "wait-invalid",
            format!("wait is {seconds}"),
            "Wait for 0 to 60 seconds.",
        )),
    }
}

fn accepts_stream(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|text| {
        text.split(',')
            .any(|part| part.split(';').next().map(str::trim) == Some("text/event-stream"))
    })
}

fn expired() -> Problem {
    Problem::new(
        StatusCode::GONE,
        "events-expired",
        "events that follow this cursor have been removed: they were older than the time for which events are kept",
    )
    .hint("Read the present state (GET /v1/records), then begin again without a cursor.")
}

fn no_place() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "too-many-streams",
        "this process has as many open streams as it can have",
    )
    .hint("Try again in a moment, or read pages with wait.")
    .retry_after(5)
}
