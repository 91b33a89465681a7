//! `GET /v1/records/{id}/signals`: what the verdicts on a record tell whoever settles.

use axum::extract::State;
use deed_chain::hash::Hash;
use deed_store::records::SettlementSignal;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::view::{EntryView, body_of};
use crate::auth::Caller;
use crate::problem::Problem;
use crate::query::Path;
use crate::reply::{Reply, ok};
use crate::state::App;

/// A settlement signal. It never moves anything: whoever pays or ships acts on it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SignalView<'a> {
    /// `SETTLE` (fulfilled), `HOLD` (failed) or `RELEASE` (a failure was overturned or made good).
    #[schema(example = "SETTLE")]
    signal: &'a str,
    /// Position of the entry that holds the verdict.
    position: i64,
    /// Hash of that entry.
    #[schema(value_type = String)]
    entry_hash: Hash,
    /// RFC 9679 thumbprint of the key that signed it, base64url: its `kid` among the published keys.
    key_thumbprint: String,
    /// The signed verdict itself. Not in the view of the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<EntryView<'a>>,
}

impl<'a> SignalView<'a> {
    pub(super) fn of(stored: &'a SettlementSignal) -> Self {
        Self {
            signal: &stored.signal,
            position: stored.verdict.position,
            entry_hash: stored.verdict.hash,
            key_thumbprint: stored.key_thumbprint.kid(),
            verdict: None,
        }
    }
}

/// The signals of a record, oldest first: one a verdict.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SignalsView<'a> {
    record_id: Uuid,
    items: Vec<SignalView<'a>>,
}

#[utoipa::path(
    get, path = "/v1/records/{id}/signals", tag = "Lifecycle", operation_id = "listSignals",
    summary = "Read a record's settlement signals, each with the signed verdict",
    params(("id" = Uuid, Path, description = "Record")),
    responses(
        (status = 200, description = "Every signal, oldest first; none before a verdict", body = SignalsView<'static>),
        (status = 404, description = "No such record for this key", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn signals(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Reply, Problem> {
    app.store().record_for(id, &caller.actor()).await?;
    let stored = app.store().signals(id).await?;
    let bodies = stored.iter().map(|one| body_of(&one.verdict)).collect::<Result<Vec<_>, _>>()?;
    let items = stored.iter().zip(&bodies).map(|(one, body)| {
        let verdict = Some(EntryView::stored(&one.verdict, body));
        SignalView { verdict, ..SignalView::of(one) }
    });
    ok(&SignalsView { record_id: id, items: items.collect() })
}
