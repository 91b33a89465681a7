//! Where things lie unless the caller says otherwise.

use std::env;
use std::path::PathBuf;

use nix::unistd::Uid;

/// The cache folder: `/var/cache/deed` for root, else `$XDG_CACHE_HOME/deed` or `~/.cache/deed`.
///
/// Root's is outside its home so that the unprivileged account that runs PostgreSQL can enter.
#[must_use]
pub fn default_cache_dir() -> PathBuf {
    choose(Uid::effective().is_root(), "/var/cache/deed", "XDG_CACHE_HOME", ".cache")
}

/// The data folder: `/var/lib/deed` for root, else `$XDG_DATA_HOME/deed` or `~/.local/share/deed`.
#[must_use]
pub fn default_data_dir() -> PathBuf {
    choose(Uid::effective().is_root(), "/var/lib/deed", "XDG_DATA_HOME", ".local/share")
}

fn choose(root: bool, system: &str, variable: &str, under_home: &str) -> PathBuf {
    if root {
        return PathBuf::from(system);
    }
    // The XDG base directory specification: a relative path is invalid and must be ignored.
    if let Some(base) = env::var_os(variable).map(PathBuf::from).filter(|p| p.is_absolute()) {
        return base.join("deed");
    }
    let home = env::home_dir().unwrap_or_else(env::temp_dir);
    home.join(under_home).join("deed")
}
