//! `deed worker`.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use deed_api::serve::serve;
use deed_api::{HttpLimits, Secret};
use deed_store::Store;
use deed_store::replicas::Tier;
use deed_worker::{Anchors, Webhooks, Worker};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::{Environment, Process, Settings};
use crate::{commands, signals, telemetry};

/// Runs a worker until a signal.
pub(crate) async fn run() -> Result<ExitCode> {
    let settings = Settings::read(&Environment::of_process(), Process::Worker)?;
    telemetry::start(&settings.log())?;
    let anchors = Anchors::new(settings.anchors(None)?);
    if anchors.is_empty() {
        tracing::warn!(
            "nothing is anchored: whoever owns database and signing key can rewrite history unseen; \
             set ANCHOR_S3_BUCKET or ANCHOR_DIRECTORY (docs/operations/anchors.md)"
        );
    }
    let shutdown = signals::shutdown_token()?;
    let metrics = deed_api::install_metrics()?;
    let listener = commands::listen(settings.worker_listen(), "WORKER_LISTEN_ADDRESS").await?;
    let store = tokio::select! {
        store = commands::connect(&settings, "deed-worker") => store?,
        () = shutdown.cancelled() => return Ok(ExitCode::SUCCESS),
    };
    tracing::info!(address = %listener.local_addr()?, "listening");
    let limits = settings.http_limits();
    let worker = worker(&settings, &store, &settings.api_key_secret(), &anchors)?;
    work(worker, store.clone(), anchors, limits, metrics, listener, shutdown).await?;
    store.close();
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// A worker for everything there is, known as a new replica.
pub(crate) fn worker(
    settings: &Settings,
    store: &Store,
    api_key_secret: &Secret,
    anchors: &Anchors,
) -> Result<(Worker, Uuid)> {
    let id = store.new_replica();
    let worker = Worker::new(store.clone(), id, deed_worker::kinds(anchors), settings.worker());
    let webhooks = Webhooks::new(settings.webhooks_with(api_key_secret)?)?;
    Ok((worker.with_webhooks(webhooks), id))
}

/// Works, and answers on the health port, until `shutdown`; then finishes or gives back what is in
/// hand.
pub(crate) async fn work(
    (worker, id): (Worker, Uuid),
    store: Store,
    anchors: Anchors,
    limits: HttpLimits,
    metrics: PrometheusHandle,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let draining = Arc::new(AtomicBool::new(false));
    let presence = commands::Presence::begin(&store, id, Tier::Worker, Arc::clone(&draining));
    let watching = tokio::spawn(anchors.watch(store.clone(), shutdown.clone()));
    let working = tokio::spawn(worker.run(Arc::clone(&draining), shutdown.clone()));
    let health = deed_worker::health(store, metrics, Arc::clone(&draining));
    // Without its health port a worker would be restarted anyway, and one that only answers there
    // must be: whichever ends first, the other ends in good order.
    let (served, worked) = tokio::join!(
        async {
            let served = serve(listener, health, &limits, shutdown.clone(), draining).await;
            shutdown.cancel();
            served
        },
        async {
            let worked = working.await.map_err(io::Error::other);
            let asked = shutdown.is_cancelled();
            shutdown.cancel();
            worked.and_then(|()| {
                if asked { Ok(()) } else { Err(io::Error::other("the worker stopped working")) }
            })
        },
    );
    // It stops with the rest; what it shows is no work that could be lost.
    let _ = watching.await;
    presence.end().await;
    served?;
    worked
}
