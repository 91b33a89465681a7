//! `deed api`.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use deed_api::App;
use deed_api::serve::serve;
use deed_store::replicas::Tier;

use crate::config::{Environment, Process, Settings};
use crate::{commands, signals, telemetry};

/// Serves the API until a signal.
pub(crate) async fn run() -> Result<ExitCode> {
    let settings = Settings::read(&Environment::of_process(), Process::Api)?;
    telemetry::start(&settings.log())?;
    let shutdown = signals::shutdown_token()?;
    let metrics = deed_api::install_metrics()?;
    let config = settings.api_with(settings.api_key_secret());
    // Before the wait for the database: a port that is taken will not become free by waiting.
    let listener = commands::listen(config.listen, "LISTEN_ADDRESS").await?;
    let store = tokio::select! {
        store = commands::connect(&settings, "deed-api") => store?,
        () = shutdown.cancelled() => return Ok(ExitCode::SUCCESS),
    };
    let limits = config.limits.clone();
    let app = App::new(store.clone(), config, metrics);
    tracing::info!(address = %listener.local_addr()?, "listening");
    let presence = commands::Presence::begin(
        &store,
        store.new_replica(),
        Tier::Api,
        Arc::clone(app.draining()),
    );
    serve(listener, app.router().0, &limits, shutdown, Arc::clone(app.draining())).await?;
    app.flush_audit_log().await;
    presence.end().await;
    store.close();
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}
