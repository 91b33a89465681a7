//! What the tests of this crate share: real programs, and folders another account can enter.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use deed_embedded::{Binaries, Cluster, Options, Search, default_cache_dir, find_or_fetch};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// PostgreSQL as this machine offers it.
pub(crate) async fn binaries() -> Binaries {
    let search = Search::new(default_cache_dir()).expect("an account to run PostgreSQL");
    find_or_fetch(&search, &|line| eprintln!("{line}")).await.expect("PostgreSQL 17 or later")
}

/// A folder that the unprivileged account of root may pass through.
pub(crate) fn folder() -> TempDir {
    let mut builder = tempfile::Builder::new();
    builder.prefix("deed-test-").permissions(Permissions::from_mode(0o711));
    builder.tempdir().expect("a temporary folder")
}

/// An executable script. A child process writes it: were it open for writing here, a process that
/// another test starts at this moment would inherit that, and running the script would fail with
/// ETXTBSY.
pub(crate) fn script(path: &Path, text: &str) {
    let write = r#"printf '#!/bin/sh\n%s\n' "$2" >"$1" && chmod 755 "$1""#;
    let mut command = Command::new("sh");
    let status = command.args(["-c", write, "write"]).arg(path).arg(text).status();
    assert!(status.expect("sh runs").success());
}

/// Options for a quick, undurable cluster.
pub(crate) async fn quick(data_dir: &Path) -> Options {
    Options { durable: false, ..Options::new(binaries().await, data_dir) }
}

pub(crate) async fn start(options: Options) -> Cluster {
    Cluster::start(options, &|_| {}).await.expect("the cluster starts")
}

pub(crate) async fn connect(url: &str) -> Client {
    try_connect(url).await.expect("a connection")
}

pub(crate) async fn try_connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// One text value.
pub(crate) async fn ask(client: &Client, sql: &str) -> String {
    client.query_one(sql, &[]).await.expect("one row").get(0)
}
