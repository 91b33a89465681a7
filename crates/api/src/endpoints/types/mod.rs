//! Types: what a record of a kind looks like.

mod blank;
mod define;
mod disable;
mod read;
mod register;
mod view;

use chrono::{DateTime, Utc};
use deed_store::types::{RecordType, VerdictMode};
use serde_json::json;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::auth::{Access, Scope};
use crate::problem::Problem;
use crate::route::Routes;

pub(crate) fn mount(routes: Routes) -> Routes {
    routes
        .mount(Access::Scope(Scope::TypesWrite), routes!(register::register))
        .mount(Access::Scope(Scope::TypesRead), routes!(read::list))
        .mount(Access::Scope(Scope::TypesRead), routes!(blank::blank))
        .mount(Access::Scope(Scope::TypesRead), routes!(register::preview))
        .mount(Access::Scope(Scope::TypesRead), routes!(read::read))
        .mount(Access::Scope(Scope::TypesWrite), routes!(register::version))
        .mount(Access::Scope(Scope::TypesWrite), routes!(disable::disable))
}

/// The Type that every new organisation has: whatever an agent wants to put on record.
pub(crate) fn generic(org: Uuid, now: DateTime<Utc>) -> Result<RecordType, Problem> {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Something an agent is about to do, or did",
        "type": "object",
        "properties": {
            "summary": {
                "type": "string", "minLength": 1, "maxLength": 2000,
                "description": "One sentence for people",
                "examples": ["Sent invoice 4711 to the customer"]
            },
            "details": { "type": "object", "description": "Anything structured" }
        },
        "required": ["summary"],
        "additionalProperties": true
    });
    let parts = define::Parts {
        name: "notarize-generic-v1",
        record_schema: &schema,
        completion_schema: None,
        verdict_mode: VerdictMode::Principal,
        rules_config: None,
    };
    define::manifest(org, &parts, "Put anything on record", now)
}
