//! What every handler of one API process shares.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use deed_store::Store;
use deed_store::append::Appender;
use deed_store::webhooks::SecretSealer;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::audit::AuditLog;
use crate::auth::secret::KeyHasher;
use crate::cache::{Callers, Types};
use crate::config::ApiConfig;
use crate::feed::{Cursors, Tail};
use crate::seal::Sealer;

/// One API process. Cheap to clone; holds no state that outlives it.
#[derive(Clone)]
pub struct App {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    appender: Appender,
    hasher: KeyHasher,
    sealer: Sealer,
    webhook_sealer: SecretSealer,
    cursors: Cursors,
    tail: Tail,
    audit: AuditLog,
    callers: Callers,
    types: Types,
    metrics: PrometheusHandle,
    draining: Arc<AtomicBool>,
    config: ApiConfig,
}

impl App {
    /// Puts a process together and starts its append path.
    #[must_use]
    pub fn new(store: Store, config: ApiConfig, metrics: PrometheusHandle) -> Self {
        let shared = Shared {
            appender: Appender::start(&store, config.append_queue),
            hasher: KeyHasher::new(&config.api_key_secret),
            sealer: Sealer::new(&config.api_key_secret),
            webhook_sealer: SecretSealer::new(&config.api_key_secret.0),
            cursors: Cursors::new(store.event_key()),
            // Each may hold a connection for long; most are left to requests.
            tail: Tail::new((config.limits.max_connections / 4).max(1)),
            audit: AuditLog::start(&store, config.audit_failure),
            callers: Callers::new(config.cache_max_age),
            types: Types::new(config.cache_max_age),
            draining: Arc::new(AtomicBool::new(false)),
            metrics,
            store,
            config,
        };
        Self { shared: Arc::new(shared) }
    }

    /// The database.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// The append path.
    #[must_use]
    pub fn appender(&self) -> &Appender {
        &self.shared.appender
    }

    /// Settings.
    #[must_use]
    pub fn config(&self) -> &ApiConfig {
        &self.shared.config
    }

    /// True from the signal to stop: readiness fails so that no new work is sent here.
    #[must_use]
    pub fn draining(&self) -> &Arc<AtomicBool> {
        &self.shared.draining
    }

    pub(crate) fn hasher(&self) -> &KeyHasher {
        &self.shared.hasher
    }

    pub(crate) fn sealer(&self) -> &Sealer {
        &self.shared.sealer
    }

    pub(crate) fn cursors(&self) -> &Cursors {
        &self.shared.cursors
    }

    pub(crate) fn audit(&self) -> &AuditLog {
        &self.shared.audit
    }

    /// Until the entries of the audit log that requests have left so far are written, or cannot be; for the end
    /// of the process.
    pub async fn flush_audit_log(&self) {
        self.shared.audit.flush().await;
    }

    pub(crate) fn tail(&self) -> &Tail {
        &self.shared.tail
    }

    pub(crate) fn webhook_sealer(&self) -> &SecretSealer {
        &self.shared.webhook_sealer
    }

    pub(crate) fn callers(&self) -> &Callers {
        &self.shared.callers
    }

    pub(crate) fn types(&self) -> &Types {
        &self.shared.types
    }

    pub(crate) fn metrics(&self) -> &PrometheusHandle {
        &self.shared.metrics
    }
}
