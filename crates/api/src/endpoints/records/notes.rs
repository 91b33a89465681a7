//! `POST /v1/records/{id}/notes`: a correction never edits, it adds a signed entry.

use axum::extract::State;
use axum::http::StatusCode;
use bytes::Bytes;
use deed_chain::{base64url, body};
use deed_notify::EventType;
use deed_store::append::{Appended, Content, Extend, Extended};
use deed_store::random;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::view::{self, EntryView, RecordView, WrittenView};
use crate::auth::Caller;
use crate::body::Mutation;
use crate::problem::Problem;
use crate::query::Path;
use crate::reply::{Reply, render};
use crate::state::App;

/// Longest text of a note, in characters.
const LONGEST_TEXT: usize = 10_000;

/// A note.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    /// 1 to 10,000 characters.
    #[schema(example = "The amount was 12.50, not 125.0", min_length = 1, max_length = 10_000)]
    text: String,
    /// Anything structured that belongs to it.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    data: Option<Map<String, Value>>,
}

#[utoipa::path(
    post, path = "/v1/records/{id}/notes", tag = "Records", operation_id = "addNote",
    summary = "Append a signed note",
    params(("id" = Uuid, Path, description = "Record"), crate::openapi::IdempotencyKey),
    request_body = Note,
    responses(
        (status = 201, description = "The record with its new head, and the note's entry", body = WrittenView),
        (status = 404, description = "No such record for this key", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn add(
    State(app): State<App>,
    caller: Caller,
    Path(record): Path<Uuid>,
    Mutation { body: note, idempotency }: Mutation<Note>,
) -> Result<Reply, Problem> {
    let length = note.text.chars().count();
    if length == 0 || length > LONGEST_TEXT {
        return Err(Problem::unprocessable(
            "request-invalid",
            format!("a note's text has 1 to {LONGEST_TEXT} characters, this one {length}"),
            "Shorten the text, or put the detail into data.",
        ));
    }
    let now = app.store().clock().now();
    let body = note_body(note, &caller, &view::time(now));
    let (canonical, body_hash) = body::body_hash(&body);
    let org = caller.org();
    let item = Extend {
        record,
        content: Content::Note {
            org,
            body: (canonical, body_hash),
            event: EventType::RecordNoteAdded,
        },
        issued_at: now.timestamp(),
        idempotency,
        status: StatusCode::CREATED.as_u16(),
        render: Box::new(move |extended| answer(&caller, &body, extended)),
    };
    let done = match app.appender().extend(item).await? {
        Appended::Written(response) => Appended::Written(Bytes::from(response)),
        Appended::Replayed(replay) => Appended::Replayed(replay),
    };
    Reply::appended(StatusCode::CREATED, done)
}

fn note_body(note: Note, caller: &Caller, now: &str) -> Value {
    let mut fields = Map::new();
    fields.insert("text".to_owned(), note.text.into());
    if let Some(data) = note.data {
        fields.insert("data".to_owned(), data.into());
    }
    fields.insert("createdBy".to_owned(), json!(caller.key.id));
    fields.insert("createdAt".to_owned(), now.into());
    body::salted("note.added", &random::bytes(), fields)
}

fn answer(caller: &Caller, body: &Value, extended: &Extended) -> Vec<u8> {
    let record = &extended.record;
    let view = WrittenView {
        record: RecordView::summary(record),
        entry: EntryView {
            position: record.head_position,
            hash: record.head_hash,
            previous: extended.previous,
            signed_statement: base64url::encode(&extended.entry),
            body,
        },
        next_steps: Some(view::next_steps(caller, record)),
    };
    // Strings, numbers and maps with string keys always serialise.
    render(&view).unwrap_or_default()
}
