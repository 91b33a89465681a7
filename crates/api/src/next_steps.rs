//! What the caller may do next: listed on every successful mutation, filtered by its scopes.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::auth::{Caller, Scope};

/// One thing that this caller may really do now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct NextStep {
    /// Stable name of the action.
    pub action: &'static str,
    /// HTTP method.
    pub method: &'static str,
    /// Path on this server.
    pub href: String,
    /// For people and agents.
    pub description: &'static str,
    /// The least that the request's body must hold, to adapt; absent when it needs none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub body: Option<Value>,
}

/// Collects the steps that a caller has the scope for.
pub(crate) struct NextSteps<'a> {
    caller: &'a Caller,
    steps: Vec<NextStep>,
}

impl<'a> NextSteps<'a> {
    pub(crate) fn of(caller: &'a Caller) -> Self {
        Self { caller, steps: Vec::with_capacity(4) }
    }

    pub(crate) fn get(
        self,
        scope: Scope,
        action: &'static str,
        href: impl Into<String>,
        description: &'static str,
    ) -> Self {
        self.add(scope, "GET", action, href, description)
    }

    pub(crate) fn post(
        self,
        scope: Scope,
        action: &'static str,
        href: impl Into<String>,
        description: &'static str,
    ) -> Self {
        self.add(scope, "POST", action, href, description)
    }

    pub(crate) fn patch(
        self,
        scope: Scope,
        action: &'static str,
        href: impl Into<String>,
        description: &'static str,
    ) -> Self {
        self.add(scope, "PATCH", action, href, description)
    }

    fn add(
        mut self,
        scope: Scope,
        method: &'static str,
        action: &'static str,
        href: impl Into<String>,
        description: &'static str,
    ) -> Self {
        if self.caller.may(scope) {
            self.steps.push(NextStep {
                action,
                method,
                href: href.into(),
                description,
                body: None,
            });
        }
        self
    }

    /// A step that was put together elsewhere.
    pub(crate) fn push(mut self, scope: Scope, step: NextStep) -> Self {
        if self.caller.may(scope) {
            self.steps.push(step);
        }
        self
    }

    pub(crate) fn done(self) -> Vec<NextStep> {
        self.steps
    }
}
