//! What the store needs to know to reach its database.

use std::fmt;
use std::time::Duration;

/// How the database is reached. Built by the binary from the environment.
#[derive(Clone)]
pub struct StoreConfig {
    /// A PostgreSQL URL or key-value string; may name several hosts (libpq syntax). Holds a password.
    pub url: String,
    /// Most connections this process opens.
    pub pool_size: usize,
    /// Longest wait for a new connection, TCP and authentication included.
    pub connect_timeout: Duration,
    /// Longest wait for a free connection of the pool.
    pub acquire_timeout: Duration,
    /// Longest time one transaction may take on the client's side, COMMIT included. The
    /// server's own timeouts do not bound a COMMIT that waits for a standby.
    pub transaction_deadline: Duration,
    /// `lock_timeout` of every session.
    pub lock_timeout: Duration,
    /// `application_name` of every session.
    pub application_name: String,
    /// PEM file of the certificate authorities that the server's certificate is checked
    /// against; the system's own when absent.
    pub tls_ca_file: Option<String>,
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreConfig")
            .field("url", &"<redacted>")
            .field("pool_size", &self.pool_size)
            .field("connect_timeout", &self.connect_timeout)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("transaction_deadline", &self.transaction_deadline)
            .field("lock_timeout", &self.lock_timeout)
            .field("application_name", &self.application_name)
            .field("tls_ca_file", &self.tls_ca_file)
            .finish()
    }
}
