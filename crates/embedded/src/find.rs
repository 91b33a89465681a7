//! Looking for PostgreSQL on this machine.

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::binaries::Binaries;
use crate::error::{Context, Error};
use crate::run_as::RunAs;
use crate::{MINIMUM_MAJOR, Progress, fetch, files};

/// Bin folders of the usual packagings; a star stands for anything within one path segment.
const USUAL_PLACES: [&str; 9] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
    "/usr/local/pgsql/bin",
    "/opt/postgresql/*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
];

/// Interpreters that may bring pip; a virtual environment's may lack it, the system's may have it.
const PYTHONS: [&str; 3] = ["python3", "python", "/usr/bin/python3"];

/// Where to look, and for what. [`Search::new`] fills it from the environment.
#[derive(Clone, Debug)]
pub struct Search {
    /// The folder of `DEED_POSTGRES_BIN`: when set, nothing else is considered.
    pub explicit: Option<PathBuf>,
    /// The folders of `PATH`, in order.
    pub path: Vec<PathBuf>,
    /// Further bin folders, which need not exist; the newest PostgreSQL in them is taken.
    pub places: Vec<PathBuf>,
    /// Folder for the fetched build and for copies; created when needed.
    pub cache: PathBuf,
    /// The account that must be able to run the programs.
    pub run_as: RunAs,
    /// Python interpreters that may bring pip, by name or path, best first.
    pub pythons: Vec<PathBuf>,
    /// Accept this major version only: that of existing data ([`crate::data_major_version`]).
    pub major: Option<u32>,
}

impl Search {
    /// Looks at `DEED_POSTGRES_BIN`, `PATH`, the usual places, and (for root) `DEED_POSTGRES_USER`.
    ///
    /// # Errors
    /// [`Error::Account`] when run as root without an unprivileged account.
    pub fn new(cache: impl Into<PathBuf>) -> Result<Self, Error> {
        Ok(Self {
            explicit: env::var_os("DEED_POSTGRES_BIN").filter(|v| !v.is_empty()).map(PathBuf::from),
            path: env::var_os("PATH").map(|p| env::split_paths(&p).collect()).unwrap_or_default(),
            places: USUAL_PLACES.iter().flat_map(|pattern| expand(pattern)).collect(),
            cache: cache.into(),
            run_as: RunAs::detect()?,
            pythons: PYTHONS.map(PathBuf::from).into(),
            major: None,
        })
    }

    fn accepts(&self, found: &Binaries) -> bool {
        self.major.map_or(found.major() >= MINIMUM_MAJOR, |major| found.major() == major)
    }
}

/// PostgreSQL's programs: of `DEED_POSTGRES_BIN`, else of `PATH`, else the newest of the usual
/// places, else the pinned build, which is fetched into the cache through `python3 -m pip` with its
/// hash checked.
///
/// # Errors
/// [`Error::Explicit`] and [`Error::Unavailable`] say what is missing; [`Error::Unreachable`] when
/// the account cannot run even a copy.
pub async fn find_or_fetch(search: &Search, progress: Progress<'_>) -> Result<Binaries, Error> {
    if let Some(folder) = &search.explicit {
        return explicit(search, folder, progress).await;
    }
    let mut passed_over = Vec::new();
    for folder in search.path.iter().filter(|folder| folder.join("postgres").exists()) {
        if let Some(found) = consider(search, folder, &mut passed_over).await {
            return runnable(search, found, progress).await;
        }
    }
    let mut newest: Option<Binaries> = None;
    for folder in search.places.iter().filter(|folder| folder.join("postgres").exists()) {
        let found = consider(search, folder, &mut passed_over).await;
        newest = [newest, found].into_iter().flatten().max_by_key(Binaries::major);
    }
    if let Some(found) = newest {
        return runnable(search, found, progress).await;
    }
    let seen = if passed_over.is_empty() { "none found".into() } else { passed_over.join("; ") };
    if let Some(major) = search.major.filter(|major| *major != fetch::MAJOR) {
        let reason = format!("it cannot read the data here, which PostgreSQL {major} wrote");
        return Err(Error::Unavailable { seen, version: fetch::VERSION, reason });
    }
    for note in &passed_over {
        progress(&format!("Not used: {note}"));
    }
    fetch::cached_or_fetched(search, &seen, progress).await
}

async fn explicit(
    search: &Search,
    folder: &Path,
    progress: Progress<'_>,
) -> Result<Binaries, Error> {
    let wrong = |reason| Error::Explicit { folder: folder.to_owned(), reason };
    let folder = folder.canonicalize().map_err(|e| wrong(e.to_string()))?;
    let found = Binaries::probe(&folder, &RunAs::ourselves()).await.map_err(wrong)?;
    if found.major() < MINIMUM_MAJOR {
        return Err(wrong(format!("it holds PostgreSQL {}", found.version())));
    }
    runnable(search, found, progress).await
}

/// A folder that holds an acceptable PostgreSQL; otherwise says in `passed_over` why not.
async fn consider(
    search: &Search,
    folder: &Path,
    passed_over: &mut Vec<String>,
) -> Option<Binaries> {
    // A link such as /usr/local/bin/postgres leads to the folder that holds all the programs.
    let folder = folder.join("postgres").canonicalize().ok()?.parent()?.to_owned();
    let note = match Binaries::probe(&folder, &RunAs::ourselves()).await {
        Ok(found) if search.accepts(&found) => return Some(found),
        Ok(found) if found.major() < MINIMUM_MAJOR => format!(
            "PostgreSQL {} in {} is older than {MINIMUM_MAJOR}",
            found.version(),
            folder.display()
        ),
        Ok(found) => format!(
            "PostgreSQL {} in {} cannot read the data of PostgreSQL {}",
            found.version(),
            folder.display(),
            search.major.unwrap_or(MINIMUM_MAJOR)
        ),
        Err(reason) => reason,
    };
    if !passed_over.contains(&note) {
        passed_over.push(note);
    }
    None
}

/// The same programs for the account that will run them, copied to the cache when they lie where
/// that account cannot enter (such as root's home).
async fn runnable(
    search: &Search,
    found: Binaries,
    progress: Progress<'_>,
) -> Result<Binaries, Error> {
    if let Ok(binaries) = Binaries::probe(found.folder(), &search.run_as).await {
        return Ok(binaries);
    }
    let prefix = found.folder().parent().unwrap_or(found.folder());
    let key = copy_key(&found);
    let copy = search.cache.join("copies").join(format!("{}-{key:016x}", found.version()));
    let bin = copy.join(found.folder().file_name().unwrap_or_default());
    if let Ok(binaries) = Binaries::probe(&bin, &search.run_as).await {
        return Ok(binaries);
    }
    progress(&format!(
        "Copying PostgreSQL {} to {}: the account {} cannot enter {}",
        found.version(),
        copy.display(),
        search.run_as.name(),
        prefix.display()
    ));
    files::ensure_dir(&search.cache.join("copies"), 0o755)?;
    let waiting = || progress("Waiting for another process that prepares PostgreSQL");
    let _lock = files::lock(&search.cache.join("lock"), waiting).await?;
    let part = copy.with_extension("part");
    files::remove(&part)?;
    files::copy_tree(prefix, &part)?;
    files::make_readable(&part)?;
    files::remove(&copy)?;
    fs::rename(&part, &copy).context("creating", &copy)?;
    Binaries::probe(&bin, &search.run_as).await.map_err(|reason| Error::Unreachable {
        account: search.run_as.name(),
        path: bin,
        reason,
    })
}

/// Differs when the programs do: another place, or another build in the same place.
fn copy_key(found: &Binaries) -> u64 {
    let mut hasher = DefaultHasher::new();
    found.folder().hash(&mut hasher);
    let program = found.program("postgres");
    if let Ok(metadata) = fs::metadata(&program) {
        metadata.len().hash(&mut hasher);
        metadata.modified().ok().hash(&mut hasher);
    }
    hasher.finish()
}

/// The existing folders that a pattern with at most one star names.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else { return vec![pattern.into()] };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path().join(after.trim_start_matches('/')))
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::expand;

    #[test]
    fn a_star_matches_within_one_segment() {
        let root = tempfile::tempdir().unwrap();
        for name in ["pg-17/bin", "pg-18/bin", "other/bin"] {
            std::fs::create_dir_all(root.path().join(name)).unwrap();
        }
        let pattern = format!("{}/pg-*/bin", root.path().display());
        let want = [root.path().join("pg-17/bin"), root.path().join("pg-18/bin")];
        assert_eq!(expand(&pattern), want);
        assert!(expand("/nowhere-at-all/*/bin").is_empty());
    }
}
