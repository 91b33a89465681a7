//! What a suite runs against: one PostgreSQL, the real `deed` processes, and access to them.

mod bootstrap;
mod database;
mod environment;
pub(crate) mod procfs;
mod server;
mod worker;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::http::Client;
use crate::pgbench;
use crate::say;
use bootstrap::Access;

pub(crate) use bootstrap::{AUTO_TYPE, CRITERIA, TYPE_NAME, WORK_TYPE};
pub(crate) use database::Database;
pub(crate) use environment::Environment;
pub(crate) use server::{Deed, Server, free_address};
pub(crate) use worker::Worker;

/// Where PostgreSQL's data go unless said otherwise: kept on disk by convention, unlike `/tmp`, which
/// may be memory, where syncing costs nothing.
const SCRATCH: &str = "/var/tmp";

/// How a stack is made.
#[derive(Debug)]
pub(crate) struct StackOptions {
    /// The `deed` binary; the one next to this program when absent.
    pub(crate) deed: Option<PathBuf>,
    /// Number of API processes.
    pub(crate) servers: usize,
    /// Further settings of PostgreSQL, for trying them out.
    pub(crate) settings: Vec<(String, String)>,
}

/// A running PostgreSQL with migrated database, API processes, and keys. Dropping it ends all
/// processes and removes all files.
pub(crate) struct Stack {
    // Fields are dropped in this order: clients before what they are connected to, files last.
    servers: Vec<Server>,
    database: Database,
    access: Access,
    deed: Deed,
    folder: TempDir,
}

/// A running PostgreSQL with a migrated database, and how to run `deed` on it.
pub(crate) struct Base {
    // Dropped in this order.
    pub(crate) database: Database,
    pub(crate) deed: Deed,
    pub(crate) folder: TempDir,
}

impl Base {
    /// Starts PostgreSQL with `settings`, and migrates with the `deed` binary, which is the one next
    /// to this program when absent.
    pub(crate) async fn start(deed: Option<&Path>, settings: &[(String, String)]) -> Result<Self> {
        let folder = scratch_folder()?;
        let database = Database::start(folder.path(), settings).await?;
        let program = deed_program(deed)?;
        let mut deed = Deed { program, environment: Vec::new(), logs: folder.path().to_owned() };
        deed.environment = bootstrap::environment(&deed, &database).await?;
        say!("migrating");
        deed.output(&["migrate"]).await?;
        Ok(Self { database, deed, folder })
    }

    /// Machine, versions and settings.
    pub(crate) async fn describe(&self) -> Result<Environment> {
        let version = self.deed.output(&["version"]).await?;
        let none = std::iter::empty();
        Environment::read(self.database.sql(), version.trim(), self.folder.path(), none).await
    }

    /// Ends PostgreSQL and removes the files.
    pub(crate) async fn stop(self) -> Result<()> {
        self.database.stop().await?;
        self.folder.close().context("removing the temporary folder")
    }
}

impl Stack {
    /// Starts everything and waits until it is ready.
    pub(crate) async fn start(options: &StackOptions) -> Result<Self> {
        let Base { database, deed, folder } =
            Base::start(options.deed.as_deref(), &options.settings).await?;
        let platform_key = deed.output(&["keys", "platform", "--label", "bench"]).await?;
        say!("starting {} API process(es)", options.servers);
        let mut servers = Vec::new();
        for _ in 0..options.servers.max(1) {
            servers.push(Server::start(&deed).await?);
        }
        let address = servers[0].address();
        let access = bootstrap::access(address, platform_key.trim())
            .await
            .with_context(|| format!("setting up over HTTP{}", servers[0].log_tail()))?;
        Ok(Self { servers, database, access, deed, folder })
    }

    /// The first API process.
    pub(crate) fn server(&self) -> &Server {
        &self.servers[0]
    }

    /// All API processes.
    pub(crate) fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// All API processes, to be killed.
    pub(crate) fn servers_mut(&mut self) -> &mut [Server] {
        &mut self.servers
    }

    /// A worker on the same database.
    pub(crate) async fn worker(&self) -> Result<Worker> {
        Worker::start(&self.deed, &[]).await
    }

    /// The same, with these further variables.
    pub(crate) async fn worker_with(&self, variables: &[(&str, String)]) -> Result<Worker> {
        Worker::start(&self.deed, variables).await
    }

    /// How `deed` is run on this database.
    pub(crate) fn deed(&self) -> &Deed {
        &self.deed
    }

    /// A superuser's connection.
    pub(crate) fn sql(&self) -> &tokio_postgres::Client {
        self.database.sql()
    }

    /// Process id of PostgreSQL's first process.
    pub(crate) fn postmaster_pid(&self) -> u32 {
        self.database.pid()
    }

    /// What pgbench connects to.
    pub(crate) fn pgbench(&self) -> &pgbench::Target {
        self.database.pgbench()
    }

    /// A folder for temporary files.
    pub(crate) fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// The agent's API key; a secret.
    pub(crate) fn agent_key(&self) -> &str {
        self.access.agent_key()
    }

    /// A client with the agent's key.
    pub(crate) fn agent_client(&self) -> Client {
        Client::new(self.server().address(), self.agent_key())
    }

    /// Machine, versions and settings, the `further` ones included.
    pub(crate) async fn describe(&self, further: &[(String, String)]) -> Result<Environment> {
        let version = self.deed.output(&["version"]).await?;
        let names = further.iter().map(|(name, _)| name.as_str());
        Environment::read(self.sql(), version.trim(), self.folder.path(), names).await
    }

    /// Ends everything in order.
    pub(crate) async fn stop(self) -> Result<()> {
        let Self { servers, database, folder, .. } = self;
        drop(servers);
        database.stop().await?;
        folder.close().context("removing the temporary folder")
    }
}

/// A folder that the account that runs PostgreSQL may pass through.
pub(crate) fn scratch_folder() -> Result<TempDir> {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = std::env::var_os("DEED_BENCH_SCRATCH")
        .map_or_else(|| PathBuf::from(SCRATCH), PathBuf::from);
    tempfile::Builder::new()
        .prefix("deed-bench-")
        .permissions(std::fs::Permissions::from_mode(0o711))
        .tempdir_in(&parent)
        .with_context(|| format!("making a folder in {}", parent.display()))
}

fn deed_program(given: Option<&Path>) -> Result<PathBuf> {
    let program = match given {
        Some(path) => path.to_owned(),
        None => std::env::current_exe()?.with_file_name("deed"),
    };
    program.canonicalize().with_context(|| {
        format!("{} is not there: build it with cargo build --release -p deed", program.display())
    })
}

/// Waits, without a runtime, until a child that was told to end has ended.
fn wait_until_gone(pid: u32, patience: Duration) {
    let end = std::time::Instant::now() + patience;
    while procfs::is_running(pid) && std::time::Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
}
