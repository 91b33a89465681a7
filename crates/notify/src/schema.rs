//! JSON Schemas (draft 2020-12) of what events say.

use serde_json::{Map, Value, json};

/// An object with these members; a name that ends in `?` may be missing.
fn object(members: &[(&str, Value)]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, schema) in members {
        let always = name.strip_suffix('?').is_none();
        let name = name.trim_end_matches('?');
        if always {
            required.push(name);
        }
        properties.insert(name.to_owned(), schema.clone());
    }
    json!({ "type": "object", "properties": properties, "required": required })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn uuid(description: &str) -> Value {
    json!({ "type": "string", "format": "uuid", "description": description })
}

fn time(description: &str) -> Value {
    json!({ "type": "string", "format": "date-time", "description": description })
}

fn number(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": description })
}

fn hash(description: &str) -> Value {
    json!({ "type": "string", "pattern": "^[0-9a-f]{64}$", "description": description })
}

fn one_of(values: &[&str], description: &str) -> Value {
    json!({ "type": "string", "enum": values, "description": description })
}

pub(crate) fn envelope(kind: &str, about_a_record: bool, data: Value) -> Value {
    let record = if about_a_record { ["recordId", "position"] } else { ["recordId?", "position?"] };
    object(&[
        ("id", uuid("Stable and unique: whoever gets an event twice recognises it by this")),
        ("type", one_of(&[kind], "The event's type")),
        ("timestamp", time("When the transaction began that caused it")),
        ("orgId?", uuid("Whose event it is; none is the server's own")),
        (record[0], uuid("The record that it is about")),
        (record[1], number("Position of the record's entry that it tells of")),
        ("data", data),
    ])
}

/// What every event about a record says of it.
fn about_a_record(more: &[(&str, Value)]) -> Value {
    let mut members = vec![
        ("entryHash", hash("Entry hash, as in the chain: it can be checked against an export")),
        ("type", text("Name of the record's Type")),
        ("typeVersion", number("Version of the Type")),
        ("principalAgentId?", uuid("Agent that answers for the record")),
        ("parentRecordId?", uuid("Record that delegated it")),
    ];
    members.extend_from_slice(more);
    object(&members)
}

pub(crate) fn created() -> Value {
    about_a_record(&[
        ("requestedBy?", text("Who asked for it, in the client's words")),
        ("createdBy", uuid("API key that made it")),
    ])
}

pub(crate) fn noted() -> Value {
    about_a_record(&[])
}

pub(crate) fn transition() -> Value {
    let states: Vec<&str> = deed_lifecycle::State::ALL.iter().map(|s| s.as_str()).collect();
    let actions: Vec<&str> = deed_lifecycle::Action::ALL.iter().map(|a| a.as_str()).collect();
    let actor = object(&[
        ("role", text("What the actor is to the record")),
        ("agentId?", uuid("The agent, if one acted")),
    ]);
    about_a_record(&[
        ("action", one_of(&actions, "What was done")),
        ("from", one_of(&states, "State before")),
        ("to", one_of(&states, "State after")),
        ("actor", actor),
        ("createdBy?", uuid("API key that acted; none when the server did")),
        ("signal?", one_of(SIGNALS, "What the verdict tells whoever settles")),
        ("reason?", text("Why, in the actor's words")),
        ("message?", text("What the actor said besides")),
        (
            "tier?",
            json!({ "type": "integer", "minimum": 1, "maximum": 3, "description": "Tier of the dispute" }),
        ),
        ("deadline?", time("The deadline from now on")),
        ("performerAgentId?", uuid("Agent to whom the work was offered")),
        ("accessorAgentId?", uuid("Third party that may read this chain from now on")),
        ("completionPosition?", number("Position of the completion that was judged")),
        ("result?", text("What the rules said")),
    ])
}

const SIGNALS: &[&str] = &["SETTLE", "HOLD", "RELEASE"];

pub(crate) fn signal() -> Value {
    about_a_record(&[
        ("signal", one_of(SIGNALS, "What to do; nothing is moved by this server")),
        ("keyThumbprint", hash("Key that signed the verdict's entry (RFC 9679)")),
    ])
}

pub(crate) fn type_registered() -> Value {
    object(&[
        ("name", text("Name of the Type")),
        ("version", number("Version that was registered")),
        ("digest", hash("SHA-256 of its canonical manifest")),
        (
            "gated",
            json!({ "type": "boolean", "description": "Whether its records run under a gate" }),
        ),
    ])
}

pub(crate) fn type_disabled() -> Value {
    object(&[("name", text("Name of the Type"))])
}

pub(crate) fn org() -> Value {
    object(&[("orgId", uuid("The organisation")), ("name", text("Its name"))])
}

pub(crate) fn agent() -> Value {
    object(&[("agentId", uuid("The agent")), ("name", text("Its name"))])
}

pub(crate) fn api_key() -> Value {
    object(&KEY.map(|(name, described)| (name, described())))
}

pub(crate) fn api_key_rotated() -> Value {
    let mut members = KEY.map(|(name, described)| (name, described())).to_vec();
    members.push(("replaces", uuid("The key that it replaces")));
    members.push(("graceUntil", time("Until when the replaced key works")));
    object(&members)
}

pub(crate) fn api_key_revoked() -> Value {
    object(&[("apiKeyId", uuid("The key"))])
}

/// A member, and what makes its schema.
type Member = (&'static str, fn() -> Value);

/// A key without its secret.
const KEY: [Member; 6] = [
    ("apiKeyId", || uuid("The key")),
    ("role", || one_of(&["agent", "admin", "platform"], "Whom it acts for")),
    ("agentId?", || uuid("The agent that it acts for")),
    ("label", || text("For people")),
    ("scopeProfile", || text("What it allows")),
    ("expiresAt?", || time("When it ends by itself")),
];

/// A webhook without its secret, and without its URL, which may be one: other webhooks are told this.
pub(crate) fn webhook() -> Value {
    object(&WEBHOOK.map(|(name, described)| (name, described())))
}

pub(crate) fn webhook_changed() -> Value {
    let mut members = WEBHOOK.map(|(name, described)| (name, described())).to_vec();
    let changed = "Whether it is delivered to another URL from now on";
    members.push(("urlChanged", json!({ "type": "boolean", "description": changed })));
    object(&members)
}

const WEBHOOK: [Member; 5] = [
    ("webhookId", || uuid("The webhook")),
    ("eventTypes", || {
        let items = json!({ "type": "string" });
        json!({ "type": "array", "items": items, "description": "Types of events, or `*` alone" })
    }),
    ("format", || one_of(&["standard", "cloudevents"], "The form of bodies")),
    ("signingAlg", || one_of(&["hmac", "ed25519"], "How deliveries are signed")),
    ("description", || text("For people")),
];

pub(crate) fn webhook_only() -> Value {
    object(&[("webhookId", uuid("The webhook"))])
}

pub(crate) fn webhook_rotated() -> Value {
    object(&[
        ("webhookId", uuid("The webhook")),
        ("graceUntil", time("Until when the replaced secret signs too")),
    ])
}

pub(crate) fn webhook_replayed() -> Value {
    object(&[
        ("webhookId", uuid("The webhook")),
        ("replayed", number("Deliveries that were put back")),
        ("deliveryId?", uuid("The delivery, if one was named")),
        ("status?", one_of(&["delivered", "dead"], "Where they stood, of a range of time")),
        ("from?", time("The beginning of the range")),
        ("to?", time("The end of the range, not included")),
    ])
}

pub(crate) fn webhook_test_requested() -> Value {
    object(&[("webhookId", uuid("The webhook")), ("deliveryId", uuid("The test's delivery"))])
}

pub(crate) fn webhook_circuit() -> Value {
    object(&[
        ("webhookId", uuid("The webhook")),
        ("failures", number("Attempts that failed in a row")),
    ])
}

pub(crate) fn webhook_test() -> Value {
    object(&[("webhookId", uuid("The webhook")), ("message", text("For people"))])
}

pub(crate) fn audit() -> Value {
    object(&[
        ("auditId", uuid("The audit")),
        (
            "anchors",
            json!({ "type": "boolean", "description": "Whether the anchors are compared too" }),
        ),
        ("requestedBy", uuid("API key that asked for it")),
    ])
}

pub(crate) fn job() -> Value {
    object(&[
        ("jobId", uuid("The job")),
        ("kind", text("What it does")),
        ("recordId?", uuid("The record that it is about")),
    ])
}
