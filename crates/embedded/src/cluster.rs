//! One running PostgreSQL.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use crate::binaries::Binaries;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::folder::DataFolder;
use crate::postmaster::{POLL, stop_orphan};
use crate::server::{Failure, Server};
use crate::{Progress, initdb, server};

/// How many automatically chosen ports are tried when others take them first.
const PORT_ATTEMPTS: u32 = 10;

/// How to start a [`Cluster`].
#[derive(Clone, Debug)]
pub struct Options {
    /// The programs, which also say what account runs them.
    pub binaries: Binaries,
    /// The folder for data, password, log and socket; created when absent. As root, every folder
    /// above it must let the other account pass.
    pub data_dir: PathBuf,
    /// `false` trades the safety of data in a crash for speed: for tests.
    pub durable: bool,
    /// The TCP port of 127.0.0.1; `None` takes a free one.
    pub port: Option<u16>,
    /// `max_connections`.
    pub max_connections: u32,
    /// Further settings of `postgresql.conf`; a later one wins over an earlier one.
    pub settings: Vec<(String, String)>,
    /// How long the start may take, crash recovery included.
    pub start_deadline: Duration,
    /// How long a fast shutdown may take before it becomes an immediate one.
    pub stop_deadline: Duration,
}

impl Options {
    /// Durable, a free port, 100 connections, 120 s to start and 30 s to stop.
    #[must_use]
    pub fn new(binaries: Binaries, data_dir: impl Into<PathBuf>) -> Self {
        Self {
            binaries,
            data_dir: data_dir.into(),
            durable: true,
            port: None,
            max_connections: 100,
            settings: Vec::new(),
            start_deadline: Duration::from_secs(120),
            stop_deadline: Duration::from_secs(30),
        }
    }
}

/// How a cluster ended in [`Cluster::stop`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// A fast shutdown with a checkpoint: the next start needs no recovery.
    Fast,
    /// The deadline passed; an immediate shutdown, and the next start recovers.
    Immediate,
    /// Not even that ended it, so it was killed; the next start recovers.
    Killed,
}

/// A running PostgreSQL that takes connections.
///
/// It ends with [`Cluster::stop`]. Dropping it only asks for an immediate shutdown without waiting,
/// which loses nothing but makes the next start recover.
pub struct Cluster {
    // Dropped before the folder, whose lock must be the last thing that goes.
    server: Server,
    endpoint: Endpoint,
    stop_deadline: Duration,
    is_new: bool,
    folder: DataFolder,
}

impl Cluster {
    /// Starts PostgreSQL on the data folder and waits until it takes connections.
    ///
    /// Creates the data on first use, stops a server that a killed process left behind, and
    /// recovers after a crash.
    ///
    /// # Errors
    /// Each variant of [`Error`] names the folder, port, account or version it is about.
    pub async fn start(options: Options, progress: Progress<'_>) -> Result<Self, Error> {
        let folder = DataFolder::open(&options.data_dir, options.binaries.run_as())?;
        let existing = folder.check_existing(&options.binaries)?;
        if existing {
            let pgdata = folder.pgdata();
            folder.check_reachable(&pgdata, &options.binaries).await?;
            stop_orphan(&pgdata, options.stop_deadline, progress).await?;
        } else {
            progress(&format!("Creating the data folder {}", folder.path().display()));
            initdb::create(&folder, &options.binaries, options.durable).await?;
        }
        let socket_dir = folder.socket_dir()?;
        let (server, port) = launch(&folder, &socket_dir, &options).await?;
        let superuser_password = folder.password()?;
        Ok(Self {
            server,
            endpoint: Endpoint { socket_dir, port, superuser_password },
            stop_deadline: options.stop_deadline,
            is_new: !existing,
            folder,
        })
    }

    /// How to connect.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The process id of the server.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.server.pid()
    }

    /// The server's log since this start.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.folder.log_file()
    }

    /// Whether this start created the data folder.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Waits until the server ends, which without [`Cluster::stop`] it only does when killed or
    /// broken. Cancel-safe.
    ///
    /// # Errors
    /// [`Error::Io`] when waiting itself fails.
    pub async fn wait(&mut self) -> Result<ExitStatus, Error> {
        self.server.wait().await
    }

    /// A fast shutdown (open transactions are rolled back), at the deadline an immediate one, and
    /// as the last resort SIGKILL.
    ///
    /// # Errors
    /// [`Error::Io`] when waiting for the process fails.
    pub async fn stop(mut self) -> Result<Stopped, Error> {
        let stopped = self.server.stop(self.stop_deadline).await?;
        self.folder.forget_socket_dir(&self.endpoint.socket_dir);
        Ok(stopped)
    }

    /// Leaves the server running without us and gives up the data folder, whose next
    /// [`Cluster::start`] would treat it as an orphan and stop it. For test supervisors.
    #[must_use]
    pub fn detach(self) -> Endpoint {
        self.server.detach();
        self.endpoint
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("data_dir", &self.folder.path())
            .field("pid", &self.pid())
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// Starts the server on the port asked for or a free one, trying again when another program takes
/// a free port first, and while processes of a killed predecessor are still ending.
async fn launch(
    folder: &DataFolder,
    socket_dir: &Path,
    options: &Options,
) -> Result<(Server, u16), Error> {
    let log = folder.log_file();
    let started = Instant::now();
    let mut ports_tried = 0;
    folder.rotate_log()?;
    loop {
        let port = server::choose_port(options.port)?;
        let detail = match Server::launch(folder, socket_dir, port, options).await {
            Ok(server) => return Ok((server, port)),
            Err(Failure::PortTaken) if options.port.is_some() => {
                return Err(Error::PortTaken { port });
            }
            Err(Failure::PortTaken) if ports_tried < PORT_ATTEMPTS => {
                ports_tried += 1;
                continue;
            }
            Err(Failure::PortTaken) => "no free port could be had".into(),
            Err(Failure::PredecessorEnding(_)) if started.elapsed() < options.start_deadline => {
                tokio::time::sleep(POLL).await;
                continue;
            }
            Err(Failure::PredecessorEnding(detail) | Failure::Other(detail)) => detail,
            Err(Failure::Error(error)) => return Err(error),
        };
        return Err(Error::Start { detail, log });
    }
}
