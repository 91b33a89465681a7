//! One attempt at a transition: the way from a request of any lifecycle endpoint to its answer.

use std::sync::Arc;

use axum::http::StatusCode;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use deed_chain::base64url;
use deed_lifecycle::Action;
use deed_store::Error;
use deed_store::append::{Appended, Content, Extend, Extended};
use deed_store::idempotency::Idempotency;
use deed_store::records::Record;
use deed_store::transition::{Set, Transition};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::refusal::refused;
use super::steps;
use super::view::{EntryView, RecordView, WrittenView};
use crate::auth::Caller;
use crate::cache::LoadedType;
use crate::problem::Problem;
use crate::reply::{Reply, render};
use crate::state::App;

/// Longest message or reason, in characters.
const LONGEST_TEXT: usize = 2_000;

/// A record that somebody wants to change, as it was a moment ago.
pub(super) struct Attempt {
    pub(super) app: App,
    pub(super) caller: Caller,
    pub(super) record: Record,
    pub(super) loaded: Arc<LoadedType>,
    pub(super) now: DateTime<Utc>,
    idempotency: Option<Idempotency>,
}

/// The version of the Type that a record was made with.
pub(super) async fn loaded(app: &App, record: &Record) -> Result<Arc<LoadedType>, Problem> {
    let (org, name, version) = (record.org_id, &record.type_name, record.type_version);
    app.types().version(app.store(), org, name, version).await
}

impl Attempt {
    /// Reads the record.
    ///
    /// # Errors
    /// 404 for one that the caller cannot see.
    pub(super) async fn open(
        app: App,
        caller: Caller,
        record: Uuid,
        idempotency: Option<Idempotency>,
    ) -> Result<Self, Problem> {
        let record = app.store().record_for(record, &caller.actor()).await?;
        let loaded = loaded(&app, &record).await?;
        let now = app.store().clock().now();
        Ok(Self { app, caller, record, loaded, now, idempotency })
    }

    /// Refuses, unless the request was carried out before under its key.
    pub(super) async fn refuse(&self, problem: Problem) -> Result<Reply, Problem> {
        Reply::or_answered_before(&self.app, self.idempotency.as_ref(), problem).await
    }

    /// Carries it out. What the state machine refuses already on the row as it was read costs no
    /// lock and no transaction; what it allows is decided again on the row under its lock.
    pub(super) async fn run(
        self,
        action: Action,
        fields: Map<String, Value>,
        set: Set,
    ) -> Result<Reply, Problem> {
        let actor = self.caller.actor();
        let transition = Transition { actor, action, fields, set, concerning: None, at: self.now };
        if let Err(error) = transition.check(&self.record) {
            let problem = self.problem(error);
            return self.refuse(problem).await;
        }
        let status = StatusCode::OK;
        let (caller, loaded, now) = (self.caller.clone(), Arc::clone(&self.loaded), self.now);
        let item = Extend {
            record: self.record.id,
            content: Content::Transition(Box::new(transition)),
            issued_at: now.timestamp(),
            idempotency: self.idempotency.clone(),
            status: status.as_u16(),
            render: Box::new(move |extended| answer(&caller, extended, &loaded, now)),
        };
        let done = match self.app.appender().extend(item).await {
            Ok(Appended::Written(response)) => Appended::Written(Bytes::from(response)),
            Ok(Appended::Replayed(replay)) => Appended::Replayed(replay),
            Err(error) => return Err(self.problem(error)),
        };
        Reply::appended(status, done)
    }

    fn problem(&self, error: Error) -> Problem {
        match error {
            Error::Refused(refusal) => refused(&self.caller, &refusal, &self.loaded, self.now),
            other => other.into(),
        }
    }
}

fn answer(
    caller: &Caller,
    extended: &Extended,
    loaded: &LoadedType,
    now: DateTime<Utc>,
) -> Vec<u8> {
    let record = &extended.record;
    // The server itself wrote the body a moment ago.
    let body: Value = serde_json::from_slice(&extended.body).unwrap_or_default();
    let view = WrittenView {
        record: RecordView::summary(record),
        entry: EntryView {
            position: record.head_position,
            hash: record.head_hash,
            previous: extended.previous,
            signed_statement: base64url::encode(&extended.entry),
            body: &body,
        },
        next_steps: Some(steps::all(caller, record, loaded, now)),
    };
    // Strings, numbers and maps with string keys always serialise.
    render(&view).unwrap_or_default()
}

/// A field of free text, if it is there: 1 to 2,000 characters.
pub(super) fn with_text(
    fields: &mut Map<String, Value>,
    name: &'static str,
    text: Option<String>,
) -> Result<(), Problem> {
    let Some(text) = text else { return Ok(()) };
    let length = text.chars().count();
    if length == 0 || length > LONGEST_TEXT {
        return Err(Problem::unprocessable(
            "request-invalid",
            format!("{name} has 1 to {LONGEST_TEXT} characters, this one {length}"),
            "Shorten it, or leave it out where it may be left out.",
        ));
    }
    fields.insert(name.to_owned(), text.into());
    Ok(())
}
