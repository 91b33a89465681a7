//! Entries as events of the Open Cybersecurity Schema Framework, version 1.5.0: API Activity (6003), and
//! Authentication (3002) for a key that was not accepted.

use deed_store::audit_log::{AuditEntry, Phase};
use serde_json::{Value, json};

const VERSION: &str = "1.5.0";
const API_ACTIVITY: u32 = 6003;
const AUTHENTICATION: u32 = 3002;

/// One entry. `issuer` is the URL of this server.
pub(crate) fn ocsf(entry: &AuditEntry, issuer: &str) -> Value {
    let unauthenticated = entry.status == Some(401);
    let (class, activity) = if unauthenticated {
        // Logon: each request brings its key anew.
        (AUTHENTICATION, 1)
    } else {
        (API_ACTIVITY, activity(&entry.method))
    };
    let mut event = json!({
        "class_uid": class,
        "category_uid": class / 1000,
        "activity_id": activity,
        "type_uid": class * 100 + activity,
        "time": entry.occurred_at.timestamp_millis(),
        "severity_id": severity(entry),
        "status_id": status(entry),
        "message": format!("{} {} ({})", entry.method, entry.route, entry.phase.as_str()),
        "metadata": {
            "version": VERSION,
            "uid": entry.id,
            "correlation_uid": entry.request_id,
            "product": { "name": "Deed", "vendor_name": "Deed", "version": env!("CARGO_PKG_VERSION") },
        },
        "src_endpoint": source(entry),
        "http_request": { "http_method": entry.method, "url": { "path": entry.path } },
        "unmapped": { "phase": entry.phase.as_str(), "suppressed": entry.suppressed },
    });
    let mut set = |name: &str, value: Value| event[name] = value;
    if let Some(status) = entry.status {
        set("status_code", status.to_string().into());
        set("http_response", json!({ "code": status }));
    }
    if let Some(problem) = &entry.problem {
        set("status_detail", problem.clone().into());
    }
    if let Some(duration) = entry.duration_ms {
        set("duration", duration.into());
    }
    if unauthenticated {
        set("user", user(entry));
        set("service", json!({ "name": issuer }));
        set("is_remote", true.into());
    } else {
        set("actor", json!({ "user": user(entry) }));
        set(
            "api",
            json!({ "operation": format!("{} {}", entry.method, entry.route),
            "service": { "name": issuer }, "request": { "uid": entry.request_id } }),
        );
    }
    event
}

fn activity(method: &str) -> u32 {
    match method {
        "POST" => 1,
        "GET" | "HEAD" => 2,
        "PUT" | "PATCH" => 3,
        "DELETE" => 4,
        _ => 99,
    }
}

/// Informational; medium for what was refused to a key, or to none.
fn severity(entry: &AuditEntry) -> u32 {
    if matches!(entry.status, Some(401 | 403)) { 3 } else { 1 }
}

/// Success, failure, or unknown: an attempt, or an answer that nobody waited for.
fn status(entry: &AuditEntry) -> u32 {
    match (entry.phase, entry.status) {
        (Phase::Attempt, _) | (_, None) => 0,
        (Phase::Outcome, Some(200..=399)) => 1,
        (Phase::Outcome, Some(_)) => 2,
    }
}

/// An endpoint has at least one name; a request within the process has no address.
fn source(entry: &AuditEntry) -> Value {
    entry.address.as_ref().map_or_else(|| json!({ "name": "unknown" }), |ip| json!({ "ip": ip }))
}

fn user(entry: &AuditEntry) -> Value {
    let Some(key) = entry.key_id else {
        return json!({ "name": "unknown", "type_id": 0 });
    };
    // A user, an administrator, a system.
    let kind = match entry.role.as_deref() {
        Some("agent") => 1,
        Some("admin") => 2,
        _ => 3,
    };
    let mut user =
        json!({ "uid": key, "name": entry.role, "type_id": kind, "credential_uid": key });
    if let Some(org) = entry.org_id {
        user["org"] = json!({ "uid": org });
    }
    if let Some(agent) = entry.agent_id {
        user["uid_alt"] = json!(agent);
    }
    user
}
