//! Webhooks: who is told of which events, and how deliveries went.

mod create;
mod deliveries;
mod pause;
mod read;
mod remove;
mod replay;
mod rotate;
mod test;
mod update;
mod view;
mod wanted;

use utoipa_axum::routes;

use crate::auth::{Access, Scope};
use crate::route::Routes;

pub(crate) fn mount(routes: Routes) -> Routes {
    let (read, write) = (Access::Scope(Scope::WebhooksRead), Access::Scope(Scope::WebhooksWrite));
    routes
        .mount(write, routes!(create::create))
        .mount(read, routes!(read::list))
        .mount(read, routes!(read::one))
        .mount(write, routes!(update::update))
        .mount(write, routes!(remove::remove))
        .mount(write, routes!(rotate::rotate))
        .mount(write, routes!(pause::pause))
        .mount(write, routes!(pause::resume))
        .mount(write, routes!(test::test))
        .mount(read, routes!(deliveries::list))
        .mount(write, routes!(replay::one))
        .mount(write, routes!(replay::range))
}

/// Nothing is needed.
#[derive(Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NothingForWebhook)]
pub(crate) struct Nothing {}
