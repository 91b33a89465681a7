//! `GET /v1/types/_blank`: a template to fill in.

use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use crate::problem::Problem;
use crate::query::Query;
use crate::reply::{Reply, ok};

/// Which template.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Template {
    /// With a completion schema, for the gated lifecycle.
    #[serde(default)]
    with_completion: bool,
}

#[utoipa::path(
    get, path = "/v1/types/_blank", tag = "Types", operation_id = "blankType",
    summary = "A template to fill in and send to POST /v1/types",
    params(Template),
    responses((status = 200, description = "A Definition", body = Object)),
)]
pub(crate) async fn blank(Query(template): Query<Template>) -> Result<Reply, Problem> {
    let mut definition = json!({
        "name": "my-type-v1",
        "description": "What a record of this Type says",
        "recordSchema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "summary": { "type": "string", "minLength": 1, "maxLength": 2000 },
                "amount": { "type": "string", "pattern": "^[0-9]+(\\.[0-9]{1,2})?$" }
            },
            "required": ["summary"],
            "additionalProperties": false
        }
    });
    if template.with_completion {
        definition["completionSchema"] = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": { "evidence": { "type": "string", "minLength": 1 } },
            "required": ["evidence"],
            "additionalProperties": false
        });
    }
    ok(&definition)
}
