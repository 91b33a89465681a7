//! The API tier against a real PostgreSQL, called in process.

#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod concurrent;
mod delegation;
mod feed;
mod gate;
mod idempotency;
mod isolation;
mod keys;
mod lists;
mod next_steps;
mod notarize;
mod openapi;
mod probes;
mod replay;
mod scopes;
mod siem;
mod system;
mod type_rules;
mod types;
mod webhooks;
