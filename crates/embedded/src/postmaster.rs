//! A server that runs, or ran, on a data folder: its pid file, and stopping it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Progress;
use crate::error::Error;
use crate::files;

/// How often a process that is not our child is looked at.
pub(crate) const POLL: Duration = Duration::from_millis(20);

/// What `postmaster.pid` says.
pub(crate) struct PidFile {
    pub(crate) pid: i32,
    /// The server takes connections.
    pub(crate) ready: bool,
}

impl PidFile {
    /// Reads the file; `None` when it is absent or not complete yet.
    pub(crate) fn read(pgdata: &Path) -> Option<Self> {
        let text = fs::read_to_string(pgdata.join("postmaster.pid")).ok()?;
        let mut lines = text.lines();
        let pid = lines.next()?.trim().parse().ok()?;
        // Line 8 is the state that pg_ctl waits on: "starting", "ready", "stopping", "standby".
        let ready = lines.nth(6).is_some_and(|state| state.trim() == "ready");
        Some(Self { pid, ready })
    }
}

/// Stops the server that a killed process of ours left running on `pgdata`, and removes a stale
/// pid file, whose number may meanwhile belong to an unrelated process.
///
/// Must be called with the data folder's lock held: otherwise the server is not an orphan.
pub(crate) async fn stop_orphan(
    pgdata: &Path,
    deadline: Duration,
    progress: Progress<'_>,
) -> Result<(), Error> {
    let Some(PidFile { pid, .. }) = PidFile::read(pgdata) else { return Ok(()) };
    if is_server_of(pid, pgdata) {
        progress(&format!("Stopping PostgreSQL (process {pid}), which a killed run left behind"));
        let steps = [
            (Signal::SIGINT, deadline),
            (Signal::SIGQUIT, Duration::from_secs(10)),
            (Signal::SIGKILL, Duration::from_secs(10)),
        ];
        for (signal, patience) in steps {
            if kill(Pid::from_raw(pid), signal).is_err() || gone(pid, pgdata, patience).await {
                break;
            }
        }
    }
    if is_server_of(pid, pgdata) {
        let holder = format!("PostgreSQL (process {pid}), which cannot be stopped");
        return Err(Error::InUse { folder: pgdata.to_owned(), holder });
    }
    files::remove(&pgdata.join("postmaster.pid"))
}

async fn gone(pid: i32, pgdata: &Path, patience: Duration) -> bool {
    let end = Instant::now() + patience;
    while is_server_of(pid, pgdata) {
        if Instant::now() >= end {
            return false;
        }
        tokio::time::sleep(POLL).await;
    }
    true
}

/// Whether the process lives and is the server of `pgdata`: a server's working folder is its data
/// folder. A zombie has none, and a process that reused the number has another.
#[cfg(target_os = "linux")]
fn is_server_of(pid: i32, pgdata: &Path) -> bool {
    fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == pgdata)
}

/// Whether the process lives and was started on `pgdata`.
#[cfg(not(target_os = "linux"))]
fn is_server_of(pid: i32, pgdata: &Path) -> bool {
    let output = std::process::Command::new("ps")
        .args(["-p", &pid.to_string(), "-o", "stat=,command="])
        .output();
    output.is_ok_and(|output| {
        let line = String::from_utf8_lossy(&output.stdout).into_owned();
        !line.starts_with('Z') && line.contains(&*pgdata.to_string_lossy())
    })
}
