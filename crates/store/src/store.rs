//! The handle that API and worker hold.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::config::StoreConfig;
use crate::error::Error;
use crate::events;
use crate::installation::Installation;
use crate::migrate;
use crate::pool;
use crate::signer::Signer;
use crate::tx::Database;

/// A connected, checked database together with the key that signs into it. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) db: Database,
    shared: Arc<Shared>,
}

struct Shared {
    installation: Installation,
    signer: Signer,
    clock: Clock,
    event_key: [u8; 32],
    jobs_added: Notify,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("installation", &self.shared.installation.id).finish()
    }
}

impl Store {
    /// Connects and refuses what does not fit: a server older than 17, a schema of another
    /// version, an issuer or a signing key that this installation does not know.
    ///
    /// # Errors
    /// [`Error::Unavailable`] while the database cannot be reached, [`Error::Unfit`] otherwise.
    pub async fn connect(
        config: &StoreConfig,
        signer: Signer,
        issuer: &str,
        clock: Clock,
    ) -> Result<Self, Error> {
        let db = Database::new(pool::connect(config)?, config.transaction_deadline);
        let installation = identify(&db, issuer).await?;
        let event_key = events::key(&db).await?;
        let shared = Shared { installation, signer, clock, event_key, jobs_added: Notify::new() };
        let store = Self { db, shared: Arc::new(shared) };
        if store.signing_keys().await?.get(store.signer().thumbprint()).is_none() {
            return Err(Error::Unfit(
                "VAULT_SIGNING_KEY is not registered in this database: run `deed migrate` with it"
                    .to_owned(),
            ));
        }
        Ok(store)
    }

    /// The identity of this database.
    #[must_use]
    pub fn installation(&self) -> &Installation {
        &self.shared.installation
    }

    /// The key that signs.
    #[must_use]
    pub fn signer(&self) -> &Signer {
        &self.shared.signer
    }

    /// The time source.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Makes ids of events, and seals cursors into them. It never leaves the installation.
    #[must_use]
    pub fn event_key(&self) -> &[u8; 32] {
        &self.shared.event_key
    }

    /// Tells a worker of this process that a transaction with jobs was committed. Workers elsewhere
    /// find them by polling.
    pub fn wake_workers(&self) {
        self.shared.jobs_added.notify_one();
    }

    /// Until [`Store::wake_workers`] is called, or at once when it was called meanwhile.
    pub async fn jobs_added(&self) {
        self.shared.jobs_added.notified().await;
    }

    /// Closes the pool; what is running finishes.
    pub fn close(&self) {
        self.db.close();
    }
}

/// Checks that this is the database of the server `issuer`, and that this program fits it.
pub(crate) async fn identify(db: &Database, issuer: &str) -> Result<Installation, Error> {
    db.read("check_server", |tx| Box::pin(pool::check_server(tx.client))).await?;
    check_schema(db).await?;
    let installation = Installation::load(db).await?;
    if installation.issuer != issuer {
        return Err(Error::Unfit(format!(
            "this database belongs to the server {}; ISSUER_URL says {issuer}",
            installation.issuer
        )));
    }
    Ok(installation)
}

/// Refuses to serve a schema that this program was not built for. A newer one is served: rules
/// for migrations keep the previous version working.
async fn check_schema(db: &Database) -> Result<(), Error> {
    let version = crate::health::schema_version(db).await?;
    let expected = migrate::expected_version();
    match version {
        Some(found) if found >= expected => Ok(()),
        Some(found) => Err(Error::Unfit(format!(
            "the database has schema version {found}, this program needs {expected}: run `deed migrate`"
        ))),
        None => Err(Error::Unfit("the database is empty: run `deed migrate`".to_owned())),
    }
}
