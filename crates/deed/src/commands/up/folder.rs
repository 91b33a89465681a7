//! The data folder of `deed up`.
//!
//! ```text
//! postgres/       the database (crate deed-embedded)
//! secrets/        mode 0700
//!   signing-key, api-key-secret, owner-password, app-password, agent-key
//!   deed.env      the environment that other commands of `deed` need to reach this server
//! issuer          the URL of the first start, part of every signature
//! anchors/        copies of the checkpoints, unless ANCHOR_DIRECTORY names another folder
//! first-record    id of the record that every start verifies
//! export.json, keys.json    that record's export and the public keys, to try `deed verify` on
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// The data folder.
pub(super) struct Folder(PathBuf);

/// Folder names by which one of ours is recognised.
const OURS: [&str; 2] = ["postgres", "secrets"];

impl Folder {
    /// Makes the folder, or takes one that is empty or ours. Nobody else can look into it.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let describe = || format!("the data folder {}", path.display());
        match fs::read_dir(path) {
            Ok(mut entries) => {
                let is_ours = OURS.iter().all(|name| path.join(name).is_dir());
                if !is_ours && entries.next().is_some() {
                    bail!(
                        "{} holds something else already: choose another with --data-dir",
                        describe()
                    );
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(describe),
        }
        // As root, the account that runs PostgreSQL must be able to pass to its own folder.
        let mode = if nix::unistd::Uid::effective().is_root() { 0o711 } else { 0o700 };
        for (folder, mode) in
            [(path, mode), (&path.join("postgres"), mode), (&path.join("secrets"), 0o700)]
        {
            DirBuilder::new().recursive(true).mode(mode).create(folder).with_context(describe)?;
            fs::set_permissions(folder, Permissions::from_mode(mode)).with_context(describe)?;
        }
        Ok(Self(path.canonicalize().with_context(describe)?))
    }

    /// The folder itself.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Path of something in it.
    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The folder of anchors, which is made if it is not there.
    pub(super) fn anchors(&self) -> Result<PathBuf> {
        let path = self.join("anchors");
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.with_context(|| path.display().to_string())?;
        Ok(path)
    }

    /// Content of a file, if it is there.
    pub(super) fn read(&self, name: &str) -> Result<Option<String>> {
        match fs::read_to_string(self.join(name)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| self.join(name).display().to_string()),
        }
    }

    /// Content of a file; the first time, what `make` gives.
    pub(super) fn keep(&self, name: &str, make: impl FnOnce() -> Result<String>) -> Result<String> {
        if let Some(text) = self.read(name)? {
            return Ok(text);
        }
        let text = make()?;
        self.write(name, text.as_bytes())?;
        Ok(text)
    }

    /// Replaces a file as a whole, also when the machine goes down meanwhile: a signing key that
    /// is half there would make the database unusable. Only its owner can read it.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<()> {
        let (path, part) = (self.join(name), self.join(&format!("{name}.part")));
        let write = || {
            let mut options = OpenOptions::new();
            let mut file =
                options.write(true).create(true).truncate(true).mode(0o600).open(&part)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&part, &path)?;
            path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
        };
        write().with_context(|| format!("writing {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_empty_folder_or_one_of_ours_is_taken() {
        let base = tempfile::tempdir().expect("a folder");
        let path = base.path().join("a/b");
        let folder = Folder::open(&path).expect("a new folder");
        assert_eq!(folder.keep("secrets/x", || Ok("1".to_owned())).expect("made"), "1");
        drop(folder);
        let folder = Folder::open(&path).expect("our folder");
        assert_eq!(folder.keep("secrets/x", || bail!("made twice")).expect("kept"), "1");
        let mode = |name: &str| {
            folder.join(name).metadata().expect("it is there").permissions().mode() & 0o777
        };
        assert_eq!((mode("secrets"), mode("secrets/x")), (0o700, 0o600));

        let outside = || base.path().metadata().expect("it is there").permissions().mode();
        let before = outside();
        assert!(Folder::open(base.path()).is_err(), "it holds something else");
        assert_eq!(outside(), before, "and is left as it was");
    }
}
