//! The operational audit log: which requests leave an entry, and how it is written.
//!
//! * Each request of an administrator or of the platform, reads among them.
//! * Each request that was refused for its key (401) or its scope (403), as far as a bound per second.
//! * No other request of an agent: what agents write is in the vault.

mod ocsf;
mod writer;

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use deed_store::access::{ApiKey, Role};
use deed_store::audit_log::{AuditEntry, Phase};
use deed_store::{Store, random};
use tokio::time::Instant;

pub(crate) use ocsf::ocsf;

use crate::auth::{Caller, NotAdmitted};
use crate::config::AuditFailure;
use crate::problem::{Problem, ProblemKind};
use crate::serve::Peer;
use crate::state::App;
use crate::telemetry::Observed;
use writer::Writer;

/// Longest part of a path that is kept, in bytes.
const LONGEST_PATH: usize = 512;
/// Refusals of one moment that are written, and how many more each second.
const REFUSALS: f64 = 200.0;
const REFUSALS_PER_SECOND: f64 = 20.0;

/// The log of one process.
pub(crate) struct AuditLog {
    writer: Writer,
    store: Store,
    failure: AuditFailure,
    refusals: Mutex<Bound>,
}

/// A bound on the refusals that are written: whoever tries keys must not fill the log.
struct Bound {
    left: f64,
    at: Instant,
    suppressed: i32,
}

impl Bound {
    /// Whether one more may be written, with how many could not be before.
    fn take(&mut self, now: Instant) -> Option<i32> {
        let passed = now.duration_since(self.at).as_secs_f64();
        (self.left, self.at) = ((self.left + passed * REFUSALS_PER_SECOND).min(REFUSALS), now);
        if self.left < 1.0 {
            self.suppressed = self.suppressed.saturating_add(1);
            return None;
        }
        self.left -= 1.0;
        Some(std::mem::take(&mut self.suppressed))
    }
}

impl AuditLog {
    pub(crate) fn start(store: &Store, failure: AuditFailure) -> Self {
        let refusals = Bound { left: REFUSALS, at: Instant::now(), suppressed: 0 };
        Self {
            writer: Writer::start(store.clone()),
            store: store.clone(),
            failure,
            refusals: Mutex::new(refusals),
        }
    }

    /// Notes a request that was not let in.
    pub(crate) fn refused(
        &self,
        app: &App,
        observed: &Observed,
        request: &Request,
        refused: &NotAdmitted,
    ) {
        let status = refused.problem.status;
        if status != StatusCode::UNAUTHORIZED && status != StatusCode::FORBIDDEN {
            return;
        }
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(suppressed) = refusals.take(Instant::now()) else {
            metrics::counter!("deed_audit_refusals_suppressed_total").increment(1);
            return;
        };
        drop(refusals);
        let mut entry = entry(app, observed, request, refused.key.as_deref());
        entry.status = Some(status);
        entry.problem = Some(refused.problem.kind.clone());
        entry.suppressed = suppressed;
        self.writer.add(Box::new(entry));
    }

    /// Until what was added so far is written, or cannot be.
    pub(crate) async fn flush(&self) {
        self.writer.flush().await;
    }
}

/// An administrative request under way. Dropped before its end (the client went away, a panic) it leaves an
/// entry without a status.
pub(crate) struct Trail {
    app: App,
    entry: Option<Box<AuditEntry>>,
    started: Instant,
}

impl Trail {
    /// Begins the trail of a request, if it has to leave one.
    pub(crate) fn begin(
        app: &App,
        observed: &Observed,
        request: &Request,
        caller: &Caller,
    ) -> Option<Self> {
        if caller.key.role == Role::Agent {
            return None;
        }
        let entry = Box::new(entry(app, observed, request, Some(&caller.key)));
        Some(Self { app: app.clone(), entry: Some(entry), started: Instant::now() })
    }

    /// Writes down that the request is about to be worked on, where it must not be without that.
    ///
    /// # Errors
    /// 503 when the log cannot be written.
    pub(crate) async fn permit(&self) -> Result<(), Problem> {
        let log = self.app.audit();
        let Some(entry) = self.entry.as_ref().filter(|_| log.failure == AuditFailure::Refuse)
        else {
            return Ok(());
        };
        let id = random::uuid_v7(entry.occurred_at);
        let attempt = AuditEntry { id, phase: Phase::Attempt, ..(**entry).clone() };
        log.store.append_audit(Arc::new(vec![attempt])).await.map_err(|error| {
            metrics::counter!("deed_audit_log_failures_total").increment(1);
            tracing::error!(%error, "the audit log cannot be written: administrative requests are refused");
            unwritable()
        })
    }

    /// Notes the answer.
    pub(crate) fn end(mut self, response: &Response) {
        if let Some(mut entry) = self.entry.take() {
            entry.status = Some(response.status().as_u16());
            entry.problem = response.extensions().get::<ProblemKind>().map(|kind| kind.0.clone());
            self.add(entry);
        }
    }

    fn add(&self, mut entry: Box<AuditEntry>) {
        entry.duration_ms = i32::try_from(self.started.elapsed().as_millis()).ok();
        self.app.audit().writer.add(entry);
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.add(entry);
        }
    }
}

fn entry(app: &App, observed: &Observed, request: &Request, key: Option<&ApiKey>) -> AuditEntry {
    let now = app.store().clock().now();
    AuditEntry {
        id: random::uuid_v7(now),
        occurred_at: now,
        phase: Phase::Outcome,
        method: request.method().as_str().chars().take(16).collect(),
        route: observed.route().to_owned(),
        path: cut(request.uri().path()).to_owned(),
        status: None,
        problem: None,
        key_id: key.map(|key| key.id),
        role: key.map(|key| key.role.as_str().to_owned()),
        org_id: key.and_then(|key| key.org_id),
        agent_id: key.and_then(|key| key.agent_id),
        address: request.extensions().get::<Peer>().map(|peer| peer.0.ip().to_string()),
        request_id: observed.request_id().to_str().unwrap_or_default().to_owned(),
        duration_ms: None,
        suppressed: 0,
    }
}

/// A path in a URI is ASCII.
fn cut(path: &str) -> &str {
    path.get(..LONGEST_PATH).unwrap_or(path)
}

fn unwritable() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "audit-log-unavailable",
        "the audit log cannot be written, and administrative requests are not served without it",
    )
    .hint("Try again; an operator finds the cause in the server's log.")
    .retry_after(5)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn refusals_are_bounded_and_what_was_left_out_is_counted() {
        let start = Instant::now();
        let mut bound = Bound { left: REFUSALS, at: start, suppressed: 0 };
        let written = (0..1000).filter(|_| bound.take(start).is_some()).count();
        assert_eq!(written, 200);
        assert_eq!(bound.take(start + Duration::from_secs(1)), Some(800));
        assert_eq!(bound.take(start + Duration::from_secs(1)), Some(0));
        let later = start + Duration::from_secs(3600);
        assert_eq!((0..1000).filter(|_| bound.take(later).is_some()).count(), 200);
    }
}
