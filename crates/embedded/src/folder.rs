//! The data folder: what lies in it, whose it is, and who holds it.
//!
//! ```text
//! lock                 locked (flock) while a process runs the cluster; holds its process id
//! pgdata/              PostgreSQL's own folder; renamed into place when initdb has succeeded
//! pgdata-*.part/       a data folder being made
//! superuser-password   mode 0600, of the account that runs PostgreSQL
//! postgres.log         the server's log since its last start; postgres.log.1 is the one before
//! run/                 the Unix socket, when the path is short enough
//! ```

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, lchown};
use std::path::{Path, PathBuf};

use nix::unistd::Uid;

use crate::binaries::Binaries;
use crate::error::{Context, Error};
use crate::files;
use crate::run_as::RunAs;

/// Longest path of a Unix socket: `sun_path` has 108 bytes on Linux and 104 on macOS, with a NUL.
const SOCKET_PATH_LIMIT: usize = 103;

/// A data folder that is ours until this is dropped.
pub(crate) struct DataFolder {
    path: PathBuf,
    run_as: RunAs,
    /// Held for its lock.
    _lock: File,
}

impl DataFolder {
    /// Creates the folder when needed and locks it.
    pub(crate) fn open(path: &Path, run_as: &RunAs) -> Result<Self, Error> {
        let ours = Uid::effective().as_raw();
        if let Ok(metadata) = fs::metadata(path)
            && metadata.uid() != ours
        {
            let reason = format!("it belongs to user id {}, and we are {ours}", metadata.uid());
            return Err(Error::NotOurs { folder: path.to_owned(), reason });
        }
        // Another account must be able to pass through to pgdata, but not to look around.
        let mode = if run_as.owner().is_some() { 0o711 } else { 0o700 };
        files::ensure_dir(path, mode)?;
        let path = path.canonicalize().context("resolving", path)?;
        let lock_path = path.join("lock");
        let Some(mut lock) = files::try_lock(&lock_path)? else {
            let pid = fs::read_to_string(&lock_path).unwrap_or_default();
            let pid = pid.trim();
            let holder =
                if pid.is_empty() { "another process".into() } else { format!("process {pid}") };
            return Err(Error::InUse { folder: path, holder });
        };
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .context("writing", &lock_path)?;
        Ok(Self { path, run_as: run_as.clone(), _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn pgdata(&self) -> PathBuf {
        self.path.join("pgdata")
    }

    pub(crate) fn password_file(&self) -> PathBuf {
        self.path.join("superuser-password")
    }

    pub(crate) fn log_file(&self) -> PathBuf {
        self.path.join("postgres.log")
    }

    /// The superuser's password that the data folder was created with.
    pub(crate) fn password(&self) -> Result<String, Error> {
        let file = self.password_file();
        let text = fs::read_to_string(&file).context("reading", &file)?;
        Ok(text.trim().to_owned())
    }

    /// Gives a file or folder to the account that runs PostgreSQL, when that is another one.
    pub(crate) fn give(&self, path: &Path) -> Result<(), Error> {
        match self.run_as.owner() {
            Some((uid, gid)) => {
                lchown(path, Some(uid), Some(gid)).context("changing the owner of", path)
            }
            None => Ok(()),
        }
    }

    /// Whether data are here already; checks that these programs can read them, and hands them to
    /// the account that runs PostgreSQL now, should another one have run it before.
    pub(crate) fn check_existing(&self, binaries: &Binaries) -> Result<bool, Error> {
        let pgdata = self.pgdata();
        let empty = fs::read_dir(&pgdata).map_or(true, |mut entries| entries.next().is_none());
        if empty {
            return Ok(false);
        }
        let data = data_major_version(&self.path).ok_or_else(|| Error::NotOurs {
            folder: self.path.clone(),
            reason: "its pgdata holds something else (there is no PG_VERSION)".into(),
        })?;
        if data != binaries.major() {
            let programs = format!("{} in {}", binaries.version(), binaries.folder().display());
            return Err(Error::DataVersion { folder: self.path.clone(), data, programs });
        }
        let owner = fs::metadata(&pgdata).context("reading", &pgdata)?.uid();
        if let Some((uid, gid)) = self.run_as.owner().filter(|(uid, _)| *uid != owner) {
            files::chown_tree(&pgdata, uid, gid)?;
            files::chown_tree(&self.password_file(), uid, gid)?;
        }
        Ok(true)
    }

    /// Whether the account that runs PostgreSQL can enter `inner`, seen by doing so.
    pub(crate) async fn check_reachable(
        &self,
        inner: &Path,
        binaries: &Binaries,
    ) -> Result<(), Error> {
        let mut command = self.run_as.command(&binaries.program("postgres"));
        command.arg("--version").current_dir(inner).kill_on_drop(true);
        command.output().await.map(drop).map_err(|e| Error::Unreachable {
            account: self.run_as.name(),
            path: self.path.clone(),
            reason: format!("{e}. Every folder above it must let that account pass"),
        })
    }

    /// A new log file; the one of the start before is kept as `postgres.log.1`.
    pub(crate) fn rotate_log(&self) -> Result<(), Error> {
        let log = self.log_file();
        match fs::rename(&log, self.path.join("postgres.log.1")) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e).context("renaming", &log),
            _ => Ok(()),
        }
    }

    /// The log file, opened for appending.
    pub(crate) fn append_log(&self) -> Result<File, Error> {
        let log = self.log_file();
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600);
        options.open(&log).context("creating", &log)
    }

    /// A folder for the Unix socket that only PostgreSQL's account (and root) can enter, with a
    /// path short enough: in the data folder, else the user's runtime folder, else `/tmp`.
    pub(crate) fn socket_dir(&self) -> Result<PathBuf, Error> {
        let inside = self.path.join("run");
        if fits(&inside) {
            files::ensure_dir(&inside, 0o700)?;
            self.give(&inside)?;
            return Ok(inside);
        }
        let mut hasher = DefaultHasher::new();
        self.path.hash(&mut hasher);
        let name = format!("deed-{}-{:016x}", self.run_as.uid(), hasher.finish());
        let runtime = env::var_os("XDG_RUNTIME_DIR").filter(|_| self.run_as.owner().is_none());
        let bases = runtime.map(PathBuf::from).into_iter().chain([PathBuf::from("/tmp")]);
        let mut refused = None;
        for candidate in bases.map(|base| base.join(&name)).filter(|path| fits(path)) {
            match self.private_dir(&candidate) {
                Ok(()) => return Ok(candidate),
                Err(e) => refused = Some(e),
            }
        }
        Err(refused.unwrap_or_else(|| Error::NotOurs {
            folder: self.path.clone(),
            reason: "no folder for a Unix socket has a short enough path".into(),
        }))
    }

    /// Creates a folder of mode 0700 in a place that others can write to, or reuses ours.
    fn private_dir(&self, path: &Path) -> Result<(), Error> {
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => return self.give(path),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e).context("creating", path),
        }
        let metadata = fs::symlink_metadata(path).context("reading", path)?;
        if metadata.is_dir() && metadata.uid() == self.run_as.uid() && metadata.mode() & 0o77 == 0 {
            return Ok(());
        }
        let reason = "it exists and is not a private folder of ours".into();
        Err(Error::NotOurs { folder: path.to_owned(), reason })
    }

    /// Removes a socket folder outside the data folder.
    pub(crate) fn forget_socket_dir(&self, path: &Path) {
        if !path.starts_with(&self.path) && fs::remove_dir(path).is_err() {
            tracing::debug!(path = %path.display(), "socket folder left behind");
        }
    }
}

/// `unix_socket_directories` is a list with commas, so such a path is unusable too.
fn fits(socket_dir: &Path) -> bool {
    let text = socket_dir.as_os_str();
    let longest = text.len() + "/.s.PGSQL.65535".len();
    longest <= SOCKET_PATH_LIMIT && !text.to_string_lossy().contains([',', '"'])
}

/// The major version that wrote the data in this data folder; `None` when there are none.
#[must_use]
pub fn data_major_version(data_dir: &Path) -> Option<u32> {
    fs::read_to_string(data_dir.join("pgdata/PG_VERSION")).ok()?.trim().parse().ok()
}
