//! From a request to a Type whose schemas are known to compile.

use chrono::{DateTime, Utc};
use deed_chain::hash::sha256;
use deed_chain::json;
use deed_schema::{Compiled, SchemaError};
use deed_store::types::RecordType;
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
        let (completion, description) = (completion_schema.as_ref(), &self.description);
        manifest(org, &self.name, &record_schema, completion, description, now)
    }
}

/// A Type with its manifest digest: SHA-256 over the canonical JSON (RFC 8785) of name and
/// schemas, so that two servers agree on it byte for byte.
pub(super) fn manifest(
    org_id: Uuid,
    name: &str,
    record_schema: &Value,
    completion_schema: Option<&Value>,
    description: &str,
    created_at: DateTime<Utc>,
) -> Result<RecordType, Problem> {
    let text =
        |schema: &Value| String::from_utf8(json::canonical(schema)).map_err(|_| internal_error());
    let mut members = Map::new();
    members.insert("name".to_owned(), name.into());
    members.insert("recordSchema".to_owned(), record_schema.clone());
    if let Some(schema) = completion_schema {
        members.insert("completionSchema".to_owned(), schema.clone());
    }
    Ok(RecordType {
        org_id,
        name: name.to_owned(),
        version: 1,
        record_schema: text(record_schema)?,
        completion_schema: completion_schema.map(text).transpose()?,
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
