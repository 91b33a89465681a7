//! Places outside the database where copies of checkpoints are kept: a folder, or a bucket of
//! S3-compatible storage under Object Lock.
//!
//! A place knows keys and bytes, nothing of what they mean (`deed_chain::anchor`). What is written is
//! never replaced: writing something else under a key that is taken is an error.

mod directory;
mod s3;

pub use directory::Directory;
pub use s3::{Credentials, Now, S3, S3Config};

/// Why a place did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It did not answer, or said that it cannot now. It may work later.
    #[error("{0}")]
    Unavailable(String),
    /// It is set up in another way than an anchor needs, in words for who set it up.
    #[error("{0}")]
    Unfit(String),
    /// The key holds something else already.
    #[error("{0} holds something else already")]
    Taken(String),
}

/// A place of anchors.
#[derive(Debug, Clone)]
pub enum Place {
    /// A folder.
    Directory(Directory),
    /// A bucket.
    S3(S3),
}

/// One version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its version; a folder has none.
    pub version: Option<String>,
    /// Whether it is a mark that hides the object, and nothing that can be read.
    pub deleted: bool,
}

/// A page of a list, in the order of the keys.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Every version of each object.
    pub items: Vec<Listed>,
    /// Where the next page begins, if there is one.
    pub next: Option<Marker>,
}

/// A place in a list.
#[derive(Debug, Clone)]
pub struct Marker {
    key: String,
    version: Option<String>,
}

impl Place {
    /// Where it is, as a URL. Another location is another anchor.
    #[must_use]
    pub fn location(&self) -> &str {
        match self {
            Self::Directory(place) => place.location(),
            Self::S3(place) => place.location(),
        }
    }

    /// Looks whether the place keeps what is written to it. In a bucket this writes `probe`, once.
    ///
    /// # Errors
    /// [`Error::Unfit`] says what to set up in another way.
    pub async fn check(&self, probe: &str) -> Result<(), Error> {
        match self {
            Self::Directory(place) => place.check().await,
            Self::S3(place) => place.check(probe).await,
        }
    }

    /// Writes an object, durably, and gives its version. When the same bytes are there already, that
    /// is success too.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<Option<String>, Error> {
        match self {
            Self::Directory(place) => place.put(key, bytes).await.map(|()| None),
            Self::S3(place) => place.put(key, bytes).await.map(Some),
        }
    }

    /// Reads one version of an object, of at most `limit` bytes.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn get(&self, listed: &Listed, limit: usize) -> Result<Vec<u8>, Error> {
        match self {
            Self::Directory(place) => place.get(&listed.key, limit).await,
            Self::S3(place) => place.get(&listed.key, listed.version.as_deref(), limit).await,
        }
    }

    /// One page of the objects whose keys begin with `folder`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn list(&self, folder: &str, from: Option<&Marker>) -> Result<Listing, Error> {
        match self {
            Self::Directory(place) => place.list(folder).await,
            Self::S3(place) => place.list(folder, from).await,
        }
    }
}
