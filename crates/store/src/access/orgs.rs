//! Organisations and their agents.

use chrono::{DateTime, Utc};
use deed_notify::EventType;
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::error::Error;
use crate::events::{NewEvent, tell};
use crate::records::Page;
use crate::store::Store;
use crate::tx::Tx;

/// An organisation: nobody sees another one's rows.
#[derive(Debug, Clone)]
pub struct Org {
    /// UUIDv7.
    pub id: Uuid,
    /// Unique on the server.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// An agent of an organisation.
#[derive(Debug, Clone)]
pub struct Agent {
    /// UUIDv7.
    pub id: Uuid,
    /// Its organisation.
    pub org_id: Uuid,
    /// Unique in the organisation.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

fn org(row: &Row) -> Org {
    Org { id: row.get(0), name: row.get(1), created_at: row.get(2) }
}

fn agent(row: &Row) -> Agent {
    Agent { id: row.get(0), org_id: row.get(1), name: row.get(2), created_at: row.get(3) }
}

/// Makes an organisation.
///
/// # Errors
/// [`Error::Conflict`] `org-exists` when the name is taken.
pub async fn create_org(tx: Tx<'_>, new: &Org) -> Result<(), Error> {
    let sql = "INSERT INTO orgs (id, name, created_at) VALUES ($1, $2, $3)";
    let inserted = tx.client.execute(sql, &[&new.id, &new.name, &new.created_at]).await;
    inserted.map_err(Error::from).map_err(|e| {
        if e.is_unique_violation() {
            Error::conflict("org-exists", format!("an organisation named {} exists", new.name))
        } else {
            e
        }
    })?;
    let data = json!({ "orgId": new.id, "name": new.name });
    tell(tx, &NewEvent::of(EventType::OrgCreated, Some(new.id), data)).await
}

/// Makes an agent.
///
/// # Errors
/// [`Error::Conflict`] `agent-exists`; [`Error::NotFound`] without the organisation.
pub async fn create_agent(tx: Tx<'_>, new: &Agent) -> Result<(), Error> {
    let sql = "INSERT INTO agents (id, org_id, name, created_at) VALUES ($1, $2, $3, $4)";
    let inserted =
        tx.client.execute(sql, &[&new.id, &new.org_id, &new.name, &new.created_at]).await;
    inserted.map_err(Error::from).map_err(|e| {
        if e.is_unique_violation() {
            Error::conflict("agent-exists", format!("an agent named {} exists", new.name))
        } else if e.is_foreign_key_violation() {
            Error::NotFound("organisation")
        } else {
            e
        }
    })?;
    let data = json!({ "agentId": new.id, "name": new.name });
    tell(tx, &NewEvent::of(EventType::AgentCreated, Some(new.org_id), data)).await
}

impl Store {
    /// One page of organisations, newest first.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn orgs(&self, before: Option<Uuid>, limit: usize) -> Result<Page<Org>, Error> {
        let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
        let rows = self.db.read("orgs", move |tx| {
            Box::pin(async move {
                let sql = "SELECT id, name, created_at FROM orgs
                           WHERE ($1::uuid IS NULL OR id < $1) ORDER BY id DESC LIMIT $2";
                Ok(tx.client.query(sql, &[&before, &most]).await?)
            })
        });
        Ok(Page::cut(rows.await?.iter().map(org).collect(), limit, |org| org.id))
    }

    /// One page of agents, newest first; of one organisation, or of all for the platform.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn agents(
        &self,
        org: Option<Uuid>,
        before: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<Agent>, Error> {
        let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
        let rows = self.db.read("agents", move |tx| {
            Box::pin(async move {
                let sql = "SELECT id, org_id, name, created_at FROM agents
                           WHERE ($1::uuid IS NULL OR org_id = $1)
                           AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3";
                Ok(tx.client.query(sql, &[&org, &before, &most]).await?)
            })
        });
        Ok(Page::cut(rows.await?.iter().map(agent).collect(), limit, |agent| agent.id))
    }

    /// Whether there is such an agent, in any organisation.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn is_agent(&self, agent: Uuid) -> Result<bool, Error> {
        self.db
            .read("is_agent", move |tx| {
                Box::pin(async move {
                    let sql = "SELECT EXISTS (SELECT FROM agents WHERE id = $1)";
                    let statement = tx.client.prepare_cached(sql).await?;
                    Ok(tx.client.query_one(&statement, &[&agent]).await?.get(0))
                })
            })
            .await
    }

    /// Whether an agent belongs to an organisation.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn is_agent_of(&self, agent: Uuid, org: Uuid) -> Result<bool, Error> {
        self.db
            .read("is_agent_of", move |tx| {
                Box::pin(async move {
                    let sql = "SELECT EXISTS (SELECT FROM agents WHERE id = $1 AND org_id = $2)";
                    let statement = tx.client.prepare_cached(sql).await?;
                    Ok(tx.client.query_one(&statement, &[&agent, &org]).await?.get(0))
                })
            })
            .await
    }
}
