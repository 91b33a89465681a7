//! `deed up`: all of Deed on one machine.

mod client;
mod database;
mod first_record;
mod folder;
mod guide;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use deed_api::serve::serve;
use deed_api::{App, Secret};
use deed_embedded::{Cluster, Stopped};
use deed_store::Store;
use deed_store::replicas::Tier;
use deed_worker::Anchors;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::database::Prepared;
use self::folder::Folder;
use crate::cli;
use crate::commands::worker;
use crate::config::{Environment, Process, Settings};
use crate::{commands, output, signals, telemetry};

/// Runs everything until a signal.
pub(crate) async fn run(args: cli::Up) -> Result<ExitCode> {
    let environment = Environment::of_process();
    let settings = Settings::read(&environment, Process::Up)?;
    telemetry::start(&settings.log())?;
    for name in environment.ignored_by(Process::Up) {
        output::line(format!("{name} is set, but `deed up` does not use it"))?;
    }
    let shutdown = signals::shutdown_token()?;
    // First what fails at once, before minutes of fetching.
    let listener = listen(&settings, args.port).await?;
    let folder = Folder::open(&args.data_dir.unwrap_or_else(deed_embedded::default_data_dir))?;
    let known = first_record::exists(&folder)?;
    let found = if known { "Found the data of an earlier run in" } else { "Using the data folder" };
    output::line(format!("{found} {}", folder.path().display()))?;
    let mut cluster = tokio::select! {
        cluster = database::start(&folder, args.postgres_port) => cluster?,
        () = shutdown.cancelled() => return Ok(ExitCode::SUCCESS),
    };
    let endpoint = cluster.endpoint().clone();
    let prepare = async {
        let issuer = issuer(&settings, &folder, listener.local_addr()?)?;
        database::prepare(&settings, &folder, &endpoint, issuer).await
    };
    let prepared = tokio::select! {
        prepared = prepare => prepared.map(Some),
        () = shutdown.cancelled() => Ok(None),
    };
    let outcome = match prepared {
        Ok(Some(prepared)) => {
            let served = serve_all(&settings, &folder, prepared, listener, shutdown);
            tokio::select! {
                outcome = served => outcome,
                _ = cluster.wait() => Err(anyhow!(
                    "PostgreSQL ended by itself; its log is {}",
                    cluster.log_file().display()
                )),
            }
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    stop(cluster).await?;
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn listen(settings: &Settings, port: Option<u16>) -> Result<TcpListener> {
    let mut address = settings.listen();
    if let Some(port) = port {
        address.set_port(port);
    }
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}: stop the program there, or use --port")
    })
}

/// The URL that goes into every signature: that of the first start, for ever.
fn issuer(settings: &Settings, folder: &Folder, address: SocketAddr) -> Result<String> {
    match settings.issuer() {
        Some(issuer) => Ok(issuer),
        None => folder.keep("issuer", || Ok(format!("http://{}", reachable(address)))),
    }
}

/// An address at which this machine reaches a listener of its own.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => {
            address.set_ip(Ipv4Addr::LOCALHOST.into())
        }
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
            address.set_ip(Ipv6Addr::LOCALHOST.into())
        }
        _ => {}
    }
    address
}

/// Serves API and worker until `shutdown`, and stops them in this order.
async fn serve_all(
    settings: &Settings,
    folder: &Folder,
    Prepared { store, api_key_secret }: Prepared,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<()> {
    let address = reachable(listener.local_addr()?);
    let metrics = deed_api::install_metrics()?;
    let config = settings.api_with(api_key_secret.clone());
    let limits = config.limits.clone();
    let app = App::new(store.clone(), config, metrics.clone());
    let stop_worker = CancellationToken::new();
    let health = commands::listen(settings.worker_listen(), "WORKER_LISTEN_ADDRESS").await?;
    let anchors = Anchors::new(settings.anchors(Some(folder.anchors()?))?);
    let worker = tokio::spawn(worker::work(
        worker::worker(settings, &store, &api_key_secret, &anchors)?,
        store.clone(),
        anchors,
        limits.clone(),
        metrics,
        health,
        stop_worker.clone(),
    ));
    let (router, draining, token) = (app.router().0, Arc::clone(app.draining()), shutdown.clone());
    let presence = commands::Presence::begin(
        &store,
        store.new_replica(),
        Tier::Api,
        Arc::clone(app.draining()),
    );
    let api = tokio::spawn(async move { serve(listener, router, &limits, token, draining).await });

    let welcomed = tokio::select! {
        welcomed = welcome(folder, &store, &api_key_secret, address) => welcomed,
        () = shutdown.cancelled() => Ok(()),
    };
    if welcomed.is_err() {
        shutdown.cancel();
    }
    // Until the signal, nothing more happens here.
    let served = api.await?;
    output::line("\nThe API has answered its last request; stopping the worker and PostgreSQL")?;
    stop_worker.cancel();
    worker.await??;
    app.flush_audit_log().await;
    presence.end().await;
    store.close();
    welcomed?;
    Ok(served?)
}

/// Makes the first record where there is none, verifies it, and says what to do next.
async fn welcome(
    folder: &Folder,
    store: &Store,
    api_key_secret: &Secret,
    address: SocketAddr,
) -> Result<()> {
    if !first_record::exists(folder)? {
        let key =
            deed_api::platform_key(store, api_key_secret, "made by the first deed up").await?;
        output::line(guide::platform_key(&key, folder))?;
        first_record::make(folder, address, &key).await.context("the first record")?;
    }
    let found = first_record::check(folder, address, store.signer().public()).await?;
    output::line(guide::verified(&found, address, folder))?;
    Ok(())
}

async fn stop(cluster: Cluster) -> Result<()> {
    match cluster.stop().await? {
        Stopped::Fast => output::line("Stopped.")?,
        Stopped::Immediate | Stopped::Killed => {
            output::line("Stopped the hard way; the next start recovers.")?;
        }
    }
    Ok(())
}
