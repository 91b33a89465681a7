//! The program as a person or an orchestrator runs it.

#![allow(clippy::unwrap_used)]

mod command;
mod config;
mod help;
mod http;
mod keys;
mod processes;
mod up;
mod verify;
mod webhooks;

use std::time::Duration;

/// Longer than anything takes that works.
const DEADLINE: Duration = Duration::from_secs(120);
