//! Who and what a test begins with.

use serde_json::{Value, json};

use super::TestApp;

/// An organisation with a key of each role.
pub struct Org {
    pub id: String,
    pub agent_id: String,
    /// An admin key with every scope of the organisation.
    pub admin: String,
    /// A full key of the agent.
    pub agent: String,
}

/// A valid request for a record of the seeded Type.
pub fn record(summary: &str) -> Value {
    json!({ "type": "notarize-generic-v1", "criteria": { "summary": summary } })
}

/// A string member that must be there.
#[track_caller]
pub fn text(value: &Value, pointer: &str) -> String {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no string at {pointer} of {value}")).to_owned()
}

impl TestApp {
    pub async fn org(&self, name: &str) -> Org {
        let made = self.post(&self.platform, "/v1/admin/orgs", json!({ "name": name })).await;
        let id = text(&made.ok(201), "/id");
        let agent_id = self.agent(&id, "first").await;
        let admin = self.mint(json!({ "role": "admin", "orgId": id })).await;
        let agent = self.mint(json!({ "role": "agent", "orgId": id, "agentId": agent_id })).await;
        Org { id, agent_id, admin, agent }
    }

    /// Makes an agent; gives its id.
    pub async fn agent(&self, org: &str, name: &str) -> String {
        let body = json!({ "orgId": org, "name": name });
        let made = self.post(&self.platform, "/v1/admin/agents", body).await;
        text(&made.ok(201), "/id")
    }

    /// Mints a key as the platform; gives the key.
    pub async fn mint(&self, wanted: Value) -> String {
        let minted = self.post(&self.platform, "/v1/admin/api-keys", wanted).await;
        text(&minted.ok(201), "/secret")
    }

    /// A key of the organisation with this profile, whose role its name begins with.
    pub async fn with_profile(&self, org: &Org, profile: &str) -> String {
        let role = profile.split('-').next().expect("a role");
        let mut wanted = json!({ "role": role, "scopeProfile": profile });
        if role != "platform" {
            wanted["orgId"] = json!(org.id);
        }
        if role == "agent" {
            wanted["agentId"] = json!(org.agent_id);
        }
        self.mint(wanted).await
    }

    /// Notarizes; gives the whole answer.
    pub async fn notarize(&self, key: &str, summary: &str) -> Value {
        self.post(key, "/v1/records", record(summary)).await.ok(201)
    }

    /// Notarizes; gives the record's id.
    pub async fn record_id(&self, key: &str, summary: &str) -> String {
        text(&self.notarize(key, summary).await, "/record/id")
    }

    /// Adds a note; gives the whole answer.
    pub async fn note(&self, key: &str, record: &str, text: &str) -> Value {
        let path = format!("/v1/records/{record}/notes");
        self.post(key, path, json!({ "text": text })).await.ok(201)
    }

    /// Every item of a list, page by page.
    pub async fn all(&self, key: &str, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let joint = if path.contains('?') { '&' } else { '?' };
            let page = self.get(key, format!("{path}{joint}{cursor}")).await.ok(200);
            items.extend(page["items"].as_array().expect("items").iter().cloned());
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("cursor={next}"),
                None => return items,
            }
        }
    }
}
