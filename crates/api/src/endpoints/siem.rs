//! `GET /v1/siem/stream`: the operational audit log, for a SIEM.

use axum::extract::State;
use chrono::{DateTime, Utc};
use deed_store::audit_log::AuditEntry;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::records::view::time;
use crate::audit::ocsf;
use crate::auth::{Access, Scope};
use crate::page::{PageQuery, invalid_cursor};
use crate::problem::Problem;
use crate::query::Query;
use crate::reply::{Reply, ok};
use crate::route::Routes;
use crate::state::App;

/// Entries of a page when none are asked for, and at most.
const DEFAULT_LIMIT: usize = 100;
const MOST: usize = 1000;

pub(crate) fn mount(routes: Routes) -> Routes {
    routes.mount(Access::Scope(Scope::AuditRead), routes!(stream))
}

/// Form of the entries.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// Open Cybersecurity Schema Framework 1.5.0.
    #[default]
    Ocsf,
    /// As they lie in the database.
    Raw,
}

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Only entries of this time or later (RFC 3339); to begin with, instead of a cursor.
    since: Option<DateTime<Utc>>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Entries of the page, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// `ocsf` (when absent) or `raw`.
    #[param(inline)]
    format: Option<Format>,
}

/// Some entries, in the order in which they were written.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct EntriesView {
    items: Vec<Value>,
    /// Go on from here, now or later: it is there also when nothing is left to read.
    next_cursor: String,
    /// Whether more can be read at once.
    more: bool,
}

#[utoipa::path(
    get, path = "/v1/siem/stream", tag = "Operations", operation_id = "siemStream",
    summary = "Read the operational audit log",
    description = "Every request of an administrator or of the platform, and every refusal of a key or a scope, as far as \
        a bound per second. What agents write is in the vault. Entries come in one order, and none is left out.",
    params(Wanted),
    responses((status = 200, description = "Entries, oldest first", body = EntriesView)),
)]
pub(crate) async fn stream(
    State(app): State<App>,
    Query(wanted): Query<Wanted>,
) -> Result<Reply, Problem> {
    let limit = limit(wanted.limit)?;
    let (after, since) = match (PageQuery::new(None, wanted.cursor).after_text()?, wanted.since) {
        (Some(_), Some(_)) => {
            return Err(Problem::bad_request(
                "query-invalid",
                "cursor and since were both given",
                "Begin with since, then go on with nextCursor alone.",
            ));
        }
        (Some(text), None) => place(&text).ok_or_else(invalid_cursor)?,
        (None, Some(since)) => {
            let since = since.max(DateTime::UNIX_EPOCH);
            (app.store().audit_since(since).await?, Some(since))
        }
        (None, None) => (0, None),
    };
    let (entries, next) = app.store().audit_after(after, since, limit).await?;
    let cursor = since.map_or(next.to_string(), |at| format!("{next} {}", at.timestamp_micros()));
    let issuer = &app.store().installation().issuer;
    let form = |entry: &AuditEntry| match wanted.format.unwrap_or_default() {
        Format::Ocsf => ocsf(entry, issuer),
        Format::Raw => raw(entry),
    };
    ok(&EntriesView {
        items: entries.iter().map(form).collect(),
        next_cursor: deed_chain::base64url::encode(cursor),
        more: entries.len() == limit,
    })
}

/// What a cursor holds: the number to go on after, and in microseconds the time before which nothing is
/// wanted.
fn place(cursor: &str) -> Option<(i64, Option<DateTime<Utc>>)> {
    match cursor.split_once(' ') {
        None => Some((cursor.parse().ok()?, None)),
        Some((after, since)) => {
            let since = DateTime::from_timestamp_micros(since.parse().ok().filter(|at| *at >= 0)?)?;
            Some((after.parse().ok()?, Some(since)))
        }
    }
}

fn limit(wanted: Option<usize>) -> Result<usize, Problem> {
    match wanted.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MOST => Ok(limit),
        limit => Err(Problem::bad_request(
            "limit-invalid",
            format!("limit is {limit}"),
            "Ask for 1 to 1000 entries a page.",
        )),
    }
}

fn raw(entry: &AuditEntry) -> Value {
    json!({
        "id": entry.id,
        "time": time(entry.occurred_at),
        "phase": entry.phase.as_str(),
        "method": entry.method,
        "route": entry.route,
        "path": entry.path,
        "status": entry.status,
        "problem": entry.problem,
        "keyId": entry.key_id,
        "role": entry.role,
        "orgId": entry.org_id,
        "agentId": entry.agent_id,
        "address": entry.address,
        "requestId": entry.request_id,
        "durationMs": entry.duration_ms,
        "suppressed": entry.suppressed,
    })
}
