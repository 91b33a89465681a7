//! A bucket of S3-compatible storage: objects under Object Lock in COMPLIANCE mode, written only where
//! nothing is, each version of each read back.

mod check;
mod http;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::http::{Method, StatusCode};
use base64::Engine as _;
use chrono::{DateTime, SecondsFormat, Utc};
use sha2::{Digest as _, Sha256};

use self::http::{Http, Reply, Request};
use crate::{Error, Listed, Listing, Marker};

/// Where a bucket is, and how long what is written to it stays.
#[derive(Debug, Clone)]
pub struct S3Config {
    /// URL of the service, without the bucket and a final slash.
    pub endpoint: String,
    /// Region that requests are signed for.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// Whether the bucket is part of the path, not of the host name.
    pub path_style: bool,
    /// What every key begins with: empty, or with a slash at the end.
    pub prefix: String,
    /// How long an object can neither be deleted nor replaced.
    pub retention: Duration,
    /// Who writes.
    pub credentials: Credentials,
    /// PEM file of the certificate authorities that are trusted; the system's own when absent.
    pub tls_ca_file: Option<String>,
}

/// An access key.
#[derive(Clone)]
pub struct Credentials {
    /// Its id.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// The time, which the caller has.
pub type Now = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// A bucket of anchors. Cheap to clone.
#[derive(Clone)]
pub struct S3(Arc<Inner>);

struct Inner {
    config: S3Config,
    location: String,
    http: Http,
    now: Now,
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3").field(&self.0.config).finish()
    }
}

impl S3 {
    /// A bucket; nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Unfit`] when the endpoint is no URL or the certificates cannot be read.
    pub fn new(config: S3Config, now: Now) -> Result<Self, Error> {
        let location = format!("{}/{}/{}", config.endpoint, config.bucket, config.prefix);
        let http = Http::new(&config)?;
        Ok(Self(Arc::new(Inner { config, location, http, now })))
    }

    pub(crate) fn location(&self) -> &str {
        &self.0.location
    }

    pub(crate) async fn check(&self, probe: &str) -> Result<(), Error> {
        check::run(self, probe).await
    }

    pub(crate) async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<String, Error> {
        let reply = self.create(key, bytes.clone()).await?;
        match reply.status {
            StatusCode::OK => version(&reply, key),
            StatusCode::PRECONDITION_FAILED => self.compare(key, &bytes).await,
            _ => Err(reply.error(key)),
        }
    }

    pub(crate) async fn get(
        &self,
        key: &str,
        version: Option<&str>,
        limit: usize,
    ) -> Result<Vec<u8>, Error> {
        let query: Vec<(&str, &str)> = version.map(|id| ("versionId", id)).into_iter().collect();
        let key = self.full(key);
        let reply = self.send(Request { limit, ..Request::get(&key, &query) }).await?;
        if reply.status == StatusCode::OK { Ok(reply.body) } else { Err(reply.error(&key)) }
    }

    /// Every version, and every mark of a deletion.
    pub(crate) async fn list(&self, folder: &str, from: Option<&Marker>) -> Result<Listing, Error> {
        let prefix = self.full(folder);
        let mut query = vec![("versions", ""), ("prefix", prefix.as_str())];
        if let Some(from) = from {
            query.push(("key-marker", &from.key));
            query.extend(from.version.as_deref().map(|version| ("version-id-marker", version)));
        }
        let reply = self.send(Request::get("", &query)).await?;
        if reply.status != StatusCode::OK {
            return Err(reply.error(&prefix));
        }
        let found: wire::Versions = wire::read(&reply.body)?;
        let strip = |key: String| key.strip_prefix(&self.0.config.prefix).map(str::to_owned);
        let listed = |version: wire::Version, deleted| {
            let key = strip(version.key)?;
            Some(Listed { key, version: Some(version.version_id), deleted })
        };
        let versions = found.versions.into_iter().filter_map(|version| listed(version, false));
        let marks = found.delete_markers.into_iter().filter_map(|mark| listed(mark, true));
        let mut items: Vec<Listed> = versions.chain(marks).collect();
        items.sort_by(|a, b| a.key.cmp(&b.key));
        let marker = |key| Marker { key, version: found.next_version_id_marker };
        let next = found.next_key_marker.filter(|_| found.is_truncated).map(marker);
        Ok(Listing { items, next })
    }

    /// Writes an object under retention, if nothing has its key.
    async fn create(&self, key: &str, bytes: Vec<u8>) -> Result<Reply, Error> {
        let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(&bytes));
        let until = (self.0.now)() + self.0.config.retention;
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("if-none-match", "*".to_owned()),
            ("x-amz-checksum-sha256", digest),
            ("x-amz-object-lock-mode", "COMPLIANCE".to_owned()),
            (
                "x-amz-object-lock-retain-until-date",
                until.to_rfc3339_opts(SecondsFormat::Secs, true),
            ),
        ];
        let key = self.full(key);
        let request = Request::get(&key, &[]);
        self.send(Request { method: Method::PUT, headers, body: bytes, ..request }).await
    }

    /// The version of an object that is there already, if it has these bytes. The oldest one counts:
    /// whoever may write can put a newer one before it.
    async fn compare(&self, key: &str, bytes: &[u8]) -> Result<String, Error> {
        let listed = self.list(key, None).await?.items;
        let oldest = listed.into_iter().rfind(|one| one.key == key && !one.deleted);
        // Written, deleted and hidden by a mark: it is not there for readers.
        let oldest = oldest.ok_or_else(|| Error::Taken(key.to_owned()))?;
        let found = self.get(key, oldest.version.as_deref(), bytes.len() + 1).await?;
        match oldest.version {
            Some(version) if found == bytes => Ok(version),
            _ => Err(Error::Taken(format!("{}{key}", self.0.location))),
        }
    }

    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.0.config.prefix)
    }

    async fn send(&self, request: Request<'_>) -> Result<Reply, Error> {
        self.0.http.send(&self.0.config, request, (self.0.now)()).await
    }
}

fn version(reply: &Reply, key: &str) -> Result<String, Error> {
    let version = reply.header("x-amz-version-id").filter(|version| *version != "null");
    version.map(str::to_owned).ok_or_else(|| {
        Error::Unfit(format!("{key} was written without a version: the bucket keeps no versions"))
    })
}
