//! An HTTPS endpoint that keeps what it was sent and answers as it is told.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

/// Names that the endpoints' certificate is for.
const NAMES: [&str; 4] = ["127.0.0.1", "127.0.0.2", "endpoint.test", "*.endpoint.test"];

struct Pki {
    ca_pem: String,
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

/// One authority for the process.
fn pki() -> &'static Pki {
    static PKI: OnceLock<Pki> = OnceLock::new();
    PKI.get_or_init(|| {
        let mut params = CertificateParams::new([]).expect("an endpoint on loopback");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_key = KeyPair::generate().expect("an endpoint on loopback");
        let ca_pem = params.self_signed(&ca_key).expect("an endpoint on loopback").pem();
        let issuer = Issuer::new(params, ca_key);
        let key = KeyPair::generate().expect("an endpoint on loopback");
        let leaf =
            CertificateParams::new(NAMES.map(str::to_owned)).expect("an endpoint on loopback");
        let certificate = leaf.signed_by(&key, &issuer).expect("an endpoint on loopback");
        Pki { ca_pem, certificate: certificate.der().clone(), key: key.serialize_der() }
    })
}

/// PEM of the authority that vouches for endpoints.
#[must_use]
pub fn ca_pem() -> Vec<u8> {
    pki().ca_pem.clone().into_bytes()
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    /// Path and query.
    pub path: String,
    /// By name, in lower case.
    pub headers: HashMap<String, String>,
    /// The body.
    pub body: Bytes,
}

impl Received {
    /// The value of a header; empty when it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("an endpoint on loopback")
    }
}

type Answer = Arc<dyn Fn(Received) -> BoxFuture<'static, Response<Full<Bytes>>> + Send + Sync>;

/// It answers 200 until it is told otherwise.
pub struct Endpoint {
    /// Where it listens.
    pub address: SocketAddr,
    /// What arrives.
    pub received: mpsc::UnboundedReceiver<Received>,
    answer: Arc<Mutex<Answer>>,
}

/// An answer with a short body.
#[must_use]
pub fn status(code: u16) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from("so it is"));
    *response.status_mut() = StatusCode::from_u16(code).expect("an endpoint on loopback");
    response
}

impl Endpoint {
    /// On a free port of 127.0.0.1.
    pub async fn start() -> Self {
        Self::at([127, 0, 0, 1].into()).await
    }

    /// On a free port of this address.
    pub async fn at(ip: IpAddr) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.expect("an endpoint on loopback");
        let address = listener.local_addr().expect("an endpoint on loopback");
        let (tell, received) = mpsc::unbounded_channel();
        let ok: Answer = Arc::new(|_| Box::pin(async { status(200) }));
        let answer = Arc::new(Mutex::new(ok));
        tokio::spawn(accept(listener, tell, Arc::clone(&answer)));
        Self { address, received, answer }
    }

    /// A URL of it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}/hook", self.address)
    }

    /// Answers from now on as `answer` says.
    pub fn answers<F>(&self, answer: impl Fn(Received) -> F + Send + Sync + 'static)
    where
        F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        *self.answer.lock().expect("an endpoint on loopback") =
            Arc::new(move |received| Box::pin(answer(received)));
    }

    /// The next request.
    pub async fn next(&mut self) -> Received {
        self.received.recv().await.expect("an endpoint on loopback")
    }
}

async fn accept(
    listener: TcpListener,
    tell: mpsc::UnboundedSender<Received>,
    answer: Arc<Mutex<Answer>>,
) {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pki().key.clone()));
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("an endpoint on loopback")
        .with_no_client_auth()
        .with_single_cert(vec![pki().certificate.clone()], key)
        .expect("an endpoint on loopback");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, tell, answer) = (acceptor.clone(), tell.clone(), Arc::clone(&answer));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(move |request| {
                let (tell, answer) =
                    (tell.clone(), answer.lock().expect("an endpoint on loopback").clone());
                async move { Ok::<_, Infallible>(serve(request, tell, answer).await) }
            });
            let http = hyper::server::conn::http1::Builder::new();
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn serve(
    request: Request<Incoming>,
    tell: mpsc::UnboundedSender<Received>,
    answer: Answer,
) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let headers = parts.headers.iter();
    let headers = headers
        .map(|(n, v)| (n.to_string(), v.to_str().expect("an endpoint on loopback").to_owned()))
        .collect();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let received = Received { path: parts.uri.to_string(), headers, body };
    let _ = tell.send(received.clone());
    answer(received).await
}
