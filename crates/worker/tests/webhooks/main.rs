//! Deliveries to real HTTPS endpoints on loopback.
#![allow(clippy::unwrap_used)]

mod circuit;
mod deliveries;
mod dns;
mod fences;
mod retention;
mod scene;
mod ssrf;
#[path = "../it/support.rs"]
#[allow(dead_code, reason = "shared with the tests of jobs")]
mod support;
