//! The API tier: one file an endpoint, authentication, problems, OpenAPI.

mod admission;
mod audit;
pub mod auth;
mod body;
mod cache;
mod config;
mod endpoints;
mod feed;
mod next_steps;
mod openapi;
mod page;
pub mod problem;
mod query;
mod reply;
mod route;
mod seal;
pub mod serve;
mod state;
mod telemetry;

use axum::Router;
use axum::handler::Handler as _;

pub use config::{ApiConfig, AuditFailure, HttpLimits, Secret};
pub use endpoints::admin::platform_key;
pub use route::SCOPE_EXTENSION;
pub use state::App;
pub use telemetry::{in_request, install_metrics};

use crate::admission::AdmissionLayer;
use crate::auth::Access;
use crate::problem::Problem;
use crate::route::Routes;

impl App {
    /// The routes of this process, and the OpenAPI document that describes them.
    pub fn router(&self) -> (Router, utoipa::openapi::OpenApi) {
        let routes = Routes::new(self.clone(), openapi::base());
        let routes = endpoints::records::mount(routes);
        let routes = endpoints::types::mount(routes);
        let routes = endpoints::agents::mount(routes);
        let routes = endpoints::events::mount(routes);
        let routes = endpoints::siem::mount(routes);
        let routes = endpoints::auth::mount(routes);
        let routes = endpoints::admin::mount(routes);
        let routes = endpoints::webhooks::mount(routes);
        let routes = endpoints::keys::mount(routes);
        let routes = endpoints::probes::mount(routes);
        let (router, document) = routes.finish();
        // What no operation serves is named and measured too.
        let elsewhere = AdmissionLayer::new(self.clone(), Access::Public, "none");
        let docs: Router = utoipa_swagger_ui::SwaggerUi::new("/docs")
            .url("/openapi.json", document.clone())
            .into();
        let router = router
            .fallback(not_found.layer(elsewhere.clone()))
            .method_not_allowed_fallback(method_not_allowed.layer(elsewhere.clone()))
            .with_state(self.clone())
            .merge(docs.layer(elsewhere));
        (router, document)
    }
}

async fn not_found() -> Problem {
    Problem::not_found("this path")
}

async fn method_not_allowed() -> Problem {
    Problem::new(
        http::StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "this path does not take this method",
    )
    .hint("The Allow header and /openapi.json list the methods of each path.")
}
