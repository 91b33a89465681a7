//! A folder: a file an object, written whole or not at all, and never over another one.

use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Error, Listed, Listing};

/// A folder of anchors.
#[derive(Debug, Clone)]
pub struct Directory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    location: String,
}

impl Directory {
    /// The folder `path`, which need not be there yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        let location = format!("file://{}", path.display());
        Self(Arc::new(Inner { path, location }))
    }

    pub(crate) fn location(&self) -> &str {
        &self.0.location
    }

    pub(crate) async fn check(&self) -> Result<(), Error> {
        self.blocking(|path| {
            let unfit = |what: &str| Error::Unfit(format!("the folder {} {what}", path.display()));
            match path.metadata() {
                Ok(found) if found.is_dir() => {}
                Ok(_) => return Err(unfit("is a file")),
                // Not made here: what is missing may be a volume that is not mounted.
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Err(unfit("does not exist: make it, or mount what belongs there"));
                }
                Err(error) => return Err(unfit(&format!("cannot be looked at: {error}"))),
            }
            let probe = tempfile::Builder::new().prefix(".probe-").tempfile_in(path);
            probe.map(drop).map_err(|error| unfit(&format!("cannot be written to: {error}")))
        })
        .await
    }

    pub(crate) async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), Error> {
        let key = key.to_owned();
        self.blocking(move |path| write(path, &key, &bytes)).await
    }

    pub(crate) async fn get(&self, key: &str, limit: usize) -> Result<Vec<u8>, Error> {
        let key = key.to_owned();
        self.blocking(move |path| read(&path.join(key), limit)).await
    }

    /// All of them on one page: names are short.
    pub(crate) async fn list(&self, folder: &str) -> Result<Listing, Error> {
        let (folder, prefix) = match folder.rsplit_once('/') {
            Some((folder, prefix)) => (format!("{folder}/"), prefix.to_owned()),
            None => (String::new(), folder.to_owned()),
        };
        self.blocking(move |path| {
            let entries = match fs::read_dir(path.join(&folder)) {
                Ok(entries) => entries,
                // Nothing was anchored yet, if the folder itself is there.
                Err(error) if error.kind() == ErrorKind::NotFound && path.is_dir() => {
                    return Ok(Listing::default());
                }
                Err(error) => return Err(failed(path, &error)),
            };
            let mut items = Vec::new();
            for entry in entries {
                let entry = entry.map_err(|error| failed(path, &error))?;
                // A name that is none of ours is no object.
                let Ok(name) = entry.file_name().into_string() else { continue };
                if !name.starts_with('.') && name.starts_with(&prefix) {
                    let key = format!("{folder}{name}");
                    items.push(Listed { key, version: None, deleted: false });
                }
            }
            items.sort_unstable_by(|a, b| a.key.cmp(&b.key));
            Ok(Listing { items, next: None })
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let inner = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || work(&inner.path)).await;
        done.unwrap_or_else(|error| Err(Error::Unavailable(error.to_string())))
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::Unavailable(format!("{}: {error}", path.display()))
}

/// A file of its own is written and made durable, then given its name, if that is free, and then the
/// name is made durable. A crash leaves at most a hidden file behind.
fn write(base: &Path, key: &str, bytes: &[u8]) -> Result<(), Error> {
    let target = base.join(key);
    let folder = target.parent().unwrap_or(base);
    make_folder(base, folder)?;
    let written = || -> std::io::Result<_> {
        let mut part = tempfile::Builder::new().prefix(".part-").tempfile_in(folder)?;
        part.write_all(bytes)?;
        part.as_file().set_permissions(Permissions::from_mode(0o444))?;
        part.as_file().sync_all()?;
        Ok(part)
    };
    let part = written().map_err(|error| failed(&target, &error))?;
    match part.persist_noclobber(&target) {
        Ok(_) => {}
        Err(refused) if refused.error.kind() == ErrorKind::AlreadyExists => {
            // An attempt that was cut short may have got this far.
            if read(&target, bytes.len() + 1)? != bytes {
                return Err(Error::Taken(target.display().to_string()));
            }
        }
        Err(refused) => return Err(failed(&target, &refused.error)),
    }
    sync(folder)
}

/// Makes the folders below `base` that lack, durably.
fn make_folder(base: &Path, folder: &Path) -> Result<(), Error> {
    if folder.is_dir() || folder == base {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(base);
    make_folder(base, parent)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(failed(folder, &error)),
        _ => sync(parent),
    }
}

fn sync(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(folder, &error))
}

fn read(path: &Path, limit: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = File::open(path)
        .and_then(|file| file.take(limit as u64).read_to_end(&mut bytes))
        .map_err(|error| failed(path, &error));
    read.map(|_| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "i/checkpoints/0000000000000001.json";

    fn folder() -> (tempfile::TempDir, Directory) {
        let base = tempfile::tempdir().expect("a folder");
        let directory = Directory::new(base.path().to_owned());
        (base, directory)
    }

    #[tokio::test]
    async fn what_is_written_stays() {
        let (base, directory) = folder();
        directory.check().await.expect("it fits");
        directory.put(KEY, b"one".to_vec()).await.expect("written");
        directory.put(KEY, b"one".to_vec()).await.expect("the same again");
        for other in [&b"two"[..], b"on", b"", b"one!"] {
            let refused = directory.put(KEY, other.to_vec()).await.expect_err("another content");
            assert!(matches!(refused, Error::Taken(_)), "{refused}");
        }
        assert_eq!(directory.get(KEY, 100).await.expect("read"), b"one");
        let file = base.path().join(KEY);
        assert_eq!(file.metadata().expect("a file").permissions().mode() & 0o777, 0o444);
        let left = fs::read_dir(file.parent().expect("a folder")).expect("listed").count();
        assert_eq!(left, 1, "no parts are left behind");
    }

    #[tokio::test]
    async fn writers_at_once_agree_on_one() {
        let (_base, directory) = folder();
        let put = |n: u8| directory.put(KEY, vec![n; 100_000]);
        let (a, b, c, d) = tokio::join!(put(1), put(2), put(1), put(2));
        let won = [a, b, c, d].iter().filter(|result| result.is_ok()).count();
        assert_eq!(won, 2, "the winner, and the one that says the same");
    }

    #[tokio::test]
    async fn a_list_is_in_order_and_without_parts() {
        let (base, directory) = folder();
        assert!(directory.list("i/checkpoints/").await.expect("empty").items.is_empty());
        for key in ["i/checkpoints/2", "i/checkpoints/1", "other/checkpoints/3"] {
            directory.put(key, b"x".to_vec()).await.expect("written");
        }
        fs::write(base.path().join("i/checkpoints/.part-x"), "half").expect("written");
        let listed = directory.list("i/checkpoints/").await.expect("listed").items;
        let keys: Vec<&str> = listed.iter().map(|one| one.key.as_str()).collect();
        assert_eq!(keys, ["i/checkpoints/1", "i/checkpoints/2"]);
        let one = directory.list("i/checkpoints/2").await.expect("listed").items;
        assert_eq!((one.len(), one[0].key.as_str()), (1, "i/checkpoints/2"));
    }

    #[tokio::test]
    async fn what_cannot_hold_anchors_is_said_in_words() {
        let (base, _) = folder();
        let absent = Directory::new(base.path().join("absent"));
        let fault = absent.check().await.expect_err("it is absent").to_string();
        assert!(fault.contains("does not exist"), "{fault}");
        assert!(absent.list("i/").await.is_err(), "an absent folder is not an empty one");
        let file = base.path().join("file");
        fs::write(&file, "x").expect("written");
        let fault = Directory::new(file).check().await.expect_err("it is a file").to_string();
        assert!(fault.contains("is a file"), "{fault}");
    }
}
