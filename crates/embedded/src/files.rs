//! Folders, owners and locks.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown};
use std::path::Path;
use std::time::Duration;

use crate::error::{Context, Error};

/// How often a lock that another process holds is tried again.
const LOCK_POLL: Duration = Duration::from_millis(100);

/// A copy of PostgreSQL's programs larger than this (bytes) is a mistake, such as a whole `/opt`.
const COPY_LIMIT: u64 = 1 << 30;

/// Creates the folder and its missing parents with `mode`, and gives the folder itself `mode`.
pub(crate) fn ensure_dir(path: &Path, mode: u32) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(mode).create(path).context("creating", path)?;
    fs::set_permissions(path, Permissions::from_mode(mode)).context("setting the mode of", path)
}

/// Writes a new file that only its owner can read.
pub(crate) fn write_private(path: &Path, content: &str) -> Result<(), Error> {
    use std::io::Write as _;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path).context("creating", path)?;
    file.write_all(content.as_bytes()).context("writing", path)?;
    file.sync_all().context("writing", path)
}

/// Removes a file or a whole folder; its absence is fine.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if metadata.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
        .context("removing", path)
}

/// Makes a rename or a new file in `folder` durable.
pub(crate) fn sync_dir(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|dir| dir.sync_all()).context("syncing", folder)
}

/// Gives a tree to another owner; symbolic links are not followed.
pub(crate) fn chown_tree(path: &Path, uid: u32, gid: u32) -> Result<(), Error> {
    let metadata = fs::symlink_metadata(path).context("reading", path)?;
    if (metadata.uid(), metadata.gid()) != (uid, gid) {
        lchown(path, Some(uid), Some(gid)).context("changing the owner of", path)?;
    }
    if metadata.is_dir() {
        for entry in fs::read_dir(path).context("reading", path)? {
            chown_tree(&entry.context("reading", path)?.path(), uid, gid)?;
        }
    }
    Ok(())
}

/// Lets everyone read a tree and enter its folders, and run what its owner may run.
pub(crate) fn make_readable(path: &Path) -> Result<(), Error> {
    let metadata = fs::symlink_metadata(path).context("reading", path)?;
    if metadata.is_symlink() {
        return Ok(());
    }
    let runs = metadata.is_dir() || metadata.mode() & 0o100 != 0;
    let mode = metadata.mode() & 0o7777 | 0o444 | if runs { 0o111 } else { 0 };
    fs::set_permissions(path, Permissions::from_mode(mode)).context("setting the mode of", path)?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path).context("reading", path)? {
            make_readable(&entry.context("reading", path)?.path())?;
        }
    }
    Ok(())
}

/// Copies a tree of files, folders and symbolic links (kept as they are); at most 1 GiB.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> Result<(), Error> {
    let mut copied = 0;
    copy_counted(from, to, &mut copied)
}

fn copy_counted(from: &Path, to: &Path, copied: &mut u64) -> Result<(), Error> {
    let metadata = fs::symlink_metadata(from).context("reading", from)?;
    if metadata.is_symlink() {
        let target = fs::read_link(from).context("reading", from)?;
        return std::os::unix::fs::symlink(target, to).context("creating", to);
    }
    if metadata.is_dir() {
        fs::create_dir(to).context("creating", to)?;
        for entry in fs::read_dir(from).context("reading", from)? {
            let entry = entry.context("reading", from)?;
            copy_counted(&entry.path(), &to.join(entry.file_name()), copied)?;
        }
        return Ok(());
    }
    *copied += metadata.len();
    if *copied > COPY_LIMIT {
        let source = std::io::Error::other("more than 1 GiB to copy");
        return Err(source).context("copying", from);
    }
    fs::copy(from, to).map(drop).context("copying", from)
}

/// Opens or creates a lock file and tries to lock it; `None` while another process holds it.
pub(crate) fn try_lock(path: &Path) -> Result<Option<File>, Error> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(path).context("opening", path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(source).context("locking", path),
    }
}

/// Waits for a lock; `waiting` runs once when it is not free at first.
pub(crate) async fn lock(path: &Path, waiting: impl Fn()) -> Result<File, Error> {
    let mut told = false;
    loop {
        if let Some(file) = try_lock(path)? {
            return Ok(file);
        }
        if !told {
            waiting();
            told = true;
        }
        tokio::time::sleep(LOCK_POLL).await;
    }
}
