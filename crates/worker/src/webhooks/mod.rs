//! Webhooks: hands events out to the backlogs, and drains each backlog by itself, beside the jobs.

mod batch;
mod client;
mod connect;
mod fanout;
mod hands;
mod request;
mod resolve;
mod run;

use std::net::SocketAddr;

use deed_notify::address::Guard;
use deed_store::Error;
use deed_store::webhooks::SecretSealer;

use self::client::Client;

pub(crate) use run::run;

/// What an operator decides about deliveries.
pub struct WebhookConfig {
    /// Where deliveries may go.
    pub guard: Guard,
    /// PEM of certificate authorities that may vouch for endpoints, besides the system's.
    pub extra_ca: Option<Vec<u8>>,
    /// Name servers to ask; the system's when there are none.
    pub name_servers: Vec<SocketAddr>,
    /// Most endpoints that one worker delivers to at once.
    pub concurrency: usize,
    /// The server's `API_KEY_SECRET`, under which the secrets of webhooks are sealed.
    pub server_secret: Vec<u8>,
}

/// Delivers.
#[derive(Debug)]
pub struct Webhooks {
    client: Client,
    sealer: SecretSealer,
    concurrency: usize,
}

impl Webhooks {
    /// Reads the certificates and the resolver's configuration.
    ///
    /// # Errors
    /// [`Error::Unfit`] when one of them cannot be used.
    pub fn new(config: WebhookConfig) -> Result<Self, Error> {
        let sealer = SecretSealer::new(&config.server_secret);
        let client = Client::new(config.guard, config.extra_ca.as_deref(), &config.name_servers)?;
        Ok(Self { client, sealer, concurrency: config.concurrency })
    }
}
