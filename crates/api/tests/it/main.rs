//! The API tier against a real PostgreSQL, called in process.

#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod openapi;
mod scopes;
