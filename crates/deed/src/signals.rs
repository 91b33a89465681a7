//! The signals that end a process.

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code of a process that was told twice to stop: 128 + SIGINT, as shells have it.
const IMPATIENT: i32 = 130;

/// A token that SIGTERM or SIGINT cancels. A second signal ends the process at once, without
/// finishing anything.
pub(crate) fn shutdown_token() -> Result<CancellationToken> {
    let listen = |kind| signal(kind).context("signals cannot be listened to");
    let mut signals = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let token = CancellationToken::new();
    let shutdown = token.clone();
    tokio::spawn(async move {
        next(&mut signals).await;
        tracing::info!("stopping");
        shutdown.cancel();
        next(&mut signals).await;
        tracing::warn!("ended by a second signal");
        std::process::exit(IMPATIENT);
    });
    Ok(token)
}

async fn next((terminate, interrupt): &mut (Signal, Signal)) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
