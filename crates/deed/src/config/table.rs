//! Every variable there is. Reading, checking and `docs/configuration.md` all come from here.

mod anchors;

use std::time::Duration;

pub(crate) use self::anchors::{
    ANCHOR_DIRECTORY, ANCHOR_S3_ACCESS_KEY_ID, ANCHOR_S3_BUCKET, ANCHOR_S3_ENDPOINT,
    ANCHOR_S3_PATH_STYLE, ANCHOR_S3_PREFIX, ANCHOR_S3_REGION, ANCHOR_S3_RETENTION_DAYS,
    ANCHOR_S3_SECRET_ACCESS_KEY, ANCHOR_S3_TLS_CA_FILE,
};
use super::kind::Kind;
use super::variable::Process::{Api, Audit, Keys, Migrate, Up, Worker};
use super::variable::{Concern, Default, Process, Variable};

/// Prefixes that belong to Deed: a variable that has one and is not in the table is refused,
/// because a misspelt setting that is silently ignored is a setting that is not in force.
pub(crate) const PREFIXES: [&str; 12] = [
    "AUDIT_",
    "DATABASE_",
    "DEED_",
    "VAULT_",
    "API_",
    "LISTEN_",
    "WORKER_",
    "WEBHOOK_",
    "ANCHOR_",
    "LOG_",
    "HTTP_",
    "ISSUER_",
];

/// Variables of other programs that share a prefix: our own tests, HTTP proxies, HashiCorp Vault,
/// systemd's socket activation.
pub(crate) const FOREIGN: [&str; 13] = [
    "DEED_TEST_DATABASE_URL",
    "HTTP_PROXY",
    "VAULT_ADDR",
    "VAULT_AGENT_ADDR",
    "VAULT_CACERT",
    "VAULT_CAPATH",
    "VAULT_FORMAT",
    "VAULT_NAMESPACE",
    "VAULT_SKIP_VERIFY",
    "VAULT_TOKEN",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
];

/// All variables, in the order of the documentation.
pub(crate) static TABLE: [&Variable; 45] = [
    &DATABASE_URL,
    &DATABASE_MIGRATION_URL,
    &DATABASE_APP_ROLE,
    &DATABASE_POOL_SIZE,
    &DATABASE_CONNECT_TIMEOUT,
    &DATABASE_ACQUIRE_TIMEOUT,
    &DATABASE_TRANSACTION_DEADLINE,
    &DATABASE_LOCK_TIMEOUT,
    &DATABASE_TLS_CA_FILE,
    &ISSUER_URL,
    &VAULT_SIGNING_KEY,
    &API_KEY_SECRET,
    &LISTEN_ADDRESS,
    &APPEND_QUEUE,
    &CACHE_MAX_AGE,
    &AUDIT_LOG_FAILURE,
    &HTTP_MAX_CONNECTIONS,
    &HTTP_MAX_IN_FLIGHT,
    &HTTP_MAX_BODY_BYTES,
    &HTTP_HEADER_TIMEOUT,
    &HTTP_REQUEST_TIMEOUT,
    &HTTP_DRAIN_DELAY,
    &HTTP_SHUTDOWN_TIMEOUT,
    &WORKER_LISTEN_ADDRESS,
    &WORKER_CONCURRENCY,
    &WORKER_LEASE,
    &WORKER_DRAIN_TIMEOUT,
    &WEBHOOK_ALLOWED_NETWORKS,
    &WEBHOOK_CA_FILE,
    &WEBHOOK_DNS_SERVERS,
    &WEBHOOK_CONCURRENCY,
    &ANCHOR_DIRECTORY,
    &ANCHOR_S3_BUCKET,
    &ANCHOR_S3_ENDPOINT,
    &ANCHOR_S3_REGION,
    &ANCHOR_S3_PATH_STYLE,
    &ANCHOR_S3_PREFIX,
    &ANCHOR_S3_RETENTION_DAYS,
    &ANCHOR_S3_ACCESS_KEY_ID,
    &ANCHOR_S3_SECRET_ACCESS_KEY,
    &ANCHOR_S3_TLS_CA_FILE,
    &LOG_FORMAT,
    &LOG_LEVEL,
    &DEED_POSTGRES_BIN,
    &DEED_POSTGRES_USER,
];

/// Processes that serve, in this process or in `deed up`.
const SERVING: &[Process] = &[Api, Worker, Up];
/// Processes that talk to a database.
const CONNECTED: &[Process] = &[Api, Worker, Migrate, Keys, Audit, Up];
const EVERY: &[Process] = CONNECTED;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// What most variables have in common; the others override it.
const BASE: Variable = Variable {
    name: "",
    concern: Concern::Database,
    kind: Kind::Path,
    default: Default::Required,
    default_in_up: None,
    used_by: EVERY,
    about: "",
};

pub(crate) static DATABASE_URL: Variable = Variable {
    name: "DATABASE_URL",
    kind: Kind::DatabaseUrl,
    used_by: &[Api, Worker, Keys, Audit],
    about: "The database, as the application role, which may not change the vault. Several hosts \
            may be named; the writable one is used.",
    ..BASE
};

pub(crate) static DATABASE_MIGRATION_URL: Variable = Variable {
    name: "DATABASE_MIGRATION_URL",
    kind: Kind::DatabaseUrl,
    used_by: &[Migrate],
    about: "The same database as the role that owns its tables. Give it to no other process.",
    ..BASE
};

pub(crate) static DATABASE_APP_ROLE: Variable = Variable {
    name: "DATABASE_APP_ROLE",
    kind: Kind::Role,
    default: Default::Value("deed_app"),
    used_by: &[Migrate],
    about: "The application role, which must exist; `deed migrate` grants it the rights it needs.",
    ..BASE
};

pub(crate) static DATABASE_POOL_SIZE: Variable = Variable {
    name: "DATABASE_POOL_SIZE",
    kind: Kind::Count(1, 1000),
    default: Default::Value("10"),
    used_by: &[Api, Worker, Keys, Up],
    about: "Most connections that one process opens.",
    ..BASE
};

pub(crate) static DATABASE_CONNECT_TIMEOUT: Variable = Variable {
    name: "DATABASE_CONNECT_TIMEOUT",
    kind: Kind::Duration(ms(100), ms(60_000)),
    default: Default::Value("5s"),
    used_by: CONNECTED,
    about: "Longest wait for a new connection, authentication included.",
    ..BASE
};

pub(crate) static DATABASE_ACQUIRE_TIMEOUT: Variable = Variable {
    name: "DATABASE_ACQUIRE_TIMEOUT",
    kind: Kind::Duration(ms(10), ms(60_000)),
    default: Default::Value("5s"),
    used_by: CONNECTED,
    about: "Longest wait for a free connection of the pool.",
    ..BASE
};

pub(crate) static DATABASE_TRANSACTION_DEADLINE: Variable = Variable {
    name: "DATABASE_TRANSACTION_DEADLINE",
    kind: Kind::Duration(ms(100), ms(600_000)),
    default: Default::Value("10s"),
    used_by: CONNECTED,
    about: "Longest time for one transaction, COMMIT included.",
    ..BASE
};

pub(crate) static DATABASE_LOCK_TIMEOUT: Variable = Variable {
    name: "DATABASE_LOCK_TIMEOUT",
    kind: Kind::Duration(ms(10), ms(60_000)),
    default: Default::Value("5s"),
    used_by: CONNECTED,
    about: "Longest wait for a lock in the database (`lock_timeout`).",
    ..BASE
};

pub(crate) static DATABASE_TLS_CA_FILE: Variable = Variable {
    name: "DATABASE_TLS_CA_FILE",
    kind: Kind::Path,
    default: Default::Otherwise("the system's certificate authorities"),
    used_by: &[Api, Worker, Migrate, Keys, Audit],
    about: "PEM file of the certificate authorities that may vouch for the database server.",
    ..BASE
};

pub(crate) static ISSUER_URL: Variable = Variable {
    name: "ISSUER_URL",
    concern: Concern::Identity,
    kind: Kind::HttpUrl,
    about: "The URL by which others know this server. It is part of every signature and fixed by \
            the first migration: changing it later is refused.",
    default_in_up: Some(Default::Otherwise("the URL of its first start, kept in the data folder")),
    ..BASE
};

pub(crate) static VAULT_SIGNING_KEY: Variable = Variable {
    name: "VAULT_SIGNING_KEY",
    concern: Concern::Identity,
    kind: Kind::SigningKey,
    used_by: &[Api, Worker, Migrate, Keys],
    about: "The key that signs every entry. Its public half is published at \
            `/.well-known/deed-vault-keys.json`.",
    ..BASE
};

pub(crate) static API_KEY_SECRET: Variable = Variable {
    name: "API_KEY_SECRET",
    concern: Concern::Identity,
    kind: Kind::Pepper,
    used_by: &[Api, Worker, Keys],
    about: "API keys are stored as HMACs under this secret, and the secrets of webhooks are sealed \
            with it. With another secret no API key is recognised any more, and no webhook with a \
            secret is delivered until that is rotated.",
    ..BASE
};

pub(crate) static LISTEN_ADDRESS: Variable = Variable {
    name: "LISTEN_ADDRESS",
    concern: Concern::Api,
    kind: Kind::Address,
    default: Default::Value("127.0.0.1:8420"),
    used_by: &[Api, Up],
    about: "Where the API listens, in plain HTTP: put a TLS proxy before it. `deed up --port` \
            comes first.",
    ..BASE
};

pub(crate) static APPEND_QUEUE: Variable = Variable {
    name: "APPEND_QUEUE",
    concern: Concern::Api,
    kind: Kind::Count(1, 1_000_000),
    default: Default::Value("10000"),
    used_by: &[Api, Up],
    about: "Most appends that wait for the database; beyond it the answer is 503.",
    ..BASE
};

pub(crate) static CACHE_MAX_AGE: Variable = Variable {
    name: "CACHE_MAX_AGE",
    concern: Concern::Api,
    kind: Kind::Duration(ms(0), ms(60_000)),
    default: Default::Value("5s"),
    used_by: &[Api, Up],
    about: "How long an API key or a Type may be served from memory: a revocation takes effect in \
            all processes within this time.",
    ..BASE
};

pub(crate) static AUDIT_LOG_FAILURE: Variable = Variable {
    name: "AUDIT_LOG_FAILURE",
    concern: Concern::Api,
    kind: Kind::Choice(&["continue", "refuse"]),
    default: Default::Value("continue"),
    used_by: &[Api, Up],
    about: "When the operational audit log cannot be written: `refuse` answers administrative requests with a \
            retryable 503, each being in the log before it is worked on; `continue` serves them and keeps \
            up to 10,000 entries in memory.",
    ..BASE
};

pub(crate) static HTTP_MAX_CONNECTIONS: Variable = Variable {
    name: "HTTP_MAX_CONNECTIONS",
    concern: Concern::Http,
    kind: Kind::Count(1, 1_000_000),
    default: Default::Value("1024"),
    used_by: SERVING,
    about: "Most connections open at once; further ones wait in the kernel's queue.",
    ..BASE
};

pub(crate) static HTTP_MAX_IN_FLIGHT: Variable = Variable {
    name: "HTTP_MAX_IN_FLIGHT",
    concern: Concern::Http,
    kind: Kind::Count(1, 1_000_000),
    default: Default::Value("1024"),
    used_by: SERVING,
    about: "Most requests worked on at once; beyond it the answer is 503 with `Retry-After`.",
    ..BASE
};

pub(crate) static HTTP_MAX_BODY_BYTES: Variable = Variable {
    name: "HTTP_MAX_BODY_BYTES",
    concern: Concern::Http,
    kind: Kind::Size(1024, 64 * 1024 * 1024),
    default: Default::Value("1MiB"),
    used_by: SERVING,
    about: "Largest request body; beyond it the answer is 413.",
    ..BASE
};

pub(crate) static HTTP_HEADER_TIMEOUT: Variable = Variable {
    name: "HTTP_HEADER_TIMEOUT",
    concern: Concern::Http,
    kind: Kind::Duration(ms(10), ms(600_000)),
    default: Default::Value("10s"),
    used_by: SERVING,
    about: "Longest time for the headers of a request to arrive, and for a connection to stay \
            open between two requests. Where a proxy stands before it, set it above the proxy's \
            own idle timeout.",
    ..BASE
};

pub(crate) static HTTP_REQUEST_TIMEOUT: Variable = Variable {
    name: "HTTP_REQUEST_TIMEOUT",
    concern: Concern::Http,
    kind: Kind::Duration(ms(10), ms(600_000)),
    default: Default::Value("30s"),
    used_by: SERVING,
    about: "Longest time for a request, its body included; beyond it the answer is 408 or 504. \
            Also how long a client may stall while it reads an answer.",
    ..BASE
};

pub(crate) static HTTP_DRAIN_DELAY: Variable = Variable {
    name: "HTTP_DRAIN_DELAY",
    concern: Concern::Http,
    kind: Kind::Duration(ms(0), ms(120_000)),
    default: Default::Value("3s"),
    default_in_up: Some(Default::Value("0s")),
    used_by: SERVING,
    about: "After SIGTERM: how long `/readyz` fails while requests are still served, so that load \
            balancers turn away first.",
};

pub(crate) static HTTP_SHUTDOWN_TIMEOUT: Variable = Variable {
    name: "HTTP_SHUTDOWN_TIMEOUT",
    concern: Concern::Http,
    kind: Kind::Duration(ms(0), ms(600_000)),
    default: Default::Value("15s"),
    used_by: SERVING,
    about: "After that: how long requests in flight may take before they are aborted.",
    ..BASE
};

pub(crate) static WORKER_LISTEN_ADDRESS: Variable = Variable {
    name: "WORKER_LISTEN_ADDRESS",
    concern: Concern::Worker,
    kind: Kind::Address,
    default: Default::Value("127.0.0.1:8421"),
    default_in_up: Some(Default::Value("127.0.0.1:0")),
    used_by: &[Worker, Up],
    about: "Where the worker answers `/livez`, `/readyz` and `/metrics`.",
};

pub(crate) static WORKER_CONCURRENCY: Variable = Variable {
    name: "WORKER_CONCURRENCY",
    concern: Concern::Worker,
    kind: Kind::Count(1, 10_000),
    default: Default::Value("64"),
    used_by: &[Worker, Up],
    about: "Most jobs of one kind that a worker has in hand at once.",
    ..BASE
};

pub(crate) static WORKER_LEASE: Variable = Variable {
    name: "WORKER_LEASE",
    concern: Concern::Worker,
    kind: Kind::Duration(ms(1000), ms(600_000)),
    default: Default::Value("10s"),
    used_by: &[Worker, Up],
    about: "How long a job belongs to a worker that gives no sign of life; then another takes it \
            over. A working one extends it all the time.",
    ..BASE
};

pub(crate) static WORKER_DRAIN_TIMEOUT: Variable = Variable {
    name: "WORKER_DRAIN_TIMEOUT",
    concern: Concern::Worker,
    kind: Kind::Duration(ms(0), ms(600_000)),
    default: Default::Value("15s"),
    used_by: &[Worker, Up],
    about: "After SIGTERM: how long jobs in hand may take before they are dropped and given back \
            to the queue.",
    ..BASE
};

pub(crate) static WEBHOOK_ALLOWED_NETWORKS: Variable = Variable {
    name: "WEBHOOK_ALLOWED_NETWORKS",
    concern: Concern::Webhooks,
    kind: Kind::Networks,
    default: Default::Otherwise("the public internet only"),
    used_by: &[Api, Worker, Up],
    about: "Networks to which webhooks may be delivered although they are private.",
    ..BASE
};

pub(crate) static WEBHOOK_CA_FILE: Variable = Variable {
    name: "WEBHOOK_CA_FILE",
    concern: Concern::Webhooks,
    kind: Kind::Path,
    default: Default::Otherwise("the system's certificate authorities alone"),
    used_by: &[Worker, Up],
    about: "PEM file of certificate authorities that may vouch for endpoints too.",
    ..BASE
};

pub(crate) static WEBHOOK_DNS_SERVERS: Variable = Variable {
    name: "WEBHOOK_DNS_SERVERS",
    concern: Concern::Webhooks,
    kind: Kind::Addresses,
    default: Default::Otherwise("those of `/etc/resolv.conf`"),
    used_by: &[Worker, Up],
    about: "Name servers that resolve the names of endpoints. One outside your network does not \
            know its names, which is one more wall between webhooks and your network.",
    ..BASE
};

pub(crate) static WEBHOOK_CONCURRENCY: Variable = Variable {
    name: "WEBHOOK_CONCURRENCY",
    concern: Concern::Webhooks,
    kind: Kind::Count(1, 10_000),
    default: Default::Value("128"),
    used_by: &[Worker, Up],
    about: "Most endpoints that a worker delivers to at once, with up to 8 requests each.",
    ..BASE
};

pub(crate) static LOG_FORMAT: Variable = Variable {
    name: "LOG_FORMAT",
    concern: Concern::Log,
    kind: Kind::Choice(&["json", "text"]),
    default: Default::Otherwise("`text` when standard error is a terminal, else `json`"),
    about: "The form of an event.",
    ..BASE
};

pub(crate) static LOG_LEVEL: Variable = Variable {
    name: "LOG_LEVEL",
    concern: Concern::Log,
    kind: Kind::LogLevel,
    default: Default::Value("info"),
    default_in_up: Some(Default::Value("warn")),
    about: "The least level that is written.",
    ..BASE
};

pub(crate) static DEED_POSTGRES_BIN: Variable = Variable {
    name: "DEED_POSTGRES_BIN",
    concern: Concern::Embedded,
    kind: Kind::Path,
    default: Default::Otherwise("searched in PATH and the usual places, else fetched"),
    used_by: &[Up],
    about: "Folder of the PostgreSQL programs (`initdb`, `postgres`, ...), version 17 or later.",
    ..BASE
};

pub(crate) static DEED_POSTGRES_USER: Variable = Variable {
    name: "DEED_POSTGRES_USER",
    concern: Concern::Embedded,
    kind: Kind::Role,
    default: Default::Otherwise("the first of the usual unprivileged accounts that exists"),
    used_by: &[Up],
    about: "System account that runs PostgreSQL when `deed up` is started as root.",
    ..BASE
};
