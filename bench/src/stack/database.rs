//! The durable embedded PostgreSQL that yardstick and server share.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use deed_embedded::{Cluster, Options, Search, default_cache_dir, find_or_fetch};
use tokio_postgres::NoTls;

use super::wait_until_gone;
use crate::pgbench;
use crate::say;

/// Database of server and yardstick.
const DATABASE: &str = "deed";
/// Role that owns the schema.
const OWNER: &str = "deed_owner";
/// Role of the API processes.
const APP: &str = "deed_app";
/// Role of the yardstick.
const YARDSTICK: &str = "deed_yardstick";
/// The yardstick's 256, the servers' pools, ours.
const MAX_CONNECTIONS: u32 = 350;
/// Room for the write-ahead log of a whole cell, so that checkpoints fall between cells, for both
/// sides alike; everything else is PostgreSQL's default.
const SETTINGS: [(&str, &str); 3] =
    [("shared_buffers", "512MB"), ("max_wal_size", "4GB"), ("min_wal_size", "2GB")];

/// A running cluster with roles and an empty database.
pub(crate) struct Database {
    sql: tokio_postgres::Client,
    cluster: Option<Cluster>,
    pid: u32,
    owner_url: String,
    app_url: String,
    pgbench: pgbench::Target,
}

impl Database {
    /// Finds or fetches PostgreSQL, starts it in `folder` with `further` settings, and refuses one
    /// that is not durable.
    pub(crate) async fn start(folder: &Path, further: &[(String, String)]) -> Result<Self> {
        let progress = |line: &str| say!("{line}");
        let search = Search::new(default_cache_dir())?;
        let binaries = find_or_fetch(&search, &progress).await?;
        let pgbench = binaries.program("pgbench");
        ensure!(pgbench.is_file(), "there is no pgbench in {}", binaries.folder().display());
        let mut options = Options::new(binaries, folder.join("postgres"));
        options.max_connections = MAX_CONNECTIONS;
        options.settings =
            SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        options.settings.extend_from_slice(further);
        let cluster = Cluster::start(options, &progress).await?;
        let pid = u32::try_from(cluster.pid())?;
        let endpoint = cluster.endpoint();
        let password = random_password();
        create_roles(&endpoint.superuser_socket_url("postgres"), &password).await?;
        let sql = connect(&endpoint.superuser_socket_url(DATABASE)).await?;
        prepare_yardstick(&sql).await?;
        check_durable(&sql).await?;
        recycle_wal(&sql).await?;
        Ok(Self {
            owner_url: endpoint.socket_url(OWNER, &password, DATABASE),
            app_url: endpoint.socket_url(APP, &password, DATABASE),
            pgbench: pgbench::Target {
                program: pgbench,
                host: endpoint.socket_dir().display().to_string(),
                port: endpoint.port(),
                user: YARDSTICK.to_owned(),
                password,
                database: DATABASE.to_owned(),
            },
            sql,
            cluster: Some(cluster),
            pid,
        })
    }

    /// Connection of the superuser.
    pub(crate) fn sql(&self) -> &tokio_postgres::Client {
        &self.sql
    }

    /// Process id of the postmaster.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// URL of the owner role, with its password.
    pub(crate) fn owner_url(&self) -> &str {
        &self.owner_url
    }

    /// URL of the application's role, with its password.
    pub(crate) fn app_url(&self) -> &str {
        &self.app_url
    }

    /// What pgbench connects to.
    pub(crate) fn pgbench(&self) -> &pgbench::Target {
        &self.pgbench
    }

    /// Shuts PostgreSQL down.
    pub(crate) async fn stop(mut self) -> Result<()> {
        if let Some(cluster) = self.cluster.take() {
            cluster.stop().await?;
        }
        Ok(())
    }
}

impl Drop for Database {
    /// After an interrupt or a panic: the files can only be removed when PostgreSQL has ended.
    fn drop(&mut self) {
        if let Some(cluster) = self.cluster.take() {
            drop(cluster);
            wait_until_gone(self.pid, Duration::from_secs(10));
        }
    }
}

async fn connect(url: &str) -> Result<tokio_postgres::Client> {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.context("connecting to PostgreSQL")?;
    // When it ends early, the next query on it says why.
    tokio::spawn(connection);
    Ok(client)
}

/// Only letters and digits, so that it needs no quoting.
fn random_password() -> String {
    format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}

async fn create_roles(url: &str, password: &str) -> Result<()> {
    let sql = connect(url).await?;
    for role in [OWNER, APP, YARDSTICK] {
        sql.batch_execute(&format!("CREATE ROLE {role} LOGIN PASSWORD '{password}'")).await?;
    }
    sql.batch_execute(&format!("CREATE DATABASE {DATABASE} OWNER {OWNER}")).await?;
    Ok(())
}

async fn prepare_yardstick(sql: &tokio_postgres::Client) -> Result<()> {
    let schema = format!("CREATE SCHEMA {} AUTHORIZATION {YARDSTICK}", pgbench::SCHEMA);
    sql.batch_execute(&schema).await.context("creating the yardstick's schema")
}

/// Brings the write-ahead log into the state of a database that has run for a while: a checkpoint keeps
/// old segments, up to `min_wal_size`, to be used again. Without them each 16 MiB of log begin with
/// writing and syncing a new file, and every commit waits for that, 30 to 80 ms on the disks at hand.
async fn recycle_wal(sql: &tokio_postgres::Client) -> Result<()> {
    let message = "SELECT pg_logical_emit_message(false, 'bench', repeat('x', 1 << 20))
        FROM generate_series(1, 2048)";
    sql.batch_execute(message).await.context("filling the write-ahead log")?;
    sql.batch_execute("CHECKPOINT").await.context("recycling the write-ahead log")
}

async fn check_durable(sql: &tokio_postgres::Client) -> Result<()> {
    for name in ["fsync", "synchronous_commit", "full_page_writes"] {
        let row = sql.query_one("SELECT current_setting($1)", &[&name]).await?;
        let value: String = row.get(0);
        ensure!(value == "on", "{name} is {value}: nothing would be durable");
    }
    Ok(())
}
