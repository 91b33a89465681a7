//! Configuration: environment variables, described by one table.
//!
//! [`table`] is the only place that knows a variable. From it come reading and checking
//! ([`Settings`]), the structures that the rest of the program takes ([`sections`]), what
//! `deed config` prints ([`show`]) and `docs/configuration.md` ([`document`]).

mod document;
mod environment;
mod fault;
mod kind;
mod sections;
mod settings;
pub(crate) mod show;
pub(crate) mod table;
#[cfg(test)]
mod tests;
mod variable;

pub(crate) use document::document;
pub(crate) use environment::Environment;
pub(crate) use sections::{Identity, Log, read_api_key_secret};
pub(crate) use settings::Settings;
pub(crate) use variable::Process;
