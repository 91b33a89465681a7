//! `GET /v1/types/_blank`: a template to fill in.

use deed_store::types::VerdictMode;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::problem::Problem;
use crate::query::Query;
use crate::reply::{Reply, ok};

/// A decimal of at most two places, as a string: exact whatever reads it.
const AMOUNT: &str = r"^[0-9]+(\.[0-9]{1,2})?$";

/// Which template.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Template {
    /// With a completion schema, for the gated lifecycle.
    #[serde(default)]
    with_completion: bool,
    /// With a completion schema, and for `auto` and `auto-then-principal` with rules.
    #[param(inline, example = "auto")]
    verdict_mode: Option<Mode>,
}

/// Who judges completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    Principal,
    Auto,
    AutoThenPrincipal,
}

#[utoipa::path(
    get, path = "/v1/types/_blank", tag = "Types", operation_id = "blankType",
    summary = "A template to fill in and send to POST /v1/types",
    params(Template),
    responses((status = 200, description = "A Definition", body = Object)),
)]
pub(crate) async fn blank(Query(template): Query<Template>) -> Result<Reply, Problem> {
    let gated = template.with_completion || template.verdict_mode.is_some();
    ok(&match template.verdict_mode {
        None | Some(Mode::Principal) => plain(gated),
        Some(Mode::Auto) => ruled(VerdictMode::Auto),
        Some(Mode::AutoThenPrincipal) => ruled(VerdictMode::AutoThenPrincipal),
    })
}

fn plain(gated: bool) -> Value {
    let mut definition = json!({
        "name": "my-type-v1",
        "description": "What a record of this Type says",
        "recordSchema": schema(
            &json!({
                "summary": { "type": "string", "minLength": 1, "maxLength": 2000 },
                "amount": { "type": "string", "pattern": AMOUNT }
            }),
            &["summary"],
        )
    });
    if gated {
        let evidence = json!({ "evidence": { "type": "string", "minLength": 1 } });
        definition["completionSchema"] = schema(&evidence, &["evidence"]);
        definition["verdictMode"] = json!(VerdictMode::Principal.as_str());
    }
    definition
}

/// Work that rules can judge: so many, for so much, by then.
fn ruled(mode: VerdictMode) -> Value {
    let count = json!({ "type": "integer", "minimum": 1 });
    let instant = json!({ "type": "string", "format": "date-time" });
    let price = object(
        &json!({
            "amount": { "type": "string", "pattern": AMOUNT },
            "currency": { "type": "string", "pattern": "^[A-Z]{3}$" }
        }),
        &["amount", "currency"],
    );
    json!({
        "name": "my-type-v1",
        "description": "What a record of this Type asks for, and what counts as done",
        "recordSchema": schema(
            &json!({ "quantity": count, "price": price, "deliverBy": instant }),
            &["quantity", "price", "deliverBy"],
        ),
        "completionSchema": schema(
            &json!({ "quantity": count, "paid": price, "deliveredAt": instant }),
            &["quantity", "paid", "deliveredAt"],
        ),
        "verdictMode": mode.as_str(),
        "rulesConfig": {
            "mappings": [
                { "name": "quantity", "type": "number", "criteria": "/quantity",
                  "evidence": "/quantity", "tolerance": { "percent": "5" } },
                { "name": "price", "type": "denomination", "comparison": "atMost",
                  "criteria": "/price", "evidence": "/paid" },
                { "name": "in time", "type": "datetime", "comparison": "atMost",
                  "criteria": "/deliverBy", "evidence": "/deliveredAt",
                  "tolerance": { "graceSecondsAfter": 3600 } }
            ],
            "disputeTolerance": { "factor": "2" }
        }
    })
}

fn schema(properties: &Value, required: &[&str]) -> Value {
    let mut schema = object(properties, required);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema
}

/// An object with these members and no others.
fn object(properties: &Value, required: &[&str]) -> Value {
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false
    })
}
