//! `GET /v1/records/{id}/audit-export`: a document that verifies with public keys alone.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use deed_chain::bundle::Draft;
use deed_chain::entry::Entry;
use deed_store::random;
use deed_store::records::{Record, StoredEntry};
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::view::body_of;
use crate::auth::Caller;
use crate::problem::{Problem, internal_error};
use crate::query::{Path, Query};
use crate::reply::Reply;
use crate::state::App;
use crate::telemetry::in_request;

/// Most entries of one document, and most bytes of their statements and bodies: they bound the
/// memory that one request takes.
const MOST_ENTRIES: i64 = 20_000;
const MOST_BYTES: i64 = 32 << 20;
/// Entries read at a time.
const PAGE: i64 = 1_000;

/// What the document covers.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Coverage {
    /// The record alone.
    #[default]
    Record,
    /// The record and all that was delegated below it.
    Tree,
}

/// How much to export.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Export {
    /// `record` (default) or `tree`.
    #[serde(default)]
    #[param(inline)]
    scope: Coverage,
}

#[utoipa::path(
    get, path = "/v1/records/{id}/audit-export", tag = "Records", operation_id = "exportRecord",
    summary = "Export for offline verification",
    description = "Keep the document byte for byte: `deed verify FILE --keys KEYS` checks it without this server.",
    params(("id" = Uuid, Path, description = "Record"), Export),
    responses(
        (status = 200, description = "Export bundle, see docs/spec/export-bundle.md", body = Object),
        (status = 404, description = "No such record for this key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Too large for one document", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn export(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Query(export): Query<Export>,
) -> Result<Response, Problem> {
    let records = match export.scope {
        Coverage::Record => vec![app.store().record_for(id, &caller.actor()).await?],
        Coverage::Tree => app.store().tree(id, caller.org()).await?,
    };
    let chains = chains(&app, &records).await?;
    let keys = app.store().signing_keys().await?;
    let bytes = tokio::task::spawn_blocking(move || build(&app, id, chains, &keys))
        .await
        .map_err(|_| internal_error())??;
    let mut response = Reply::new(StatusCode::OK, bytes).into_response();
    let name = format!("attachment; filename=\"deed-export-{id}.json\"");
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// Every entry of every record, each chain up to the head that its row had when it was read.
async fn chains(app: &App, records: &[Record]) -> Result<Vec<(Uuid, Vec<StoredEntry>)>, Problem> {
    let total: i64 = records.iter().map(|record| record.head_position + 1).sum();
    if total > MOST_ENTRIES {
        return Err(too_large(&format!("{total} entries; a document has at most {MOST_ENTRIES}")));
    }
    let ids: Vec<Uuid> = records.iter().map(|record| record.id).collect();
    let bytes = app.store().chain_bytes(&ids).await?;
    if bytes > MOST_BYTES {
        return Err(too_large(&format!("{bytes} bytes; a document has at most {MOST_BYTES}")));
    }
    let mut chains = Vec::with_capacity(records.len());
    for record in records {
        let mut entries: Vec<StoredEntry> = Vec::new();
        let mut after = -1;
        while after < record.head_position {
            let page =
                app.store().entries(record.id, after, PAGE.min(record.head_position - after));
            entries.extend(page.await?);
            let newest = entries.last().map_or(-1, |entry| entry.position);
            if newest == after {
                in_request(
                    || tracing::error!(record = %record.id, after, "entries are missing in the vault"),
                );
                return Err(internal_error());
            }
            after = newest;
        }
        chains.push((record.id, entries));
    }
    Ok(chains)
}

fn too_large(what: &str) -> Problem {
    let detail = format!("the export would have {what}");
    Problem::new(StatusCode::CONFLICT, "export-too-large", detail)
        .hint("Export a record by itself instead of its tree, or read /entries page by page.")
}

fn build(
    app: &App,
    root: Uuid,
    chains: Vec<(Uuid, Vec<StoredEntry>)>,
    keys: &deed_chain::KeySet,
) -> Result<Vec<u8>, Problem> {
    let installation = app.store().installation();
    let mut records = Vec::with_capacity(chains.len());
    for (id, entries) in chains {
        let mut stored = Vec::with_capacity(entries.len());
        for entry in entries {
            let body = body_of(&entry)?;
            stored.push((Entry::from_bytes(entry.entry), Some(body)));
        }
        records.push((id, stored));
    }
    let genesis = Entry::from_bytes(installation.genesis_entry.clone());
    let genesis_body: Value =
        serde_json::from_slice(&installation.genesis_body).map_err(|_| internal_error())?;
    let damaged = |e: deed_chain::bundle::BuildError| {
        in_request(|| tracing::error!(error = %e, record = %root, "an export cannot be built"));
        internal_error()
    };
    let issuer = &installation.issuer;
    let draft = Draft::new(issuer, installation.id, (&genesis, genesis_body), root, records)
        .map_err(damaged)?;
    let signer = app.store().signer();
    let now = app.store().clock().now().timestamp();
    let (unsigned, body) =
        draft.export_statement(signer.thumbprint(), now, &random::bytes()).map_err(damaged)?;
    let statement = signer.complete(unsigned);
    Ok(draft.finish((&statement, body), keys).map_err(damaged)?.to_bytes())
}
