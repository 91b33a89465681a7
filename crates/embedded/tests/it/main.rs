//! Tests with a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod cluster;
mod common;
mod fetch;
mod search;
