//! What figures have to be quoted with.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use super::procfs::Machine;
use crate::say;

/// Settings of PostgreSQL that bear on the figures.
const SETTINGS: [&str; 10] = [
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_level",
    "wal_sync_method",
    "shared_buffers",
    "max_wal_size",
    "max_connections",
    "commit_delay",
    "jit",
];
/// File systems that keep nothing on disk.
const MEMORY: [&str; 2] = ["tmpfs", "ramfs"];

/// Machine, versions and settings.
#[derive(Debug)]
pub(crate) struct Environment {
    machine: Machine,
    filesystem: String,
    postgres: String,
    deed: String,
    settings: Vec<(String, String)>,
}

impl Environment {
    /// Asks the machine and PostgreSQL.
    ///
    /// # Errors
    /// When the data lie in memory, where durability costs nothing.
    pub(crate) async fn read(
        sql: &tokio_postgres::Client,
        deed: &str,
        data: &Path,
        further: impl Iterator<Item = &str>,
    ) -> Result<Self> {
        let filesystem = filesystem_of(data)?;
        ensure!(
            !MEMORY.contains(&filesystem.as_str()),
            "{} is {filesystem}; set DEED_BENCH_SCRATCH to a folder on disk",
            data.display()
        );
        let mut settings = Vec::new();
        for name in SETTINGS.into_iter().chain(further) {
            let row = sql.query_one("SELECT current_setting($1)", &[&name]).await?;
            settings.push((name.to_owned(), row.get(0)));
        }
        let row = sql.query_one("SELECT current_setting('server_version')", &[]).await?;
        Ok(Self {
            machine: Machine::read()?,
            filesystem,
            postgres: row.get(0),
            deed: deed.lines().next().unwrap_or_default().to_owned(),
            settings,
        })
    }

    /// For people.
    pub(crate) fn print(&self) {
        let machine = &self.machine;
        say!(
            "\nmachine    {}, {} cores, {:.1} GiB, Linux {}, data on {}",
            machine.cpu,
            machine.cores,
            machine.memory_gib,
            machine.kernel,
            self.filesystem
        );
        say!("versions   PostgreSQL {}, {}", self.postgres, self.deed);
        let settings: Vec<String> =
            self.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        say!("postgres   {}", settings.join(" "));
        say!(
            "transport  Unix socket to PostgreSQL for both sides; HTTP/1.1 keep-alive over loopback to the API"
        );
        say!("           load generator, API and PostgreSQL share the machine");
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        let settings: Map<String, Value> =
            self.settings.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        json!({
            "cpu": self.machine.cpu, "cores": self.machine.cores,
            "memoryGib": (self.machine.memory_gib * 10.0).round() / 10.0,
            "kernel": self.machine.kernel, "filesystem": self.filesystem,
            "postgres": self.postgres, "deed": self.deed, "settings": settings,
            "databaseTransport": "unix socket",
        })
    }
}

/// Type of the file system that holds `path`.
fn filesystem_of(path: &Path) -> Result<String> {
    let mounts = std::fs::read_to_string("/proc/self/mounts")?;
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let point = Path::new(fields.next()?);
            path.starts_with(point).then_some((point.as_os_str().len(), fields.next()?))
        })
        // The last of equally long ones was mounted over the others.
        .max_by_key(|(length, _)| *length)
        .map(|(_, kind)| kind.to_owned())
        .context("no mount point holds the data folder")
}
