//! The OpenAPI 3.1 document, generated from the handlers.

use deed_notify::EventType;
use serde_json::{Map, Value, json};
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
    let mut document = Document::openapi();
    add_events(&mut document);
    document
}

/// What the server sends by itself: a webhook an event type, with the schema of its payload. The schemas are
/// those of the catalogue; what utoipa cannot hold of one would be missing in the committed document.
fn add_events(document: &mut utoipa::openapi::OpenApi) {
    let components = document.components.get_or_insert_default();
    let mut webhooks = Map::new();
    for event in EventType::ALL {
        let name = format!("EventData.{}", event.data_name());
        if let Ok(schema) = serde_json::from_value(event.data_schema()) {
            components.schemas.insert(name.clone(), schema);
        }
        let data = json!({ "$ref": format!("#/components/schemas/{name}") });
        let webhook = json!({ "post": {
            "tags": ["Events"],
            "summary": event.meaning(),
            "requestBody": {
                "required": true,
                "content": { "application/json": { "schema": event.schema(data) } },
            },
            "responses": { "2XX": { "description": "Received" } },
        } });
        webhooks.insert(event.as_str().to_owned(), webhook);
    }
    document.webhooks = serde_json::from_value(Value::Object(webhooks)).ok();
}
