//! One POST: no redirect is followed, no proxy is used, time and answer are bounded.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deed_notify::address::Guard;
use deed_store::Error;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::connect::Connector;
use super::resolve::Resolver;

/// Longest time for one attempt, from the name to the end of the answer.
const ATTEMPT: Duration = Duration::from_secs(15);
/// Longest time that a connection without a request stays open.
const IDLE: Duration = Duration::from_secs(30);
/// Connections to one host that stay open.
const IDLE_PER_HOST: usize = 8;
/// Largest head of an answer, in bytes.
const LARGEST_HEAD: usize = 32 * 1024;
/// Bytes of an answer's body that are read and kept.
const EXCERPT: usize = 1024;

/// What came back, or why nothing did.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: Option<u16>,
    /// The beginning of the body.
    pub(super) excerpt: Option<String>,
    /// Why it does not count as delivered.
    pub(super) error: Option<String>,
    pub(super) took: Duration,
}

pub(super) struct Client {
    inner: legacy::Client<Connector, Full<Bytes>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    pub(super) fn new(
        guard: Guard,
        extra_ca: Option<&[u8]>,
        name_servers: &[std::net::SocketAddr],
    ) -> Result<Self, Error> {
        let connector = Connector {
            guard: Arc::new(guard),
            resolver: Resolver::new(name_servers)?,
            tls: TlsConnector::from(Arc::new(tls(extra_ca)?)),
        };
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .http1_max_buf_size(LARGEST_HEAD)
            .build(connector);
        Ok(Self { inner })
    }

    /// Sends one request.
    pub(super) async fn post(&self, request: Request<Full<Bytes>>) -> Answer {
        let started = Instant::now();
        let end = started + ATTEMPT;
        let answer = match timeout_at(end, self.inner.request(request)).await {
            Err(_) => failed("no answer within 15 s".to_owned()),
            Ok(Err(error)) => failed(cause(&error)),
            Ok(Ok(response)) => judge(response, end).await,
        };
        Answer { took: started.elapsed(), ..answer }
    }
}

fn failed(why: String) -> Answer {
    Answer { status: None, excerpt: None, error: Some(why), took: Duration::ZERO }
}

/// The innermost cause: what our connector said, or the connection.
fn cause(error: &legacy::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

async fn judge(response: Response<Incoming>, end: Instant) -> Answer {
    let status = response.status();
    let error = if status.is_success() {
        None
    } else if status.is_redirection() {
        Some("it answered with a redirect, and none is followed".to_owned())
    } else {
        Some(format!("it answered {status}"))
    };
    // The status decides; what is said besides may take its time, but only until the end.
    let excerpt = timeout_at(end, excerpt(response.into_body())).await.unwrap_or_default();
    Answer { status: Some(status.as_u16()), excerpt, error, took: Duration::ZERO }
}

/// The first bytes of a body as text; the rest is not read. PostgreSQL cannot hold U+0000.
async fn excerpt(mut body: Incoming) -> Option<String> {
    let mut read = Vec::new();
    while read.len() < EXCERPT {
        let Some(Ok(frame)) = body.frame().await else { break };
        if let Some(data) = frame.data_ref() {
            read.extend_from_slice(&data[..data.len().min(EXCERPT - read.len())]);
        }
    }
    let text = String::from_utf8_lossy(&read).replace('\0', "\u{fffd}");
    (!text.is_empty()).then_some(text)
}

fn tls(extra_ca: Option<&[u8]>) -> Result<rustls::ClientConfig, Error> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in CertificateDer::pem_slice_iter(extra_ca.unwrap_or_default()) {
        let added = certificate
            .map_err(|e| e.to_string())
            .and_then(|certificate| roots.add(certificate).map_err(|e| e.to_string()));
        added.map_err(|e| Error::Unfit(format!("WEBHOOK_CA_FILE: {e}")))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::Unfit(e.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
