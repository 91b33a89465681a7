//! Work under a gate, against a real PostgreSQL: every party with a key of its own.

#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod bounds;
mod disputes;
mod events;
mod expiry;
mod flows;
mod model;
mod parties;
mod retries;
mod scope;
mod triples;
mod walk;
