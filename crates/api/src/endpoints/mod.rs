//! One file an endpoint.

pub(crate) mod admin;
pub(crate) mod agents;
pub(crate) mod auth;
pub(crate) mod events;
pub(crate) mod keys;
pub(crate) mod probes;
pub(crate) mod records;
pub(crate) mod siem;
pub(crate) mod types;
pub(crate) mod webhooks;
