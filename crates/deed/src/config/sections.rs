//! From settings to what each part of the program takes: one structure for each concern.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use deed_anchor::{Credentials, Directory, Place, S3, S3Config};
use deed_api::{ApiConfig, AuditFailure, HttpLimits, Secret};
use deed_notify::address::Guard;
use deed_store::{Clock, StoreConfig};
use deed_worker::{WebhookConfig, WorkerConfig};

use super::kind::Value;
use super::settings::Settings;
use super::table;
use super::variable::Variable;

/// What signs, and in whose name.
#[derive(Debug)]
pub(crate) struct Identity {
    /// URL of this server, in every signature.
    pub(crate) issuer: String,
    /// The signing key as PKCS#8 text.
    pub(crate) signing_key: Secret,
}

/// How events are logged.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    /// One JSON object a line; `None` leaves it to whether standard error is a terminal.
    pub(crate) json: Option<bool>,
    /// The least level, or levels by module.
    pub(crate) level: String,
}

impl Settings {
    /// The database as the application role.
    pub(crate) fn store(&self, application_name: &str) -> StoreConfig {
        self.store_at(&self.url(&table::DATABASE_URL), application_name)
    }

    /// The database as the owner of its tables.
    pub(crate) fn store_as_owner(&self, application_name: &str) -> StoreConfig {
        self.store_at(&self.url(&table::DATABASE_MIGRATION_URL), application_name)
    }

    /// A database that the caller knows the URL of.
    pub(crate) fn store_at(&self, url: &str, application_name: &str) -> StoreConfig {
        let pool_size = self.get(&table::DATABASE_POOL_SIZE);
        StoreConfig {
            url: url.to_owned(),
            // Migrations use one connection, and no variable for it.
            pool_size: pool_size.map_or(1, |_| self.count(&table::DATABASE_POOL_SIZE)),
            connect_timeout: self.duration(&table::DATABASE_CONNECT_TIMEOUT),
            acquire_timeout: self.duration(&table::DATABASE_ACQUIRE_TIMEOUT),
            transaction_deadline: self.duration(&table::DATABASE_TRANSACTION_DEADLINE),
            lock_timeout: self.duration(&table::DATABASE_LOCK_TIMEOUT),
            application_name: application_name.to_owned(),
            tls_ca_file: self
                .path(&table::DATABASE_TLS_CA_FILE)
                .map(|path| path.to_string_lossy().into_owned()),
        }
    }

    fn url(&self, variable: &Variable) -> String {
        String::from_utf8_lossy(&self.secret(variable).0).into_owned()
    }

    /// The role that the application logs in as.
    pub(crate) fn app_role(&self) -> String {
        self.text(&table::DATABASE_APP_ROLE).unwrap_or_default().to_owned()
    }

    /// What signs, and in whose name.
    pub(crate) fn identity(&self) -> Identity {
        Identity {
            issuer: self.issuer().unwrap_or_default(),
            signing_key: self.secret(&table::VAULT_SIGNING_KEY),
        }
    }

    /// URL of this server, which `deed up` may also choose by itself.
    pub(crate) fn issuer(&self) -> Option<String> {
        self.text(&table::ISSUER_URL).map(str::to_owned)
    }

    /// The secret under which API keys are stored.
    pub(crate) fn api_key_secret(&self) -> Secret {
        self.secret(&table::API_KEY_SECRET)
    }

    /// Where the API listens.
    pub(crate) fn listen(&self) -> std::net::SocketAddr {
        self.address(&table::LISTEN_ADDRESS)
    }

    /// The API, with a secret that the caller knows.
    pub(crate) fn api_with(&self, api_key_secret: Secret) -> ApiConfig {
        ApiConfig {
            listen: self.listen(),
            api_key_secret,
            limits: self.http_limits(),
            append_queue: self.count(&table::APPEND_QUEUE),
            cache_max_age: self.duration(&table::CACHE_MAX_AGE),
            webhook_guard: self.webhook_guard(),
            audit_failure: match self.text(&table::AUDIT_LOG_FAILURE) {
                Some("refuse") => AuditFailure::Refuse,
                _ => AuditFailure::Continue,
            },
        }
    }

    /// The HTTP server.
    pub(crate) fn http_limits(&self) -> HttpLimits {
        HttpLimits {
            max_connections: self.count(&table::HTTP_MAX_CONNECTIONS),
            max_in_flight: self.count(&table::HTTP_MAX_IN_FLIGHT),
            max_body_bytes: self.count(&table::HTTP_MAX_BODY_BYTES),
            header_timeout: self.duration(&table::HTTP_HEADER_TIMEOUT),
            request_timeout: self.duration(&table::HTTP_REQUEST_TIMEOUT),
            drain_delay: self.duration(&table::HTTP_DRAIN_DELAY),
            shutdown_timeout: self.duration(&table::HTTP_SHUTDOWN_TIMEOUT),
        }
    }

    /// Where the worker reports its health.
    pub(crate) fn worker_listen(&self) -> std::net::SocketAddr {
        self.address(&table::WORKER_LISTEN_ADDRESS)
    }

    /// The worker.
    pub(crate) fn worker(&self) -> WorkerConfig {
        WorkerConfig {
            concurrency: self.count(&table::WORKER_CONCURRENCY),
            lease: self.duration(&table::WORKER_LEASE),
            drain_timeout: self.duration(&table::WORKER_DRAIN_TIMEOUT),
        }
    }

    fn webhook_guard(&self) -> Guard {
        Guard::new(self.networks(&table::WEBHOOK_ALLOWED_NETWORKS))
    }

    /// Deliveries to webhooks, with a secret that the caller knows.
    ///
    /// # Errors
    /// When the file of certificate authorities cannot be read.
    pub(crate) fn webhooks_with(&self, api_key_secret: &Secret) -> anyhow::Result<WebhookConfig> {
        let read = |path: PathBuf| {
            std::fs::read(&path).with_context(|| format!("WEBHOOK_CA_FILE {}", path.display()))
        };
        Ok(WebhookConfig {
            guard: self.webhook_guard(),
            extra_ca: self.path(&table::WEBHOOK_CA_FILE).map(read).transpose()?,
            name_servers: self.addresses(&table::WEBHOOK_DNS_SERVERS),
            concurrency: self.count(&table::WEBHOOK_CONCURRENCY),
            server_secret: api_key_secret.0.clone(),
        })
    }

    /// The anchors; `folder` is the one that is used when none is set.
    pub(crate) fn anchors(&self, folder: Option<PathBuf>) -> Result<Vec<Place>> {
        let folder = self.path(&table::ANCHOR_DIRECTORY).or(folder);
        let mut places: Vec<Place> =
            folder.map(|path| Place::Directory(Directory::new(path))).into_iter().collect();
        if let Some(bucket) = self.text(&table::ANCHOR_S3_BUCKET) {
            let now = || Clock::System.now();
            places.push(Place::S3(S3::new(self.bucket(bucket)?, Arc::new(now))?));
        } else if self.text(&table::ANCHOR_S3_ENDPOINT).is_some()
            || self.credential(&table::ANCHOR_S3_ACCESS_KEY_ID).is_some()
        {
            bail!("settings of an S3 anchor are there, but ANCHOR_S3_BUCKET is not set");
        }
        Ok(places)
    }

    fn bucket(&self, bucket: &str) -> Result<S3Config> {
        let needed = |variable: &Variable| {
            self.credential(variable).ok_or_else(|| {
                let name = variable.name;
                anyhow::anyhow!("ANCHOR_S3_BUCKET is set, but {name} is not, nor {name}_FILE")
            })
        };
        let region = self.text(&table::ANCHOR_S3_REGION).unwrap_or_default().to_owned();
        let endpoint = self.text(&table::ANCHOR_S3_ENDPOINT);
        let style = self.text(&table::ANCHOR_S3_PATH_STYLE);
        let days = self.count(&table::ANCHOR_S3_RETENTION_DAYS) as u64;
        Ok(S3Config {
            path_style: style.map_or(endpoint.is_some(), |style| style == "true"),
            endpoint: endpoint
                .map_or_else(|| format!("https://s3.{region}.amazonaws.com"), str::to_owned),
            region,
            bucket: bucket.to_owned(),
            prefix: self.text(&table::ANCHOR_S3_PREFIX).unwrap_or_default().to_owned(),
            retention: Duration::from_secs(days * 24 * 3600),
            credentials: Credentials {
                access_key_id: needed(&table::ANCHOR_S3_ACCESS_KEY_ID)?,
                secret_access_key: needed(&table::ANCHOR_S3_SECRET_ACCESS_KEY)?,
            },
            tls_ca_file: self
                .path(&table::ANCHOR_S3_TLS_CA_FILE)
                .map(|path| path.to_string_lossy().into_owned()),
        })
    }

    fn credential(&self, variable: &Variable) -> Option<String> {
        self.optional_secret(variable).map(|secret| String::from_utf8_lossy(&secret.0).into_owned())
    }

    /// How events are logged.
    pub(crate) fn log(&self) -> Log {
        Log {
            json: self.text(&table::LOG_FORMAT).map(|format| format == "json"),
            level: self.text(&table::LOG_LEVEL).unwrap_or("info").to_owned(),
        }
    }
}

/// Reads an API key secret that did not come from the environment; `None` when it is none.
pub(crate) fn read_api_key_secret(text: &str) -> Option<Secret> {
    match table::API_KEY_SECRET.kind.read(text) {
        Some(Value::Secret(secret)) => Some(secret),
        _ => None,
    }
}
