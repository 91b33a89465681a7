//! Connections to endpoints. The address that was checked is the address that is connected to: the name is
//! resolved here and nowhere else, so that nothing can be told one address and another one the next moment.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use deed_notify::address::Guard;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower::Service;

use super::resolve::Resolver;

/// Longest time from a name to a connection with TLS.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest time for one address of a name.
const ONE_ADDRESS: Duration = Duration::from_secs(3);

/// Why there is no connection. The text is for the webhook's owner: it says nothing of our network.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NotConnected(String);

#[derive(Clone)]
pub(super) struct Connector {
    pub(super) guard: Arc<Guard>,
    pub(super) resolver: Resolver,
    pub(super) tls: TlsConnector,
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = NotConnected;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, NotConnected>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NotConnected>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let connecting = timeout(CONNECT, connector.connect(&uri));
            connecting.await.unwrap_or_else(|_| refuse("no connection within 10 s"))
        })
    }
}

fn refuse<T>(why: impl Into<String>) -> Result<T, NotConnected> {
    Err(NotConnected(why.into()))
}

impl Connector {
    async fn connect(&self, uri: &Uri) -> Result<Stream, NotConnected> {
        // The URL was checked when it was stored; a program that stores others is of no use here either.
        if uri.scheme_str() != Some("https") {
            return refuse("only https is delivered to");
        }
        let host = uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let port = uri.port_u16().unwrap_or(443);
        let addresses = self.checked(host).await?;
        let stream = open(&addresses, port).await?;
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| NotConnected("its host is no name that a certificate can have".into()))?;
        match self.tls.connect(name, stream).await {
            Ok(stream) => Ok(Stream(TokioIo::new(stream))),
            Err(error) => refuse(format!("TLS: {error}")),
        }
    }

    /// The addresses of a host. If one of them is refused, all are: a name that points to our own network as
    /// well is no endpoint.
    async fn checked(&self, host: &str) -> Result<Vec<IpAddr>, NotConnected> {
        let addresses = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => self.resolver.addresses(host).await.map_err(NotConnected)?,
        };
        for address in &addresses {
            if let Err(refused) = self.guard.check(*address) {
                tracing::warn!(host, %refused, "a webhook was not delivered");
                metrics::counter!("deed_webhook_addresses_refused_total").increment(1);
                let why = refused.why;
                return refuse(format!("its address is not of the public internet ({why})"));
            }
        }
        if addresses.is_empty() { refuse("its name has no address") } else { Ok(addresses) }
    }
}

async fn open(addresses: &[IpAddr], port: u16) -> Result<TcpStream, NotConnected> {
    let mut last = "no connection".to_owned();
    for address in addresses {
        match timeout(ONE_ADDRESS, TcpStream::connect(SocketAddr::new(*address, port))).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => last = format!("no connection: {}", error.kind()),
            Err(_) => last = "no connection within 3 s".to_owned(),
        }
    }
    refuse(last)
}

/// A connection that hyper can pool.
pub(super) struct Stream(TokioIo<TlsStream<TcpStream>>);

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
