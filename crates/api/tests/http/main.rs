//! The HTTP server on real sockets: its limits, and hostile input through all of it.

#![allow(clippy::unwrap_used)]

mod hostile;
mod serve;
mod socket;
#[path = "../support/mod.rs"]
mod support;
