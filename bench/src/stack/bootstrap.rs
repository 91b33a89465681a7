//! From an empty database to an agent that may notarize.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::database::Database;
use super::server::Deed;
use crate::http::Client;

/// Name of the Type that the loads use.
pub(crate) const TYPE_NAME: &str = "bench-change-v1";
/// Name of a Type whose work the principal judges.
pub(crate) const WORK_TYPE: &str = "bench-work-v1";
/// Name of a Type whose work the rules judge.
pub(crate) const AUTO_TYPE: &str = "bench-work-auto-v1";
/// Criteria of about 600 bytes that fit it.
pub(crate) const CRITERIA: &str = include_str!("../../data/criteria.json");
const CRITERIA_SCHEMA: &str = include_str!("../../data/criteria-schema.json");
/// Issuer of every statement; no process listens there.
const ISSUER: &str = "https://bench.deed.example";

/// Access over HTTP.
pub(crate) struct Access {
    agent_key: String,
}

impl Access {
    /// The agent's API key; a secret.
    pub(crate) fn agent_key(&self) -> &str {
        &self.agent_key
    }
}

/// The environment of every `deed` process, with fresh secrets.
pub(crate) async fn environment(deed: &Deed, database: &Database) -> Result<Vec<(String, String)>> {
    let secrets = deed.output(&["keys", "generate"]).await?;
    let mut environment: Vec<(String, String)> = secrets
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.trim_matches(['"', '\'']).to_owned()))
        .collect();
    for (name, value) in [
        ("DATABASE_MIGRATION_URL", database.owner_url()),
        ("DATABASE_URL", database.app_url()),
        ("ISSUER_URL", ISSUER),
        ("HTTP_DRAIN_DELAY", "0s"),
    ] {
        environment.push((name.to_owned(), value.to_owned()));
    }
    Ok(environment)
}

/// Creates organisation, agent, the agent's key, and the Type.
pub(crate) async fn access(address: SocketAddr, platform_key: &str) -> Result<Access> {
    let mut platform = Client::new(address, platform_key);
    let org = platform.create("/v1/admin/orgs", &json!({"name": "bench"})).await?;
    let org = id_of(&org, "org")?;
    let agent = json!({"orgId": org, "name": "bench-agent"});
    let agent = platform.create("/v1/admin/agents", &agent).await?;
    let agent = id_of(&agent, "agent")?;
    let mut mint = async |body: Value| -> Result<String> {
        let minted = platform.create("/v1/admin/api-keys", &body).await?;
        Ok(minted["secret"].as_str().context("no secret in the answer")?.to_owned())
    };
    let admin = mint(json!({"role": "admin", "orgId": org, "label": "bench"})).await?;
    let agent_key =
        mint(json!({"role": "agent", "orgId": org, "agentId": agent, "label": "bench"})).await?;
    let schema: Value = serde_json::from_str(CRITERIA_SCHEMA)?;
    let mut admin = Client::new(address, &admin);
    admin.create("/v1/types", &json!({"name": TYPE_NAME, "recordSchema": schema})).await?;
    let mut work = work_type(WORK_TYPE);
    admin.create("/v1/types", &work).await?;
    work["name"] = json!(AUTO_TYPE);
    work["verdictMode"] = json!("auto");
    work["rulesConfig"] = json!({ "mappings": [{ "name": "quantity", "type": "number",
        "criteria": "/quantity", "evidence": "/quantity", "tolerance": { "percent": "5" } }] });
    admin.create("/v1/types", &work).await?;
    Ok(Access { agent_key })
}

fn work_type(name: &str) -> Value {
    json!({
        "name": name,
        "recordSchema": {
            "type": "object",
            "properties": { "what": { "type": "string" }, "quantity": { "type": "integer" } },
            "required": ["what", "quantity"], "additionalProperties": false
        },
        "completionSchema": {
            "type": "object",
            "properties": { "quantity": { "type": "integer" }, "reference": { "type": "string" } },
            "required": ["quantity", "reference"], "additionalProperties": false
        },
    })
}

/// The id of what was created, which is the answer itself or its member `name`.
fn id_of(answer: &Value, name: &str) -> Result<String> {
    let id = answer[name]["id"].as_str().or_else(|| answer["id"].as_str());
    Ok(id.with_context(|| format!("no id of {name} in the answer"))?.to_owned())
}
