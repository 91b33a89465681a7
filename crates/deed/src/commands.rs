//! The commands, a module each, and what those that serve have in common.

pub(crate) mod api;
pub(crate) mod audit;
pub(crate) mod config;
pub(crate) mod keys;
pub(crate) mod migrate;
pub(crate) mod up;
pub(crate) mod verify;
pub(crate) mod version;
pub(crate) mod worker;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context as _, Result};
use deed_store::replicas::Tier;
use deed_store::{Clock, Error, Signer, Store, StoreConfig};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::{Identity, Settings};

/// Version of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How often a database that does not answer is asked again when a process starts, a second
/// apart: a database that starts together with it, or that fails over, is soon there.
const CONNECT_ATTEMPTS: u32 = 30;

/// The database of the settings.
async fn connect(settings: &Settings, application_name: &str) -> Result<Store> {
    connect_with(&settings.store(application_name), &settings.identity()).await
}

/// A database, waiting for it for a while.
async fn connect_with(database: &StoreConfig, identity: &Identity) -> Result<Store> {
    let mut attempt = 1;
    loop {
        let signer = signer(identity)?;
        match Store::connect(database, signer, &identity.issuer, Clock::System).await {
            Ok(store) => return Ok(store),
            Err(error @ Error::Unavailable(_)) if attempt < CONNECT_ATTEMPTS => {
                tracing::warn!(%error, attempt, "waiting for the database");
                attempt += 1;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => return Err(error).context("the database cannot be used"),
        }
    }
}

fn signer(identity: &Identity) -> Result<Signer> {
    let text = String::from_utf8_lossy(&identity.signing_key.0);
    Signer::from_pkcs8_text(&text).context("VAULT_SIGNING_KEY")
}

/// A listener on `address`, which `variable` was set to.
async fn listen(address: SocketAddr, variable: &str) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}, which {variable} is set to"))
}

/// This process in the table of replicas, until the end.
struct Presence {
    stop: CancellationToken,
    beating: JoinHandle<()>,
}

impl Presence {
    fn begin(store: &Store, id: Uuid, tier: Tier, draining: Arc<AtomicBool>) -> Self {
        let stop = CancellationToken::new();
        let beats = deed_worker::attend(store.clone(), id, tier, VERSION, draining, stop.clone());
        Self { stop, beating: tokio::spawn(beats) }
    }

    async fn end(self) {
        self.stop.cancel();
        let _ = self.beating.await;
    }
}
