//! `deed`: the one program. Every process of a deployment, and the tools around them, are its
//! commands.

mod cli;
mod commands;
mod config;
mod output;
mod signals;
mod telemetry;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;

use crate::cli::{Cli, Command, Keys};

/// Requests make many short-lived allocations on several threads, at which the system's allocator
/// spent a sixth of the API's time (`perf`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    run(Cli::parse().command).unwrap_or_else(|error| {
        output::failure(format!("{error:#}"));
        ExitCode::FAILURE
    })
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Up(args) => on_runtime(commands::up::run(args)),
        Command::Api => on_runtime(commands::api::run()),
        Command::Worker => on_runtime(commands::worker::run()),
        Command::Migrate => on_runtime(commands::migrate::run()),
        Command::Keys(Keys::Platform { label }) => on_runtime(commands::keys::platform(&label)),
        Command::Keys(Keys::Generate) => commands::keys::generate(),
        Command::Config { json, describe } => commands::config::run(json, describe),
        Command::Verify(args) => Ok(commands::verify::run(&args)),
        Command::Audit(args) => on_runtime(commands::audit::run(args)),
        Command::Version { json } => commands::version::run(json),
    }
}

fn on_runtime(command: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the asynchronous runtime cannot be started")?;
    runtime.block_on(command)
}
