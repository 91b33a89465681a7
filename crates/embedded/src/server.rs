//! The server process: launching it, waiting for readiness, ending it.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::cluster::{Options, Stopped};
use crate::error::{Context, Error};
use crate::folder::DataFolder;
use crate::postmaster::{POLL, PidFile};

/// How long an immediate shutdown may take before the server is killed.
const IMMEDIATE_DEADLINE: Duration = Duration::from_secs(10);

/// At most this much of the log's end is read to explain a failure, in bytes.
const LOG_TAIL: u64 = 64 * 1024;

/// Settings of a server that may lose everything in a crash of the machine, for tests.
const UNDURABLE: [(&str, &str); 6] = [
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("max_wal_size", "4GB"),
];

/// Settings of a server with real data: no statement or row content in the log.
const DISCREET: [(&str, &str); 2] =
    [("log_min_error_statement", "panic"), ("log_error_verbosity", "terse")];

/// Why a launch did not lead to a server that takes connections.
pub(crate) enum Failure {
    /// Another program has the port.
    PortTaken,
    /// Processes of the server that was here before are still ending; with what the log says.
    PredecessorEnding(String),
    /// Anything else that the server says in its log.
    Other(String),
    /// What did not even come from the server.
    Error(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// A server process of ours. Dropping it asks for an immediate shutdown without waiting.
pub(crate) struct Server {
    child: Child,
    pid: Pid,
    ended: bool,
}

impl Server {
    /// Starts the server and waits until it takes connections, ends, or the deadline passes.
    pub(crate) async fn launch(
        folder: &DataFolder,
        socket_dir: &Path,
        port: u16,
        options: &Options,
    ) -> Result<Self, Failure> {
        let log_path = folder.log_file();
        let log = folder.append_log()?;
        let log_start = log.metadata().context("reading", &log_path)?.len();
        let errors = log.try_clone().context("opening", &log_path)?;
        let program = options.binaries.program("postgres");
        let mut command = options.binaries.run_as().command(&program);
        set_arguments(&mut command, folder, socket_dir, port, options);
        command.stdout(log).stderr(errors);
        let child = command.spawn().context("starting", &program)?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        let pid = pid.ok_or_else(|| Failure::Other("it ended at once".into()))?;
        let mut server = Self { child, pid, ended: false };

        let pgdata = folder.pgdata();
        let end = Instant::now() + options.start_deadline;
        loop {
            if PidFile::read(&pgdata).is_some_and(|file| file.pid == pid.as_raw() && file.ready) {
                return Ok(server);
            }
            if let Ok(status) = timeout(POLL, server.wait()).await {
                let status = status?;
                return Err(explain(&read_tail(&log_path, log_start), status));
            }
            if Instant::now() >= end {
                let seconds = options.start_deadline.as_secs();
                return Err(Failure::Other(format!("it was not ready after {seconds} s")));
            }
        }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    pub(crate) async fn wait(&mut self) -> Result<ExitStatus, Error> {
        let status = self.child.wait().await.map_err(|source| Error::Io {
            action: format!("waiting for PostgreSQL (process {})", self.pid),
            source,
        })?;
        self.ended = true;
        Ok(status)
    }

    pub(crate) async fn stop(&mut self, deadline: Duration) -> Result<Stopped, Error> {
        let steps = [
            (Signal::SIGINT, deadline, Stopped::Fast),
            (Signal::SIGQUIT, IMMEDIATE_DEADLINE, Stopped::Immediate),
        ];
        for (signal, patience, stopped) in steps {
            self.signal(signal);
            if let Ok(status) = timeout(patience, self.wait()).await {
                return status.map(|_| stopped);
            }
        }
        self.signal(Signal::SIGKILL);
        self.wait().await.map(|_| Stopped::Killed)
    }

    /// Leaves the process running.
    pub(crate) fn detach(mut self) {
        self.ended = true;
    }

    /// Until it was waited for, the process id is ours, so that this cannot hit another process.
    fn signal(&self, signal: Signal) {
        if !self.ended && kill(self.pid, signal).is_err() {
            tracing::debug!(pid = self.pid(), %signal, "PostgreSQL has ended already");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal(Signal::SIGQUIT);
    }
}

fn set_arguments(
    command: &mut Command,
    folder: &DataFolder,
    socket_dir: &Path,
    port: u16,
    options: &Options,
) {
    command.arg("-D").arg(folder.pgdata());
    let own = [
        ("listen_addresses", "127.0.0.1".to_owned()),
        ("port", port.to_string()),
        ("unix_socket_directories", socket_dir.display().to_string()),
        ("unix_socket_permissions", "0700".to_owned()),
        ("max_connections", options.max_connections.to_string()),
        ("logging_collector", "off".to_owned()),
        ("log_destination", "stderr".to_owned()),
        ("timezone", "UTC".to_owned()),
        ("log_timezone", "UTC".to_owned()),
    ];
    let by_kind: &[(&str, &str)] = if options.durable { &DISCREET } else { &UNDURABLE };
    let by_kind = by_kind.iter().map(|(name, value)| (*name, (*value).to_owned()));
    let asked = options.settings.iter().map(|(name, value)| (name.as_str(), value.clone()));
    for (name, value) in own.into_iter().chain(by_kind).chain(asked) {
        command.arg("-c").arg(format!("{name}={value}"));
    }
}

/// The port asked for, seen to be free, or a free one.
pub(crate) fn choose_port(asked: Option<u16>) -> Result<u16, Error> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, asked.unwrap_or(0))) {
        Ok(listener) => {
            listener.local_addr().map(|a| a.port()).context("reading", Path::new("a free port"))
        }
        Err(e) if e.kind() == std::io::ErrorKind::AddrInUse && asked.is_some() => {
            Err(Error::PortTaken { port: asked.unwrap_or(0) })
        }
        Err(e) => Err(e).context("listening on 127.0.0.1 with", Path::new("a free port")),
    }
}

/// Sorts what the server wrote before it ended; its messages are English under `LC_ALL=C`.
fn explain(log: &str, status: ExitStatus) -> Failure {
    if log.contains("could not bind") || log.contains("could not create any TCP/IP sockets") {
        return Failure::PortTaken;
    }
    let fatal: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once("FATAL:").or_else(|| line.split_once("PANIC:")))
        .map(|(_, message)| message.trim())
        .collect();
    let detail = fatal.last().map_or_else(|| status.to_string(), |last| (*last).to_owned());
    if log.contains("pre-existing shared memory block") {
        return Failure::PredecessorEnding(detail);
    }
    Failure::Other(detail)
}

/// The log's last bytes, of those written since `start`.
fn read_tail(log: &Path, start: u64) -> String {
    let read = || -> std::io::Result<String> {
        let length = fs::metadata(log)?.len();
        let mut file = File::open(log)?;
        file.seek(SeekFrom::Start(start.max(length.saturating_sub(LOG_TAIL))))?;
        let mut bytes = Vec::new();
        file.take(LOG_TAIL).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}
