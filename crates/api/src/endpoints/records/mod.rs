//! Notarize, read and export records, and the lifecycle of those under a gate.

mod accept;
mod activate;
mod amend;
mod answer;
mod attempt;
mod batch;
mod bounds;
mod cancel;
mod complete;
mod create;
mod dispute;
mod entries;
mod escalate;
mod export;
mod first_body;
mod gated;
mod list;
mod notes;
mod outcome;
mod prepare;
mod propose;
mod read;
mod refusal;
mod refuse;
mod resolve;
mod signals;
mod steps;
mod tree;
pub(crate) mod view;
mod withdraw;
mod work_view;

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
        .mount(Access::Scope(Scope::RecordsRead), routes!(signals::signals))
        .mount(Access::Scope(Scope::RecordsWrite), routes!(notes::add))
        .mount(Access::Scope(Scope::RecordsExport), routes!(export::export))
        .mount(Access::Scope(Scope::RecordsAct), routes!(amend::amend))
        .mount(Access::Scope(Scope::RecordsAct), routes!(propose::propose))
        .mount(Access::Scope(Scope::RecordsAct), routes!(accept::accept))
        .mount(Access::Scope(Scope::RecordsAct), routes!(refuse::refuse))
        .mount(Access::Scope(Scope::RecordsAct), routes!(activate::activate))
        .mount(Access::Scope(Scope::RecordsAct), routes!(complete::complete))
        .mount(Access::Scope(Scope::RecordsAct), routes!(outcome::outcome))
        .mount(Access::Scope(Scope::RecordsAct), routes!(cancel::cancel))
        .mount(Access::Scope(Scope::RecordsAct), routes!(dispute::dispute))
        .mount(Access::Scope(Scope::RecordsAct), routes!(escalate::escalate))
        .mount(Access::Scope(Scope::RecordsAct), routes!(resolve::resolve))
        .mount(Access::Scope(Scope::RecordsAct), routes!(withdraw::withdraw))
}
