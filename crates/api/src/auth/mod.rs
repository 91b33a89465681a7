//! Who is calling, and whether the route's scope allows it.

mod scopes;
pub(crate) mod secret;

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::{HeaderMap, StatusCode, header, request::Parts};
use deed_store::access::{ApiKey, Role};
use deed_store::records::Actor;
use uuid::Uuid;

pub use scopes::{PROFILES, Profile, Scope, default_profile, profile};

use crate::problem::{Problem, internal_error};
use crate::state::App;

/// Who a route is for. Every route declares one: there is no other way to mount it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody, without a key.
    Public,
    /// Any valid key.
    Authenticated,
    /// A key with this scope.
    Scope(Scope),
}

/// The caller of an authenticated request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The key.
    pub key: Arc<ApiKey>,
    /// The scopes of the key's profile.
    pub scopes: &'static [Scope],
}

impl Caller {
    pub(crate) fn of(key: Arc<ApiKey>) -> Self {
        // A profile that this version does not know (any more) allows nothing.
        let scopes = profile(&key.scope_profile).map_or(&[][..], |profile| profile.scopes);
        Self { key, scopes }
    }

    /// Whether the key has this scope.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// The organisation that reads are limited to; `None` for the platform, which sees all.
    #[must_use]
    pub fn org(&self) -> Option<Uuid> {
        self.key.org_id
    }

    /// Who this is to a record.
    #[must_use]
    pub fn actor(&self) -> Actor {
        let (org, key) = (self.key.org_id.unwrap_or_default(), self.key.id);
        match self.key.role {
            Role::Agent => Actor::Agent { org, agent: self.key.agent_id.unwrap_or_default(), key },
            Role::Admin => Actor::Admin { org, key },
            Role::Platform => Actor::Platform,
        }
    }

    /// The organisation that a request is about: the key's own, or for the platform the one that
    /// it names. Naming another organisation than one's own is answered like one that is not there.
    ///
    /// # Errors
    /// 404 for another organisation; 422 when the platform names none.
    pub fn org_for(&self, named: Option<Uuid>) -> Result<Uuid, Problem> {
        match (self.key.org_id, named) {
            (Some(own), Some(named)) if own != named => Err(Problem::not_found("organisation")),
            (Some(own), _) => Ok(own),
            (None, Some(named)) => Ok(named),
            (None, None) => Err(Problem::unprocessable(
                "org-required",
                "a platform key acts for the server and must name an organisation",
                "Add orgId, or use a key of the organisation.",
            )),
        }
    }

    /// The organisation that a list is narrowed to: for the platform the one that it names, if it
    /// names one; otherwise the key's own.
    ///
    /// # Errors
    /// 404 for another organisation.
    pub fn narrowed(&self, named: Option<Uuid>) -> Result<Option<Uuid>, Problem> {
        match self.key.org_id {
            None => Ok(named),
            Some(_) => self.org_for(named).map(Some),
        }
    }

    /// Whose idempotency keys these are: the agent's, the organisation's or the platform's. A
    /// rotated key keeps them.
    #[must_use]
    pub fn idempotency_scope(&self) -> Uuid {
        match self.key.role {
            Role::Agent => self.key.agent_id,
            Role::Admin => self.key.org_id,
            Role::Platform => None,
        }
        .unwrap_or_default()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Present on every route that is not public; see `admission`.
        parts.extensions.get::<Self>().cloned().ok_or_else(internal_error)
    }
}

/// A request that is not let in.
pub(crate) struct NotAdmitted {
    pub(crate) problem: Problem,
    /// Its key, if it is known here.
    pub(crate) key: Option<Arc<ApiKey>>,
}

impl From<Problem> for NotAdmitted {
    fn from(problem: Problem) -> Self {
        Self { problem, key: None }
    }
}

/// The caller of a request, if its key is valid and has what `access` asks for.
///
/// # Errors
/// 401 without a valid key, 403 without the scope.
pub(crate) async fn authenticate(
    app: &App,
    access: Access,
    headers: &HeaderMap,
) -> Result<Caller, NotAdmitted> {
    let key = bearer(headers).ok_or_else(|| {
        unauthorized("no API key came with the request")
            .hint("Send the header `Authorization: Bearer <API key>`.")
    })?;
    if !secret::is_plausible(key) {
        return Err(unknown_key().into());
    }
    let found =
        app.callers().get(app.store(), app.hasher().hash(key)).await.map_err(Problem::from)?;
    let key = found.ok_or_else(unknown_key)?;
    if !key.is_valid_at(app.store().clock().now()) {
        let problem = unauthorized("the API key has expired or was revoked")
            .hint("Ask an administrator of the organisation for a new key.");
        return Err(NotAdmitted { problem, key: Some(key) });
    }
    let caller = Caller::of(key);
    match access {
        Access::Scope(scope) if !caller.may(scope) => {
            Err(NotAdmitted { problem: scope_missing(&caller, scope), key: Some(caller.key) })
        }
        _ => Ok(caller),
    }
}

fn scope_missing(caller: &Caller, scope: Scope) -> Problem {
    let scope = scope.as_str();
    let detail = format!("the key's profile {} has no scope {scope}", caller.key.scope_profile);
    Problem::new(StatusCode::FORBIDDEN, "scope-missing", detail)
        .hint(format!("Use a key with the scope {scope}; GET /v1/auth/me tells what a key may do."))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
}

fn unknown_key() -> Problem {
    unauthorized("the API key is not known here")
        .hint("Check that the key is complete and belongs to this server.")
}
