//! Names to addresses, without the C library: it would hold a thread for each lookup that hangs, and cannot
//! be cancelled.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use deed_store::Error;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;

/// Longest time for which an answer is remembered, whatever it says of itself.
const LONGEST_TTL: Duration = Duration::from_secs(60);
/// Answers that are remembered.
const CACHE: u64 = 1024;
/// Longest wait for one name server.
const PATIENCE: Duration = Duration::from_secs(3);
/// Most addresses of a name that are looked at.
const MOST_ADDRESSES: usize = 16;

#[derive(Clone)]
pub(super) struct Resolver(TokioResolver);

impl Resolver {
    /// Asks these name servers, or those of `/etc/resolv.conf` when there are none. `/etc/hosts` is read in
    /// either case.
    pub(super) fn new(name_servers: &[SocketAddr]) -> Result<Self, Error> {
        let unfit = |error: hickory_resolver::net::NetError| {
            Error::Unfit(format!("the resolver of webhooks: {error}"))
        };
        let mut builder = if name_servers.is_empty() {
            TokioResolver::builder_tokio().map_err(unfit)?
        } else {
            let servers = name_servers.iter().map(|server| {
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
                let at_port = connections.map(|mut connection| {
                    connection.port = server.port();
                    connection
                });
                NameServerConfig::new(server.ip(), true, at_port.into())
            });
            let config = ResolverConfig::from_name_servers(servers.collect());
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        bound(builder.options_mut());
        Ok(Self(builder.build().map_err(unfit)?))
    }

    /// Every address of a name.
    pub(super) async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        match self.0.lookup_ip(name).await {
            Ok(found) => Ok(found.iter().take(MOST_ADDRESSES).collect()),
            // What the name servers said in detail is for the log of the server, not for the webhook's owner.
            Err(error) => {
                tracing::debug!(%error, name, "a webhook's name was not resolved");
                Err("its name could not be resolved".to_owned())
            }
        }
    }
}

fn bound(options: &mut ResolverOpts) {
    options.positive_max_ttl = Some(LONGEST_TTL);
    options.negative_max_ttl = Some(LONGEST_TTL);
    options.cache_size = CACHE;
    options.timeout = PATIENCE.min(options.timeout);
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
}
