//! The runner against a real PostgreSQL. Handlers tell of themselves through channels, and the tests
//! wait for that.

#![allow(clippy::unwrap_used)]

mod runner;
mod support;
mod ticks;
