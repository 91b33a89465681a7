//! The OpenAPI 3.1 document, generated from the handlers.

use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{IntoParams, Modify, OpenApi};

/// Header of every mutation.
#[derive(IntoParams)]
#[into_params(parameter_in = Header, names("Idempotency-Key"))]
#[expect(dead_code, reason = "describes a header that `Mutation` reads")]
pub(crate) struct IdempotencyKey(
    /// 1 to 255 visible ASCII characters, fresh for each new request. A retry with the same key
    /// and body gets the first answer, byte for byte.
    #[param(min_length = 1, max_length = 255, pattern = "^[!-~]+$")]
    Option<String>,
);

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Deed",
        description = "A self-hosted notary: every record is an entry in a signed hash chain that anyone can verify offline.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "Records", description = "Notarize, read, export"),
        (name = "Lifecycle", description = "Work under a gate: proposal, completion, verdict, dispute"),
        (name = "Types", description = "What a record of a kind looks like"),
        (name = "Events", description = "What has happened, in order"),
        (name = "Access", description = "Organisations, agents, API keys"),
        (name = "Verification", description = "Public keys"),
        (name = "Webhooks", description = "Events, delivered to HTTPS endpoints"),
        (name = "Operations", description = "Probes and metrics"),
    ),
    components(schemas(crate::problem::Problem)),
    modifiers(&Security),
)]
struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("apiKey", scheme);
    }
}

/// The document without its paths.
pub(crate) fn base() -> utoipa::openapi::OpenApi {
    Document::openapi()
}
