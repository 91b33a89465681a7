//! Types as clients see them.

use chrono::{DateTime, Utc};
use deed_chain::hash::Hash;
use deed_store::types::RecordType;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::{Caller, Scope};
use crate::endpoints::records::view::time;
use crate::next_steps::{NextStep, NextSteps};
use crate::problem::{Problem, internal_error};

/// A version of a Type.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TypeView<'a> {
    org_id: Uuid,
    name: &'a str,
    version: i32,
    description: &'a str,
    /// False when it has a completion schema.
    notarize_only: bool,
    /// Who judges completions; absent when it is notarize-only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "principal")]
    verdict_mode: Option<&'static str>,
    /// SHA-256 of the canonical manifest {name, recordSchema, completionSchema, verdictMode,
    /// rulesConfig}, without what it has not and without the verdict mode `principal`.
    #[schema(value_type = String)]
    digest: Hash,
    #[schema(format = DateTime)]
    created_at: String,
    /// Since when it takes no new records.
    #[schema(format = DateTime)]
    disabled_at: Option<String>,
    /// Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    record_schema: Option<Value>,
    /// Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    completion_schema: Option<Value>,
    /// Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    rules_config: Option<Value>,
    /// Criteria that are valid by the schema, if one could be made up. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    example: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_steps: Option<Vec<NextStep>>,
}

impl<'a> TypeView<'a> {
    pub(super) fn summary(of: &'a RecordType) -> Self {
        Self {
            org_id: of.org_id,
            name: &of.name,
            version: of.version,
            description: &of.description,
            notarize_only: of.completion_schema.is_none(),
            verdict_mode: of.completion_schema.as_ref().map(|_| of.verdict_mode.as_str()),
            digest: of.digest,
            created_at: time(of.created_at),
            disabled_at: of.disabled_at.map(|at: DateTime<Utc>| time(at)),
            record_schema: None,
            completion_schema: None,
            rules_config: None,
            example: None,
            next_steps: None,
        }
    }

    pub(super) fn full(of: &'a RecordType) -> Result<Self, Problem> {
        let read = |text: &String| serde_json::from_str(text).map_err(|_| internal_error());
        let schema: Value = read(&of.record_schema)?;
        Ok(Self {
            example: deed_schema::example(&schema),
            record_schema: Some(schema),
            completion_schema: of.completion_schema.as_ref().map(read).transpose()?,
            rules_config: of.rules_config.as_ref().map(read).transpose()?,
            ..Self::summary(of)
        })
    }

    pub(super) fn with_steps(mut self, caller: &Caller) -> Self {
        let base = format!("/v1/types/{}", self.name);
        // A platform key must say whose Type it reads.
        let whose = caller.org().map_or(format!("?orgId={}", self.org_id), |_| String::new());
        let mut steps = NextSteps::of(caller).get(
            Scope::TypesRead,
            "read",
            format!("{base}{whose}"),
            "read the Type",
        );
        let enabled = self.disabled_at.is_none();
        if enabled {
            let (action, what) = if self.notarize_only {
                ("notarize", "notarize a record of this Type")
            } else {
                ("create", "begin work of this Type under a gate")
            };
            steps = steps.post(Scope::RecordsWrite, action, "/v1/records", what);
        }
        if enabled {
            let (path, what) = (format!("{base}/versions"), "register its next version");
            steps = steps.post(Scope::TypesWrite, "version", path, what);
        }
        self.next_steps = Some(steps.done());
        self
    }
}
