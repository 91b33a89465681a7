//! The one error type of this crate; every message is meant for the person at the terminal.

use std::path::{Path, PathBuf};

use crate::MINIMUM_MAJOR;

/// Why PostgreSQL could not be found, obtained or started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `DEED_POSTGRES_BIN` is set to a folder that cannot be used.
    #[error(
        "DEED_POSTGRES_BIN is set to {}, which cannot be used: {reason}. It must name the bin \
         folder of PostgreSQL {MINIMUM_MAJOR} or later, or be unset", folder.display()
    )]
    Explicit {
        /// The folder that the variable names.
        folder: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing suitable is installed and the pinned build could not be obtained.
    #[error(
        "no PostgreSQL {MINIMUM_MAJOR} or later is installed here ({seen}), and PostgreSQL \
         {version} could not be obtained: {reason}. Install PostgreSQL {MINIMUM_MAJOR} or later, or \
         set DEED_POSTGRES_BIN to the bin folder of one"
    )]
    Unavailable {
        /// What was found and passed over, for example one that is too old.
        seen: String,
        /// The version that would have been fetched.
        version: &'static str,
        /// What is missing.
        reason: String,
    },
    /// The data were written by another major version than any that can be had here.
    #[error(
        "the data in {} were written by PostgreSQL {data}, but this is PostgreSQL {programs}. Set \
         DEED_POSTGRES_BIN to the bin folder of PostgreSQL {data}, or choose another data folder",
        folder.display()
    )]
    DataVersion {
        /// The data folder.
        folder: PathBuf,
        /// The major version that wrote it.
        data: u32,
        /// The version of the programs found.
        programs: String,
    },
    /// Run as root, but no unprivileged account is there to run PostgreSQL.
    #[error(
        "PostgreSQL refuses to run as root, and {reason}; set DEED_POSTGRES_USER to an \
             unprivileged account of this machine"
    )]
    Account {
        /// Which accounts were tried.
        reason: String,
    },
    /// The unprivileged account cannot run programs or enter a folder.
    #[error("the account {account} that runs PostgreSQL cannot use {}: {reason}", path.display())]
    Unreachable {
        /// The account.
        account: String,
        /// The program or folder.
        path: PathBuf,
        /// What the operating system said.
        reason: String,
    },
    /// Another live process uses the data folder.
    #[error("the data folder {} is in use by {holder}. Stop it first, or choose another data folder",
            folder.display())]
    InUse {
        /// The data folder.
        folder: PathBuf,
        /// The process that holds it, as text ("process 4711").
        holder: String,
    },
    /// The folder holds something else than data of ours.
    #[error("{} cannot be used for PostgreSQL's data: {reason}", folder.display())]
    NotOurs {
        /// The folder.
        folder: PathBuf,
        /// What was expected and not found.
        reason: String,
    },
    /// The port that was asked for is taken.
    #[error(
        "port {port} of 127.0.0.1 is taken by another program: choose another port for PostgreSQL"
    )]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// `initdb` failed.
    #[error("PostgreSQL's data folder could not be created: {detail}")]
    Initdb {
        /// The last lines of its output.
        detail: String,
    },
    /// The server ended while starting, or was not ready by the deadline.
    #[error("PostgreSQL did not start: {detail} (its log: {})", log.display())]
    Start {
        /// What it said last.
        detail: String,
        /// The log file.
        log: PathBuf,
    },
    /// The operating system refused something.
    #[error("{action}: {source}")]
    Io {
        /// What was tried.
        action: String,
        /// The refusal.
        source: std::io::Error,
    },
}

/// Puts what was tried, and on which path, in front of an I/O error.
pub(crate) trait Context<T> {
    fn context(self, action: &str, path: &Path) -> Result<T, Error>;
}

impl<T> Context<T> for std::io::Result<T> {
    fn context(self, action: &str, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Io { action: format!("{action} {}", path.display()), source })
    }
}
