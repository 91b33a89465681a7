//! The one way to mount a route: with a declared access, which the OpenAPI document shows.

use utoipa::ToSchema as _;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::admission::AdmissionLayer;
use crate::auth::Access;
use crate::problem::{PROBLEM_JSON, Problem};
use crate::state::App;

/// Extension of an operation that names the scope it needs.
pub const SCOPE_EXTENSION: &str = "x-required-scope";

/// Routes under construction.
pub(crate) struct Routes {
    app: App,
    router: OpenApiRouter<App>,
}

impl Routes {
    pub(crate) fn new(app: App, document: utoipa::openapi::OpenApi) -> Self {
        Self { app, router: OpenApiRouter::with_openapi(document) }
    }

    /// Mounts operations under one access.
    pub(crate) fn mount(mut self, access: Access, operations: UtoipaMethodRouter<App>) -> Self {
        let (schemas, mut paths, mut methods) = operations;
        for item in paths.paths.values_mut() {
            operations_of(item).for_each(|operation| declare(operation, access));
        }
        let path = paths.paths.keys().next().map_or("none", String::as_str);
        methods = methods.layer(AdmissionLayer::new(self.app.clone(), access, path));
        self.router = self.router.routes((schemas, paths, methods));
        self
    }

    pub(crate) fn finish(self) -> (axum::Router<App>, utoipa::openapi::OpenApi) {
        self.router.split_for_parts()
    }
}

fn operations_of(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch]
        .into_iter()
        .filter_map(Option::as_mut)
}

fn declare(operation: &mut Operation, access: Access) {
    let (name, security) = match access {
        Access::Public => ("public", Vec::new()),
        Access::Authenticated => ("authenticated", vec![bearer()]),
        Access::Scope(scope) => (scope.as_str(), vec![bearer()]),
    };
    operation.security = Some(security);
    let problem =
        ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
    let refusal = ResponseBuilder::new()
        .description("Any refusal: what happened, and in recoveryHint how to recover")
        .content(PROBLEM_JSON, problem)
        .build();
    operation.responses.responses.entry("default".to_owned()).or_insert(RefOr::T(refusal));
    let extension = utoipa::openapi::extensions::ExtensionsBuilder::new()
        .add(SCOPE_EXTENSION, serde_json::Value::from(name))
        .build();
    match &mut operation.extensions {
        Some(extensions) => extensions.merge(extension),
        none => *none = Some(extension),
    }
}

fn bearer() -> SecurityRequirement {
    SecurityRequirement::new("apiKey", Vec::<String>::new())
}
