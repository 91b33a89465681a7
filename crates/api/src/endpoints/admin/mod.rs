//! Organisations, agents and API keys; and the server's own state.

mod agents;
mod api_keys;
mod mint;
mod orgs;
mod profiles;
mod system;

pub use mint::platform_key;

use utoipa_axum::routes;

use crate::auth::{Access, Scope};
use crate::route::Routes;

pub(crate) fn mount(routes: Routes) -> Routes {
    let routes = system::mount(routes);
    routes
        .mount(Access::Scope(Scope::OrgsWrite), routes!(orgs::create))
        .mount(Access::Scope(Scope::OrgsRead), routes!(orgs::list))
        .mount(Access::Scope(Scope::AgentsWrite), routes!(agents::create))
        .mount(Access::Scope(Scope::AgentsRead), routes!(agents::list))
        .mount(Access::Scope(Scope::KeysWrite), routes!(mint::mint))
        .mount(Access::Scope(Scope::KeysRead), routes!(api_keys::list))
        .mount(Access::Scope(Scope::KeysWrite), routes!(api_keys::revoke))
        .mount(Access::Scope(Scope::KeysWrite), routes!(api_keys::rotate))
        .mount(Access::Authenticated, routes!(profiles::list))
}

/// A name for people: 1 to 200 characters, no control characters.
fn check_name(what: &str, name: &str) -> Result<(), crate::problem::Problem> {
    let length = name.chars().count();
    if (1..=200).contains(&length) && !name.chars().any(char::is_control) {
        return Ok(());
    }
    Err(crate::problem::Problem::unprocessable(
        "request-invalid",
        format!("{what} has 1 to 200 characters and no control characters"),
        "Choose a shorter, plain name.",
    ))
}
