//! Events about webhooks themselves.
//!
//! Architecture invariant: no delivery causes events without end. A webhook is not told about itself
//! (`fanout.rs`); a delivery causes an event at most when it opens or closes its endpoint's circuit, and
//! between two openings lie five failures, a pause and a success.

use deed_notify::EventType;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Webhook;
use crate::error::Error;
use crate::events::{NewEvent, tell};
use crate::tx::Tx;

/// Tells the organisation of a webhook what happened to it. `data` is an object; the webhook's id is added.
pub(super) async fn told(
    tx: Tx<'_>,
    event: EventType,
    webhook: Uuid,
    mut data: Value,
) -> Result<(), Error> {
    let statement = tx.client.prepare_cached("SELECT org_id FROM webhooks WHERE id = $1").await?;
    let row = tx.client.query_opt(&statement, &[&webhook]).await?;
    let org: Uuid = row.ok_or(Error::NotFound("webhook"))?.get(0);
    data["webhookId"] = json!(webhook);
    tell(tx, &NewEvent::of(event, Some(org), data)).await
}

/// What may be told of a webhook: its URL may be a secret of whoever made it.
pub(super) fn described(webhook: &Webhook) -> Value {
    json!({
        "eventTypes": webhook.event_types,
        "format": webhook.format.as_str(),
        "signingAlg": webhook.signing_alg.as_str(),
        "description": webhook.description,
    })
}
