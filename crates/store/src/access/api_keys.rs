//! API keys: only a keyed hash is stored; the key itself is shown once.

use chrono::{DateTime, Utc};
use deed_notify::EventType;
use serde_json::{Map, Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::error::Error;
use crate::events::{NewEvent, tell, time};
use crate::records::Page;
use crate::store::Store;
use crate::tx::Tx;

/// What a key may act for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// One agent of one organisation.
    Agent,
    /// One organisation.
    Admin,
    /// The server.
    Platform,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Agent, Self::Admin, Self::Platform];

    /// Its name in the database and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Admin => "admin",
            Self::Platform => "platform",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// A key as the server knows it: everything but the key.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// UUIDv7.
    pub id: Uuid,
    /// Role.
    pub role: Role,
    /// Organisation; none for the platform.
    pub org_id: Option<Uuid>,
    /// Agent, for the role agent.
    pub agent_id: Option<Uuid>,
    /// For people.
    pub label: String,
    /// Name of the set of scopes it has.
    pub scope_profile: String,
    /// The key's first characters, to tell keys apart.
    pub hint: String,
    /// When it was minted.
    pub created_at: DateTime<Utc>,
    /// Until when it works.
    pub expires_at: Option<DateTime<Utc>>,
    /// Since when it does not work any more.
    pub revoked_at: Option<DateTime<Utc>>,
    /// The key that replaces it after a rotation.
    pub replaced_by: Option<Uuid>,
}

/// A key to mint.
#[derive(Clone)]
pub struct NewApiKey {
    /// What will be stored.
    pub key: ApiKey,
    /// HMAC-SHA-256 of the key.
    pub key_hash: [u8; 32],
}

const COLUMNS: &str = "id, role, org_id, agent_id, label, scope_profile, hint, created_at, \
    expires_at, revoked_at, replaced_by";

impl ApiKey {
    /// Whether the key works at this time.
    #[must_use]
    pub fn is_valid_at(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none_or(|at| now < at) && self.expires_at.is_none_or(|at| now < at)
    }

    fn from_row(row: &Row) -> Result<Self, Error> {
        let role: &str = row.get(1);
        Ok(Self {
            id: row.get(0),
            role: Role::parse(role).ok_or_else(|| Error::Damaged(format!("role {role}")))?,
            org_id: row.get(2),
            agent_id: row.get(3),
            label: row.get(4),
            scope_profile: row.get(5),
            hint: row.get(6),
            created_at: row.get(7),
            expires_at: row.get(8),
            revoked_at: row.get(9),
            replaced_by: row.get(10),
        })
    }
}

/// Stores a new key.
///
/// # Errors
/// [`Error::NotFound`] when the organisation or the agent (of that organisation) does not exist.
pub async fn mint(tx: Tx<'_>, new: &NewApiKey) -> Result<(), Error> {
    insert(tx, new).await?;
    tell(tx, &NewEvent::of(EventType::ApiKeyMinted, new.key.org_id, told(&new.key).into())).await
}

/// What its event says of a new key.
fn told(key: &ApiKey) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("apiKeyId".to_owned(), json!(key.id));
    data.insert("role".to_owned(), key.role.as_str().into());
    data.insert("label".to_owned(), key.label.clone().into());
    data.insert("scopeProfile".to_owned(), key.scope_profile.clone().into());
    if let Some(agent) = key.agent_id {
        data.insert("agentId".to_owned(), json!(agent));
    }
    if let Some(end) = key.expires_at {
        data.insert("expiresAt".to_owned(), time(end).into());
    }
    data
}

async fn insert(tx: Tx<'_>, new: &NewApiKey) -> Result<(), Error> {
    let k = &new.key;
    if let (Some(agent), Some(org)) = (k.agent_id, k.org_id) {
        let sql = "SELECT FROM agents WHERE id = $1 AND org_id = $2";
        tx.client.query_opt(sql, &[&agent, &org]).await?.ok_or(Error::NotFound("agent"))?;
    }
    let sql = "INSERT INTO api_keys (id, role, org_id, agent_id, label, scope_profile, hint,
                   created_at, expires_at, key_hash)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let inserted = tx
        .client
        .execute(
            sql,
            &[
                &k.id,
                &k.role.as_str(),
                &k.org_id,
                &k.agent_id,
                &k.label,
                &k.scope_profile,
                &k.hint,
                &k.created_at,
                &k.expires_at,
                &new.key_hash.as_slice(),
            ],
        )
        .await;
    inserted.map_err(Error::from).map_err(|e| {
        if e.is_foreign_key_violation() { Error::NotFound("organisation") } else { e }
    })?;
    Ok(())
}

/// Ends a key. A second revocation keeps the time of the first.
///
/// # Errors
/// Those of a statement.
pub async fn revoke(tx: Tx<'_>, id: Uuid, now: DateTime<Utc>) -> Result<(), Error> {
    let sql = "UPDATE api_keys SET revoked_at = $2
               WHERE id = $1 AND (revoked_at IS NULL OR revoked_at > $2) RETURNING org_id";
    let Some(row) = tx.client.query_opt(sql, &[&id, &now]).await? else { return Ok(()) };
    let data = json!({ "apiKeyId": id });
    tell(tx, &NewEvent::of(EventType::ApiKeyRevoked, row.get(0), data)).await
}

/// Makes sure in the transaction itself that the key that mints or rotates still works, whatever a
/// process remembers of it, and that it is not revoked before the transaction ends.
///
/// # Errors
/// [`Error::Conflict`] `caller-ended`.
pub async fn confirm(tx: Tx<'_>, caller: Uuid, now: DateTime<Utc>) -> Result<(), Error> {
    let sql = format!("SELECT FROM api_keys WHERE id = $1 AND {WORKS} FOR SHARE");
    let found = tx.client.query_opt(&sql, &[&caller, &now]).await?;
    let ended =
        || Error::conflict("caller-ended", "the calling API key has expired or was revoked");
    found.map(|_| ()).ok_or_else(ended)
}

/// Condition that a key works at the time `$2`.
const WORKS: &str = "(revoked_at IS NULL OR revoked_at > $2)
    AND (expires_at IS NULL OR expires_at > $2)";

/// Replaces a key: the new one works at once, the old one until `until`.
///
/// # Errors
/// [`Error::Conflict`] `api-key-replaced` when the old one was replaced or ended before.
pub async fn rotate(
    tx: Tx<'_>,
    old: Uuid,
    new: &NewApiKey,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<(), Error> {
    insert(tx, new).await?;
    let sql = format!(
        "UPDATE api_keys SET replaced_by = $3, expires_at = least(expires_at, $4)
         WHERE id = $1 AND replaced_by IS NULL AND {WORKS}"
    );
    if tx.client.execute(&sql, &[&old, &now, &new.key.id, &until]).await? == 0 {
        return Err(Error::conflict("api-key-replaced", "this key was rotated or ended before"));
    }
    let mut data = told(&new.key);
    data.insert("replaces".to_owned(), json!(old));
    data.insert("graceUntil".to_owned(), time(until).into());
    tell(tx, &NewEvent::of(EventType::ApiKeyRotated, new.key.org_id, data.into())).await
}

impl Store {
    /// Whose key has this hash. Expired and revoked keys are given too: the caller decides.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn api_key_by_hash(&self, key_hash: [u8; 32]) -> Result<Option<ApiKey>, Error> {
        let row = self.db.read("api_key_by_hash", move |tx| {
            Box::pin(async move {
                let sql = format!("SELECT {COLUMNS} FROM api_keys WHERE key_hash = $1");
                let statement = tx.client.prepare_cached(&sql).await?;
                Ok(tx.client.query_opt(&statement, &[&key_hash.as_slice()]).await?)
            })
        });
        row.await?.as_ref().map(ApiKey::from_row).transpose()
    }

    /// A key by id; another organisation's is not found. `org` is `None` for the platform.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of a read.
    pub async fn api_key(&self, id: Uuid, org: Option<Uuid>) -> Result<ApiKey, Error> {
        let row = self.db.read("api_key", move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {COLUMNS} FROM api_keys
                     WHERE id = $1 AND ($2::uuid IS NULL OR org_id = $2)"
                );
                Ok(tx.client.query_opt(&sql, &[&id, &org]).await?)
            })
        });
        ApiKey::from_row(&row.await?.ok_or(Error::NotFound("API key"))?)
    }

    /// Stores a new key outside of any request.
    ///
    /// # Errors
    /// Those of [`mint`].
    pub async fn mint(&self, new: NewApiKey) -> Result<(), Error> {
        self.db
            .run_tx("mint", move |tx| {
                let new = new.clone();
                Box::pin(async move { mint(tx, &new).await })
            })
            .await
    }

    /// One page of keys, newest first; of one organisation, or of all for the platform.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn api_keys(
        &self,
        org: Option<Uuid>,
        before: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<ApiKey>, Error> {
        let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
        let rows = self.db.read("api_keys", move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {COLUMNS} FROM api_keys WHERE ($1::uuid IS NULL OR org_id = $1)
                     AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3"
                );
                Ok(tx.client.query(&sql, &[&org, &before, &most]).await?)
            })
        });
        let keys = rows.await?.iter().map(ApiKey::from_row).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::cut(keys, limit, |key| key.id))
    }
}
