//! Public keys under `/.well-known/`, for whoever verifies. No account needed.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::routes;

use crate::auth::Access;
use crate::problem::Problem;
use crate::reply::ok;
use crate::route::Routes;
use crate::state::App;

/// How long a copy may be kept by the client, in seconds.
const CACHE: &str = "public, max-age=60";

pub(crate) fn mount(routes: Routes) -> Routes {
    routes.mount(Access::Public, routes!(jwks)).mount(Access::Public, routes!(cose))
}

#[utoipa::path(
    get, path = "/.well-known/deed-vault-keys.json", tag = "Verification", operation_id = "vaultKeys",
    summary = "Every public key that ever signed here, as a JWK Set (RFC 7517)",
    responses((status = 200, description = "JWK Set; kid is the RFC 9679 thumbprint", body = Object, content_type = "application/jwk-set+json")),
)]
async fn jwks(State(app): State<App>) -> Result<Response, Problem> {
    let keys = app.store().signing_keys().await?;
    Ok(cached(ok(&keys.to_jwk_set())?.into_response(), "application/jwk-set+json"))
}

#[utoipa::path(
    get, path = "/.well-known/scitt-keys", tag = "Verification", operation_id = "scittKeys",
    summary = "The same keys as a COSE Key Set (RFC 9052)",
    responses((status = 200, description = "COSE Key Set", content_type = "application/cose-key-set")),
)]
async fn cose(State(app): State<App>) -> Result<Response, Problem> {
    let keys = app.store().signing_keys().await?;
    Ok(cached(keys.to_cose_key_set().into_response(), "application/cose-key-set"))
}

fn cached(mut response: Response, media_type: &'static str) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE));
    response
}
