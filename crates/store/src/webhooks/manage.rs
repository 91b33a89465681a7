//! Making, reading and changing webhooks.

use chrono::{DateTime, Utc};
use deed_notify::EventType;
use serde_json::json;
use uuid::Uuid;

use super::told::{described, told};
use super::{COLUMNS, MOST_WEBHOOKS, WAKE, Webhook};
use crate::error::Error;
use crate::events::time;
use crate::records::Page;
use crate::store::Store;
use crate::tx::Tx;

/// Deliveries that a look at a backlog counts at most.
const MOST_COUNTED: i64 = 10_000;

/// What is left to do for an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Deliveries that are pending, of 10,000 at most.
    pub pending: u64,
    /// Deliveries that were given up and not replayed, of 10,000 at most.
    pub dead: u64,
}

impl Store {
    /// One webhook; another organisation's is not found. `org` is `None` for the platform.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of a read.
    pub async fn webhook(&self, id: Uuid, org: Option<Uuid>) -> Result<Webhook, Error> {
        let row = self.db.read("webhook", move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {COLUMNS} FROM webhooks w JOIN webhook_endpoints e ON e.webhook_id = w.id
                     WHERE w.id = $1 AND w.deleted_at IS NULL AND ($2::uuid IS NULL OR w.org_id = $2)"
                );
                Ok(tx.client.query_opt(&sql, &[&id, &org]).await?)
            })
        });
        Webhook::from_row(&row.await?.ok_or(Error::NotFound("webhook"))?)
    }

    /// One page of the webhooks of an organisation, newest first.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn webhooks(
        &self,
        org: Uuid,
        before: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<Webhook>, Error> {
        let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
        let rows = self.db.read("webhooks", move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {COLUMNS} FROM webhooks w JOIN webhook_endpoints e ON e.webhook_id = w.id
                     WHERE w.org_id = $1 AND w.deleted_at IS NULL AND ($2::uuid IS NULL OR w.id < $2)
                     ORDER BY w.id DESC LIMIT $3"
                );
                Ok(tx.client.query(&sql, &[&org, &before, &most]).await?)
            })
        });
        let all = rows.await?.iter().map(Webhook::from_row).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::cut(all, limit, |webhook| webhook.id))
    }

    /// How much is left to do for a webhook.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn webhook_backlog(&self, id: Uuid) -> Result<Backlog, Error> {
        let sql = "
            SELECT (SELECT count(*) FROM (SELECT FROM webhook_deliveries
                    WHERE webhook_id = $1 AND state = 'pending' LIMIT $2) p),
                (SELECT count(*) FROM (SELECT FROM webhook_deliveries
                    WHERE webhook_id = $1 AND state = 'dead' LIMIT $2) d)";
        let row = self.db.read("webhook_backlog", move |tx| {
            Box::pin(async move { Ok(tx.client.query_one(sql, &[&id, &MOST_COUNTED]).await?) })
        });
        let row = row.await?;
        let count = |i| row.get::<_, i64>(i).unsigned_abs();
        Ok(Backlog { pending: count(0), dead: count(1) })
    }
}

/// Stores a new webhook with its sealed secret.
///
/// # Errors
/// [`Error::NotFound`] when there is no such organisation, [`Error::Conflict`] `too-many-webhooks`.
pub async fn create(tx: Tx<'_>, new: &Webhook, secret: Option<&[u8]>) -> Result<(), Error> {
    // Two at once wait here, so that neither passes the bound.
    let lock = "SELECT pg_advisory_xact_lock(hashtextextended('deed.webhooks ' || $1::text, 0))";
    tx.client.execute(lock, &[&new.org_id.to_string()]).await?;
    let org = "SELECT FROM orgs WHERE id = $1";
    tx.client.query_opt(org, &[&new.org_id]).await?.ok_or(Error::NotFound("organisation"))?;
    let count = "SELECT count(*) FROM webhooks WHERE org_id = $1 AND deleted_at IS NULL";
    if tx.client.query_one(count, &[&new.org_id]).await?.get::<_, i64>(0) >= MOST_WEBHOOKS {
        let detail = format!("the organisation has {MOST_WEBHOOKS} webhooks already");
        return Err(Error::conflict("too-many-webhooks", detail));
    }
    let sql = "INSERT INTO webhooks (id, org_id, created_by, description, url, event_types, format,
                   signing_alg, secret, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 10] = [
        &new.id,
        &new.org_id,
        &new.created_by,
        &new.description,
        &new.url,
        &new.event_types,
        &new.format.as_str(),
        &new.signing_alg.as_str(),
        &secret,
        &new.created_at,
    ];
    tx.client.execute(sql, &parameters).await?;
    let sql = "INSERT INTO webhook_endpoints (webhook_id) VALUES ($1)";
    tx.client.execute(sql, &[&new.id]).await?;
    told(tx, EventType::WebhookCreated, new.id, described(new)).await
}

/// Replaces URL, event types, format and description. A new URL is a new endpoint: its circuit is closed.
///
/// # Errors
/// [`Error::NotFound`] when it was deleted meanwhile.
pub async fn update(tx: Tx<'_>, changed: &Webhook) -> Result<(), Error> {
    let sql = "
        UPDATE webhooks w SET url = $2, event_types = $3, format = $4, description = $5
        FROM (SELECT id, url FROM webhooks WHERE id = $1 FOR UPDATE) old
        WHERE w.id = $1 AND w.deleted_at IS NULL RETURNING old.url <> $2";
    let format = changed.format.as_str();
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&changed.id, &changed.url, &changed.event_types, &format, &changed.description];
    let row = tx.client.query_opt(sql, &parameters).await?.ok_or(Error::NotFound("webhook"))?;
    let moved: bool = row.get(0);
    if moved {
        close_circuit(tx, changed.id).await?;
    }
    let mut data = described(changed);
    data["urlChanged"] = json!(moved);
    told(tx, EventType::WebhookChanged, changed.id, data).await
}

async fn close_circuit(tx: Tx<'_>, id: Uuid) -> Result<(), Error> {
    let sql = "UPDATE webhook_endpoints SET circuit = 'closed', failures = 0 WHERE webhook_id = $1";
    tx.client.execute(sql, &[&id]).await?;
    wake(tx, id).await
}

/// Has a worker look at an endpoint.
pub(super) async fn wake(tx: Tx<'_>, id: Uuid) -> Result<(), Error> {
    let sql = format!("UPDATE webhook_endpoints SET {WAKE} WHERE webhook_id = $1");
    tx.client.execute(&sql, &[&id]).await?;
    Ok(())
}

/// Ends a webhook: nothing is delivered any more but what is under way.
///
/// # Errors
/// Those of a statement.
pub async fn delete(tx: Tx<'_>, id: Uuid, now: DateTime<Utc>) -> Result<(), Error> {
    let sql = "UPDATE webhooks SET deleted_at = $2 WHERE id = $1 AND deleted_at IS NULL";
    if tx.client.execute(sql, &[&id, &now]).await? == 0 {
        return Ok(());
    }
    stop(tx, id, now).await?;
    told(tx, EventType::WebhookDeleted, id, json!({})).await
}

/// Delivers nothing until [`resume`]; events go on being collected.
///
/// # Errors
/// Those of a statement.
pub async fn pause(tx: Tx<'_>, id: Uuid, now: DateTime<Utc>) -> Result<(), Error> {
    if stop(tx, id, now).await? {
        told(tx, EventType::WebhookPaused, id, json!({})).await?;
    }
    Ok(())
}

/// Whether something was delivered before.
async fn stop(tx: Tx<'_>, id: Uuid, now: DateTime<Utc>) -> Result<bool, Error> {
    let sql = "UPDATE webhook_endpoints SET paused_at = $2,
        due_at = CASE WHEN leased THEN due_at END WHERE webhook_id = $1 AND paused_at IS NULL";
    Ok(tx.client.execute(sql, &[&id, &now]).await? > 0)
}

/// Delivers again, with a closed circuit.
///
/// # Errors
/// [`Error::NotFound`] when it was deleted meanwhile.
pub async fn resume(tx: Tx<'_>, id: Uuid) -> Result<(), Error> {
    let sql = "UPDATE webhook_endpoints SET paused_at = NULL WHERE webhook_id = $1
        AND EXISTS (SELECT FROM webhooks WHERE id = $1 AND deleted_at IS NULL)";
    if tx.client.execute(sql, &[&id]).await? == 0 {
        return Err(Error::NotFound("webhook"));
    }
    close_circuit(tx, id).await?;
    told(tx, EventType::WebhookResumed, id, json!({})).await
}

/// A new secret.
#[derive(Clone)]
pub struct Rotation {
    /// Sealed.
    pub secret: Vec<u8>,
    /// Until when the old one signs too.
    pub previous_until: DateTime<Utc>,
}

impl std::fmt::Debug for Rotation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rotation").field("until", &self.previous_until).finish_non_exhaustive()
    }
}

/// Replaces the secret. One that is in its time of grace already stops signing at once.
///
/// # Errors
/// [`Error::NotFound`] when it was deleted meanwhile or has no secret.
pub async fn rotate(tx: Tx<'_>, id: Uuid, new: &Rotation) -> Result<(), Error> {
    let sql = "UPDATE webhooks SET previous_secret = secret, previous_until = $3, secret = $2
        WHERE id = $1 AND deleted_at IS NULL AND secret IS NOT NULL";
    let rotated = tx.client.execute(sql, &[&id, &new.secret, &new.previous_until]).await?;
    if rotated == 0 {
        return Err(Error::NotFound("webhook"));
    }
    let data = json!({ "graceUntil": time(new.previous_until) });
    told(tx, EventType::WebhookSecretRotated, id, data).await
}
