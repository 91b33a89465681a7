//! Notarize, read and export records.

mod answer;
mod batch;
mod create;
mod entries;
mod export;
mod first_body;
mod list;
mod notes;
mod prepare;
mod read;
mod tree;
pub(crate) mod view;

use utoipa_axum::routes;

use crate::auth::{Access, Scope};
use crate::route::Routes;

pub(crate) fn mount(routes: Routes) -> Routes {
    routes
        .mount(Access::Scope(Scope::RecordsWrite), routes!(create::create))
        .mount(Access::Scope(Scope::RecordsRead), routes!(list::list))
        .mount(Access::Scope(Scope::RecordsWrite), routes!(batch::batch))
        .mount(Access::Scope(Scope::RecordsRead), routes!(read::read))
        .mount(Access::Scope(Scope::RecordsRead), routes!(entries::entries))
        .mount(Access::Scope(Scope::RecordsRead), routes!(tree::tree))
        .mount(Access::Scope(Scope::RecordsWrite), routes!(notes::add))
        .mount(Access::Scope(Scope::RecordsExport), routes!(export::export))
}
