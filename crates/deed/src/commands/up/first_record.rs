//! The first record: notarized over HTTP with a key as anybody has one, and verified offline.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use deed_chain::key::PublicKey;
use deed_chain::key_set::KeySet;
use deed_chain::verify::{Verdict, verify};
use serde_json::{Value, json};

use super::client::Client;
use super::folder::Folder;

const RECORD: &str = "first-record";
const AGENT_KEY: &str = "secrets/agent-key";
pub(super) const EXPORT: &str = "export.json";
pub(super) const KEYS: &str = "keys.json";

/// What was found out about the first record.
pub(super) struct Verified {
    pub(super) id: String,
    pub(super) position: u64,
    pub(super) hash: String,
    pub(super) signatures: u64,
}

/// Whether an earlier run has made the first record.
pub(super) fn exists(folder: &Folder) -> Result<bool> {
    Ok(folder.read(RECORD)?.is_some() && folder.read(AGENT_KEY)?.is_some())
}

/// Makes an organisation with an agent, and notarizes a record as that agent.
pub(super) async fn make(folder: &Folder, address: SocketAddr, platform_key: &str) -> Result<()> {
    let platform = Client { address, key: platform_key.to_owned() };
    // A run that was cut short may have left one of this name.
    let name = format!("My organisation ({:x})", u32::from_be_bytes(deed_store::random::bytes()));
    let org = platform.post("/v1/admin/orgs", &json!({ "name": name })).await?;
    let agent = json!({ "orgId": org["id"], "name": "first-agent" });
    let agent = platform.post("/v1/admin/agents", &agent).await?;
    let key = json!({
        "role": "agent", "orgId": org["id"], "agentId": agent["id"],
        "label": "made by the first deed up",
    });
    let key = platform.post("/v1/admin/api-keys", &key).await?;
    let key = text(&key["secret"])?;

    let record = json!({
        "type": "notarize-generic-v1",
        "criteria": { "summary": "Started Deed for the first time" },
    });
    let agent = Client { address, key: key.to_owned() };
    let written = agent.post("/v1/records", &record).await?;
    folder.write(AGENT_KEY, key.as_bytes())?;
    folder.write(RECORD, text(&written["record"]["id"])?.as_bytes())
}

/// Fetches the export of the first record and the public keys, and verifies the one against the
/// other, trusting nothing but `genesis`, the key that signed the genesis statement.
pub(super) async fn check(
    folder: &Folder,
    address: SocketAddr,
    genesis: &PublicKey,
) -> Result<Verified> {
    let id = folder.read(RECORD)?.context("there is no first record")?;
    let key = folder.read(AGENT_KEY)?.context("there is no agent key")?;
    let client = Client { address, key };
    let keys = client.get("/.well-known/deed-vault-keys.json").await?;
    let export = client.get(&format!("/v1/records/{id}/audit-export")).await?;
    folder.write(KEYS, &keys)?;
    folder.write(EXPORT, &export)?;

    let published = KeySet::parse(&keys).context("the published keys")?;
    if !published.contains(&genesis.thumbprint()) {
        bail!("the published keys lack the one that signed the genesis statement");
    }
    let report = verify(&export, Some(&KeySet::from_iter([genesis.clone()])));
    match report.verdict {
        Verdict::Valid => {}
        Verdict::Tampered { failure } => {
            bail!("the first record is not what was signed: {failure}")
        }
        Verdict::CannotTell { reason } => bail!("the first record cannot be verified: {reason}"),
    }
    let export: Value = serde_json::from_slice(&export).context("the export")?;
    let newest = export["records"][0]["entries"].as_array().and_then(|entries| entries.last());
    let newest = newest.context("the export has no entry")?;
    Ok(Verified {
        id,
        position: newest["position"].as_u64().context("the export has no position")?,
        hash: text(&newest["hash"])?.to_owned(),
        signatures: report.checked.signatures,
    })
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().with_context(|| format!("a text was expected, not {value}"))
}
