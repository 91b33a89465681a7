//! The server's own state: queue, schedules, replicas. For platform keys only: it spans
//! organisations.

mod audits;
mod health;
mod jobs;
mod replicas;
mod schedules;

use utoipa_axum::routes;

use crate::auth::{Access, Scope};
use crate::route::Routes;

pub(super) fn mount(routes: Routes) -> Routes {
    routes
        .mount(Access::Scope(Scope::SystemRead), routes!(health::read))
        .mount(Access::Scope(Scope::SystemRead), routes!(schedules::list))
        .mount(Access::Scope(Scope::SystemRead), routes!(replicas::list))
        .mount(Access::Scope(Scope::SystemRead), routes!(jobs::list))
        .mount(Access::Scope(Scope::JobsWrite), routes!(jobs::replay))
        .mount(Access::Scope(Scope::AuditRun), routes!(audits::start))
        .mount(Access::Scope(Scope::SystemRead), routes!(audits::list))
        .mount(Access::Scope(Scope::SystemRead), routes!(audits::read))
}
