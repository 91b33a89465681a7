//! Logging: events to standard error, as JSON for machines or text for people.

use std::io::IsTerminal;
use std::panic::PanicHookInfo;

use anyhow::{Context as _, Result};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::Log;

/// Starts logging, once a process; from then on panics are logged too.
pub(crate) fn start(log: &Log) -> Result<()> {
    // The driver's own debug output has statements with their parameters, passwords among them.
    let driver = "tokio_postgres=info".parse().context("a fixed directive")?;
    let filter = EnvFilter::try_new(&log.level).context("LOG_LEVEL")?.add_directive(driver);
    let terminal = std::io::stderr().is_terminal();
    let events = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NONE)
        .with_writer(std::io::stderr);
    let started = if log.json.unwrap_or(!terminal) {
        events.json().flatten_event(true).with_span_list(false).try_init()
    } else {
        events.with_ansi(terminal).try_init()
    };
    started.map_err(|e| anyhow::anyhow!("logging cannot be started: {e}"))?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("without a message");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    deed_api::in_request(|| tracing::error!(place, message, "panicked"));
}
