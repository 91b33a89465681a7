//! From a request to a Type whose schemas are known to compile and whose rules can be applied.

use chrono::{DateTime, Utc};
use deed_chain::hash::sha256;
use deed_chain::json;
use deed_gate::Rules;
use deed_schema::{Compiled, SchemaError};
use deed_store::types::{RecordType, VerdictMode};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::Caller;
use crate::problem::{Problem, Violation, internal_error};

/// Names that stand for something else in paths.
const RESERVED: [&str; 1] = ["preview"];
/// Longest description, in characters.
const LONGEST_DESCRIPTION: usize = 2_000;

/// A Type to register or to try.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Definition {
    /// 1 to 100 of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or digit.
    #[schema(example = "refund-v1")]
    pub(super) name: String,
    /// JSON Schema (2020-12, 2019-09 or draft-07) of the criteria.
    #[schema(value_type = Object)]
    record_schema: Value,
    /// JSON Schema of the completion. A Type without one is notarize-only.
    #[schema(value_type = Option<Object>)]
    completion_schema: Option<Value>,
    /// Who judges completions: `principal` (when absent), `auto`: the rules, or
    /// `auto-then-principal`: the rules, and the principal confirms.
    #[schema(value_type = Option<String>, example = "principal")]
    verdict_mode: Option<Value>,
    /// Rules from criteria to evidence, for the modes `auto` and `auto-then-principal`; docs/gate.md
    /// has their form.
    #[schema(value_type = Option<Object>)]
    rules_config: Option<Value>,
    /// For people; up to 2,000 characters.
    #[serde(default)]
    description: String,
    /// Organisation, for a platform key; the key's own when absent.
    org_id: Option<Uuid>,
}

impl Definition {
    /// Checks everything that can be checked without the database.
    pub(super) async fn check(
        self,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<RecordType, Problem> {
        let org = caller.org_for(self.org_id)?;
        check_name(&self.name)?;
        if self.description.chars().count() > LONGEST_DESCRIPTION {
            return Err(Problem::unprocessable(
                "request-invalid",
                format!("the description is longer than {LONGEST_DESCRIPTION} characters"),
                "Shorten it.",
            ));
        }
        let record_schema = compiled("/recordSchema", self.record_schema).await?;
        let completion_schema = match self.completion_schema {
            Some(schema) => Some(compiled("/completionSchema", schema).await?),
            None => None,
        };
        let verdict_mode = verdict_mode(self.verdict_mode.as_ref())?;
        let rules_config = self.rules_config.as_ref();
        check_rules(verdict_mode, rules_config, completion_schema.is_some())?;
        let parts = Parts {
            name: &self.name,
            record_schema: &record_schema,
            completion_schema: completion_schema.as_ref(),
            verdict_mode,
            rules_config,
        };
        manifest(org, &parts, &self.description, now)
    }
}

/// What the manifest digest is about.
pub(super) struct Parts<'a> {
    pub(super) name: &'a str,
    pub(super) record_schema: &'a Value,
    pub(super) completion_schema: Option<&'a Value>,
    pub(super) verdict_mode: VerdictMode,
    pub(super) rules_config: Option<&'a Value>,
}

/// A Type with its manifest digest: SHA-256 over the canonical JSON (RFC 8785) of name, schemas,
/// verdict mode and rules, so that two servers agree on it byte for byte. What a Type has not, and
/// the mode `principal`, are left out.
pub(super) fn manifest(
    org_id: Uuid,
    parts: &Parts<'_>,
    description: &str,
    created_at: DateTime<Utc>,
) -> Result<RecordType, Problem> {
    let text =
        |schema: &Value| String::from_utf8(json::canonical(schema)).map_err(|_| internal_error());
    let mut members = Map::new();
    members.insert("name".to_owned(), parts.name.into());
    members.insert("recordSchema".to_owned(), parts.record_schema.clone());
    if let Some(schema) = parts.completion_schema {
        members.insert("completionSchema".to_owned(), schema.clone());
    }
    if parts.verdict_mode != VerdictMode::Principal {
        members.insert("verdictMode".to_owned(), parts.verdict_mode.as_str().into());
    }
    if let Some(rules) = parts.rules_config {
        members.insert("rulesConfig".to_owned(), rules.clone());
    }
    Ok(RecordType {
        org_id,
        name: parts.name.to_owned(),
        version: 1,
        record_schema: text(parts.record_schema)?,
        completion_schema: parts.completion_schema.map(text).transpose()?,
        verdict_mode: parts.verdict_mode,
        rules_config: parts.rules_config.map(text).transpose()?,
        digest: sha256(json::canonical(&Value::Object(members))),
        description: description.to_owned(),
        created_at,
        disabled_at: None,
    })
}

fn check_name(name: &str) -> Result<(), Problem> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    let begins_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins_well && name.len() <= 100 && name.bytes().all(plain) && !RESERVED.contains(&name) {
        return Ok(());
    }
    Err(Problem::unprocessable(
        "type-name-invalid",
        "the name of a Type has 1 to 100 of a-z, 0-9, '.', '_', '-', begins with a letter or digit, and is not \"preview\"",
        "Choose a name like refund-v1.",
    ))
}

/// Compiles on a thread of its own: a large schema takes milliseconds.
async fn compiled(path: &'static str, schema: Value) -> Result<Value, Problem> {
    let compiling = tokio::task::spawn_blocking(move || Compiled::compile(&schema).map(|_| schema));
    let result = compiling.await.map_err(|_| internal_error())?;
    result.map_err(|error| refused(path, &error))
}

fn refused(path: &str, error: &SchemaError) -> Problem {
    if matches!(error, SchemaError::Busy) {
        return Problem::new(
            http::StatusCode::SERVICE_UNAVAILABLE,
            "overloaded",
            "too many schemas are being compiled",
        )
        .retry_after(1)
        .hint("Nothing was registered. Retry after the time in Retry-After.");
    }
    let violation = Violation {
        path: format!("{path}{}", error.path()),
        expected: "a JSON Schema that this server accepts".to_owned(),
        found: String::new(),
        message: error.to_string(),
    };
    Problem::unprocessable("schema-invalid", error.to_string(), error.hint())
        .violations(vec![violation])
}

fn verdict_mode(named: Option<&Value>) -> Result<VerdictMode, Problem> {
    let Some(named) = named else { return Ok(VerdictMode::Principal) };
    named.as_str().and_then(VerdictMode::parse).ok_or_else(|| {
        let names = VerdictMode::ALL.map(VerdictMode::as_str).join(", ");
        unfit_rules(
            format!("verdictMode is none of {names}"),
            "Leave verdictMode out, or use one of the modes that `errors` lists.",
            "/verdictMode",
            &format!("one of {names}"),
            "another value",
        )
    })
}

/// Rules are there if and only if something uses them, and can be applied.
fn check_rules(
    mode: VerdictMode,
    rules: Option<&Value>,
    has_completion: bool,
) -> Result<(), Problem> {
    if !has_completion && (mode != VerdictMode::Principal || rules.is_some()) {
        return Err(unfit_rules(
            "a Type without a completionSchema has no completions to judge",
            "Add a completionSchema, or leave verdictMode and rulesConfig out.",
            "/completionSchema",
            "a JSON Schema",
            "nothing",
        ));
    }
    match (mode, rules) {
        (VerdictMode::Principal, None) => Ok(()),
        (VerdictMode::Principal, Some(_)) => Err(unfit_rules(
            "no rules are applied in the verdict mode principal",
            "Set verdictMode to auto or auto-then-principal, or leave rulesConfig out.",
            "/rulesConfig",
            "nothing, with verdictMode principal",
            "rules",
        )),
        (mode, None) => Err(unfit_rules(
            format!("the verdict mode {} needs rulesConfig", mode.as_str()),
            "Add rulesConfig; GET /v1/types/_blank?verdictMode=auto gives an example.",
            "/rulesConfig",
            "rules",
            "nothing",
        )),
        (_, Some(rules)) => Rules::parse(rules).map(|_| ()).map_err(|faults| {
            let errors = faults.into_iter().map(|fault| Violation {
                path: format!("/rulesConfig{}", fault.path),
                message: fault.to_string(),
                expected: fault.expected,
                found: fault.found,
            });
            Problem::unprocessable(
                "rules-invalid",
                "the rules cannot be applied",
                "Change what `errors` lists; GET /v1/types/_blank?verdictMode=auto gives an example.",
            )
            .violations(errors.collect())
        }),
    }
}

fn unfit_rules(
    detail: impl Into<String>,
    hint: &str,
    path: &str,
    expected: &str,
    found: &str,
) -> Problem {
    let detail = detail.into();
    let violation = Violation {
        path: path.to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
        message: detail.clone(),
    };
    Problem::unprocessable("rules-invalid", detail, hint).violations(vec![violation])
}
