//! Signed requests (AWS Signature Version 4) over HTTP/1.1, with a bound on time and size.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials as Keys;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningParams,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, Method, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::{S3Config, wire};
use crate::Error;

/// Longest time for one request.
const DEADLINE: Duration = Duration::from_secs(30);
/// Longest time to connect.
const CONNECT: Duration = Duration::from_secs(5);
/// Largest answer that is no object.
const MOST_ANSWER: usize = 4 << 20;

/// What is asked of the bucket.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    /// Empty for the bucket itself.
    pub(super) key: &'a str,
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    /// Largest answer.
    pub(super) limit: usize,
}

impl<'a> Request<'a> {
    pub(super) fn get(key: &'a str, query: &'a [(&'a str, &'a str)]) -> Self {
        let (headers, body, limit) = (Vec::new(), Vec::new(), MOST_ANSWER);
        Self { method: Method::GET, key, query, headers, body, limit }
    }
}

/// What came back.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// What S3 says of a refusal.
    pub(super) fn refusal(&self) -> wire::Refusal {
        wire::read(&self.body).unwrap_or_default()
    }

    /// The refusal as an error: some are passing, others for whoever set up the bucket.
    pub(super) fn error(&self, what: &str) -> Error {
        let wire::Refusal { code, message } = self.refusal();
        let text = format!("{what}: the storage answers {} {code} {message}", self.status.as_u16());
        let passing = self.status.is_server_error() && self.status != StatusCode::NOT_IMPLEMENTED
            || matches!(self.status.as_u16(), 408 | 409 | 429);
        if passing { Error::Unavailable(text) } else { Error::Unfit(text) }
    }
}

pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    identity: Identity,
    /// URL of the bucket, without a final slash.
    base: String,
}

impl Http {
    pub(super) fn new(config: &S3Config) -> Result<Self, Error> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.set_keepalive(Some(Duration::from_secs(30)));
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls(config.tls_ca_file.as_deref())?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(15))
            .build(connector);
        let keys = &config.credentials;
        let keys =
            Keys::new(&keys.access_key_id, &keys.secret_access_key, None, None, "configuration");
        Ok(Self { client, identity: keys.into(), base: base(config)? })
    }

    pub(super) async fn send(
        &self,
        config: &S3Config,
        request: Request<'_>,
        now: DateTime<Utc>,
    ) -> Result<Reply, Error> {
        let (limit, what) = (request.limit, request.key.to_owned());
        let signed = self.signed(config, request, now.into())?;
        let exchange = async {
            let response = self.client.request(signed).await.map_err(|error| {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                unreachable(&self.base, &cause.unwrap_or_else(|| error.to_string()))
            })?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, limit).collect().await;
            let body = body.map_err(|error| unreachable(&self.base, &error.to_string()))?;
            let body = body.to_bytes().to_vec();
            Ok(Reply { status: parts.status, headers: parts.headers, body })
        };
        let late = |_| unreachable(&self.base, &format!("no answer about {what} in {DEADLINE:?}"));
        tokio::time::timeout(DEADLINE, exchange).await.map_err(late)?
    }

    fn signed(
        &self,
        config: &S3Config,
        request: Request<'_>,
        now: SystemTime,
    ) -> Result<http::Request<Full<Bytes>>, Error> {
        let unfit = |error: &dyn std::fmt::Display| Error::Unfit(format!("no request: {error}"));
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let params = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(&config.region)
            .name("s3")
            .time(now)
            .settings(settings)
            .build()
            .map_err(|error| unfit(&error))?;
        let url = format!("{}/{}{}", self.base, request.key, query(request.query));
        let signable = SignableRequest::new(
            request.method.as_str(),
            &url,
            request.headers.iter().map(|(name, value)| (*name, value.as_str())),
            SignableBody::Bytes(&request.body),
        );
        let signable = signable.map_err(|error| unfit(&error))?;
        let (instructions, _) =
            sign(signable, &SigningParams::V4(params)).map_err(|error| unfit(&error))?.into_parts();
        let mut signed = http::Request::builder().method(request.method).uri(&url);
        for (name, value) in &request.headers {
            signed = signed.header(*name, value);
        }
        let mut signed =
            signed.body(Full::new(Bytes::from(request.body))).map_err(|error| unfit(&error))?;
        instructions.apply_to_request_http1x(&mut signed);
        Ok(signed)
    }
}

fn unreachable(base: &str, why: &str) -> Error {
    Error::Unavailable(format!("{base} cannot be reached: {why}"))
}

fn base(config: &S3Config) -> Result<String, Error> {
    let S3Config { endpoint, bucket, .. } = config;
    let (scheme, rest) = endpoint
        .split_once("://")
        .ok_or_else(|| Error::Unfit(format!("{endpoint} is no URL of a storage")))?;
    let base = if config.path_style {
        format!("{endpoint}/{bucket}")
    } else {
        format!("{scheme}://{bucket}.{rest}")
    };
    let parsed = base.parse::<Uri>();
    parsed.map(|_| base).map_err(|error| Error::Unfit(format!("{endpoint}: {error}")))
}

fn query(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (n, (name, value)) in pairs.iter().enumerate() {
        text.push(if n == 0 { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        for byte in value.bytes() {
            // RFC 3986 section 2.3, as the signature has it.
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                text.push(char::from(byte));
            } else {
                text.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    text
}

fn tls(ca_file: Option<&str>) -> Result<rustls::ClientConfig, Error> {
    let mut roots = rustls::RootCertStore::empty();
    if let Some(path) = ca_file {
        use rustls::pki_types::pem::PemObject as _;
        let unfit = |error: String| Error::Unfit(format!("ANCHOR_S3_TLS_CA_FILE {path}: {error}"));
        let pem = std::fs::read(path).map_err(|error| unfit(error.to_string()))?;
        for certificate in rustls::pki_types::CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| unfit(error.to_string()))?;
            roots.add(certificate).map_err(|error| unfit(error.to_string()))?;
        }
    } else {
        // A machine without certificates can still reach a storage that needs none.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Unfit(error.to_string()))?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}
