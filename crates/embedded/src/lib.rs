//! Finds or obtains PostgreSQL 17 or later and runs it for one machine.
//!
//! The order of work: [`Search::new`] reads the environment, [`find_or_fetch`] settles on a folder
//! of programs (and, as root, on the unprivileged account that runs them), and [`Cluster::start`]
//! creates or reopens a data folder and waits until the server takes connections.
//!
//! No SQL lives here: the caller gets connection strings for the superuser ([`Endpoint`]) and
//! creates its own roles and databases.
//!
//! Architecture invariant: at every moment at most one live process holds a data folder (a
//! `flock` on its `lock` file), and whatever a killed process left behind (a half-made data
//! folder, a running server, a stale pid file) is put right by the next start.

mod binaries;
mod cluster;
mod dirs;
mod endpoint;
mod error;
mod fetch;
mod files;
mod find;
mod folder;
mod initdb;
mod postmaster;
mod run_as;
mod server;

pub use binaries::Binaries;
pub use cluster::{Cluster, Options, Stopped};
pub use dirs::{default_cache_dir, default_data_dir};
pub use endpoint::{Endpoint, SUPERUSER};
pub use error::Error;
pub use find::{Search, find_or_fetch};
pub use folder::data_major_version;
pub use run_as::RunAs;

/// The oldest major version of PostgreSQL that is accepted.
pub const MINIMUM_MAJOR: u32 = 17;

/// Where a slow step says what it is doing: one short line a call, for a person to read.
pub type Progress<'a> = &'a (dyn Fn(&str) + Send + Sync);
