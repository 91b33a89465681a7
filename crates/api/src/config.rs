//! The limits and secrets of the API tier, built by the binary from the environment.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use deed_notify::address::Guard;

/// A secret that never shows itself in `Debug`.
#[derive(Clone)]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// What happens to administrative requests when the audit log cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditFailure {
    /// They are refused, with a retryable 503: each is in the log before it is worked on.
    Refuse,
    /// They go on; entries wait in memory, and are lost when they are too many or the process ends.
    Continue,
}

/// Settings of one API process.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// Where to listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// HMAC-SHA-256 key under which API keys are stored; at least 32 bytes.
    pub api_key_secret: Secret,
    /// Limits of the HTTP server.
    pub limits: HttpLimits,
    /// Most appends that may wait for the database; beyond it a request is answered 503.
    pub append_queue: usize,
    /// Longest time an API key or a Type may be served from this process's memory.
    pub cache_max_age: Duration,
    /// Addresses that stand in the URL of a webhook and are refused at once; names are checked by the
    /// worker at each connect.
    pub webhook_guard: Guard,
    /// What happens when the audit log cannot be written.
    pub audit_failure: AuditFailure,
}

/// Limits of the HTTP server: every one is a bound on what one client can take.
#[derive(Clone, Debug)]
pub struct HttpLimits {
    /// Most connections open at once; further ones wait in the listen queue.
    pub max_connections: usize,
    /// Most requests worked on at once; beyond it 503 with `Retry-After`.
    pub max_in_flight: usize,
    /// Largest request body, in bytes; beyond it 413.
    pub max_body_bytes: usize,
    /// Longest time for all headers of a request to arrive.
    pub header_timeout: Duration,
    /// Longest time for a request, body included; beyond it 408 or 504.
    pub request_timeout: Duration,
    /// After the signal to stop: how long readiness fails before connections are closed, so
    /// that load balancers notice.
    pub drain_delay: Duration,
    /// After that: how long requests in flight may still take.
    pub shutdown_timeout: Duration,
}
