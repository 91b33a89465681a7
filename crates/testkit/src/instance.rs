//! One test server in a temporary folder, with a watchdog that outlives us.
//!
//! ```text
//! postgres/     the data folder
//! holders/PID   one file for each process that uses the server
//! url           the superuser's URL; absent once the server is retired
//! ```
//!
//! The watchdog is a shell script, so that it needs no program of ours that might not be built.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use deed_embedded::{Cluster, Options, Search, default_cache_dir, find_or_fetch};
use nix::unistd::Uid;
use sha2::{Digest, Sha256};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use crate::server::DATABASE_URL_VARIABLE;

const WATCHDOG: &str = include_str!("watchdog.sh");

/// A running server and its folder.
pub(crate) struct Instance {
    pub(crate) folder: PathBuf,
    pub(crate) cluster: Cluster,
}

impl Instance {
    /// Starts a server in `folder`, with this process as its first holder; the watchdog ends it
    /// once nobody has held it for `idle`.
    pub(crate) async fn start(folder: PathBuf, idle: Duration) -> Self {
        private_dir(&folder);
        private_dir(&folder.join("holders"));
        hold(&folder);
        let search = Search::new(default_cache_dir()).unwrap_or_else(|e| panic!("{e}"));
        let progress = |_: &str| {};
        let binaries = find_or_fetch(&search, &progress).await.unwrap_or_else(|e| panic!("{e}"));
        let options = Options {
            durable: false,
            max_connections: 400,
            ..Options::new(binaries, folder.join("postgres"))
        };
        let cluster = Cluster::start(options, &progress).await.unwrap_or_else(|e| panic!("{e}"));
        watch(&folder, cluster.pid(), idle);
        write_private(&folder.join("url"), &cluster.endpoint().superuser_tcp_url("postgres"));
        Self { folder, cluster }
    }
}

/// Registers this process as a user of the server in `folder`.
pub(crate) fn hold(folder: &Path) {
    let file = folder.join("holders").join(std::process::id().to_string());
    write_private(&file, "");
}

/// The folder of all test servers of this workspace and user. It lies outside the workspace
/// because the account that runs PostgreSQL for root may be unable to enter that.
pub(crate) fn base() -> PathBuf {
    let workspace = hex::encode(&Sha256::digest(env!("CARGO_MANIFEST_DIR"))[..8]);
    let name = format!("deed-testkit-{}-{workspace}", Uid::effective());
    let base = std::env::temp_dir().join(name);
    private_dir(&base);
    base
}

/// A folder of ours that others cannot read (but, for root, can pass through).
fn private_dir(path: &Path) {
    let mode = if Uid::effective().is_root() { 0o711 } else { 0o700 };
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            let metadata = fs::symlink_metadata(path).expect("the test folder can be read");
            let ours = metadata.is_dir() && metadata.uid() == Uid::effective().as_raw();
            assert!(ours, "{} belongs to someone else", path.display());
        }
        Err(e) => panic!("creating {}: {e}", path.display()),
    }
}

fn write_private(path: &Path, content: &str) {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(content.as_bytes()));
    written.unwrap_or_else(|e| panic!("writing {}: {e}", path.display()));
}

fn watch(folder: &Path, server: i32, idle: Duration) {
    let spawned = Command::new("sh")
        .args(["-c", WATCHDOG, "deed-testkit-watchdog"])
        .arg(folder)
        .arg(server.to_string())
        .arg(idle.as_secs().to_string())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    drop(spawned.expect("sh starts the watchdog"));
}

/// Runs a command with `DEED_TEST_DATABASE_URL` set to a server of its own, which is gone when this
/// returns, also after Ctrl-C; should this process be killed, the watchdog ends the server.
pub async fn with_postgres(program: &str, arguments: &[String]) -> ExitStatus {
    let folder = base().join(format!("run-{}", std::process::id()));
    let Instance { folder, cluster } = Instance::start(folder, Duration::ZERO).await;
    let mut interrupt = signal(SignalKind::interrupt()).expect("a signal handler");
    let mut terminate = signal(SignalKind::terminate()).expect("a signal handler");
    let url = cluster.endpoint().superuser_tcp_url("postgres");
    let mut command = Command::new(program);
    command.args(arguments).env(DATABASE_URL_VARIABLE, url);
    let mut child = command.spawn().unwrap_or_else(|e| panic!("starting {program}: {e}"));
    let status = loop {
        tokio::select! {
            status = child.wait() => break status.expect("the command can be waited for"),
            // The terminal has sent Ctrl-C to the command too: it ends, and then so do we.
            _ = interrupt.recv() => {}
            _ = terminate.recv() => child.start_kill().expect("the command can be killed"),
        }
    };
    cluster.stop().await.unwrap_or_else(|e| panic!("{e}"));
    // The watchdog sees the server gone and does the same; between the two of us it is removed.
    drop(fs::remove_dir_all(&folder));
    status
}
