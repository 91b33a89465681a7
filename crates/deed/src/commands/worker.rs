//! `deed worker`.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use deed_api::serve::serve;

use crate::config::{Environment, Process, Settings};
use crate::{commands, signals, telemetry};

/// Runs a worker until a signal.
pub(crate) async fn run() -> Result<ExitCode> {
    let settings = Settings::read(&Environment::of_process(), Process::Worker)?;
    telemetry::start(&settings.log())?;
    let shutdown = signals::shutdown_token()?;
    let metrics = deed_api::install_metrics()?;
    let listener = commands::listen(settings.worker_listen(), "WORKER_LISTEN_ADDRESS").await?;
    let store = tokio::select! {
        store = commands::connect(&settings, "deed-worker") => store?,
        () = shutdown.cancelled() => return Ok(ExitCode::SUCCESS),
    };
    let draining = Arc::new(AtomicBool::new(false));
    let health = deed_worker::health(store.clone(), metrics, Arc::clone(&draining));
    tracing::info!(address = %listener.local_addr()?, "listening");
    serve(listener, health, &settings.http_limits(), shutdown, draining).await?;
    store.close();
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}
