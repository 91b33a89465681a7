//! The append path. Appends of different requests that arrive while the previous commit is
//! under way are written by one transaction; a request is answered only after its COMMIT.
//!
//! Two batchers run in a process: one creates records (no previous entry, so one statement and
//! one round trip), one extends chains (lock, then read the heads, sign, write).

mod batcher;
mod create;
mod expire;
mod extend;

use deed_chain::hash::Hash;
use uuid::Uuid;

pub use create::{Create, NewRecord};
pub use extend::{Content, Extend, Extended, Render};

use crate::error::Error;
use crate::idempotency::{Idempotency, Replay};
use crate::store::Store;
use batcher::Batcher;

/// Most requests that one transaction writes.
const MOST_IN_BATCH: usize = 256;

/// What became of an append.
#[derive(Debug)]
pub enum Appended<T> {
    /// It was written and committed now.
    Written(T),
    /// The idempotency key was used before with the same request: the answer of that time.
    Replayed(Replay),
}

/// The way into both batchers. Cheap to clone.
#[derive(Clone)]
pub struct Appender {
    creates: Batcher<Create, Appended<()>>,
    extends: Batcher<Extend, Appended<Vec<u8>>>,
}

impl Appender {
    /// Starts both batchers, each with room for `queue` waiting requests.
    #[must_use]
    pub fn start(store: &Store, queue: usize) -> Self {
        Self {
            creates: Batcher::start("create", store.clone(), queue, 2, create::write),
            extends: Batcher::start("extend", store.clone(), queue, 1, extend::write),
        }
    }

    /// Writes new records with their first entries, all of them or none.
    ///
    /// # Errors
    /// [`Error::Overloaded`], [`Error::Unavailable`], [`Error::OutcomeUnknown`],
    /// [`Error::IdempotencyMismatch`].
    pub async fn create(&self, item: Create) -> Result<Appended<()>, Error> {
        self.creates.submit(item).await
    }

    /// Adds one entry to a record's chain and gives the answer that was rendered from it.
    ///
    /// # Errors
    /// As [`Appender::create`], [`Error::NotFound`] for a record that this caller has not, and
    /// [`Error::Refused`] for a transition that the state machine does not allow.
    pub async fn extend(&self, item: Extend) -> Result<Appended<Vec<u8>>, Error> {
        self.extends.submit(item).await
    }
}

/// Key of the advisory lock that serialises one record's appends (S8). Two records may share one
/// by chance, which costs a wait and nothing else.
fn lock_key(record: Uuid) -> i64 {
    let (high, low) = record.as_u64_pair();
    i64::from_ne_bytes((high ^ low.rotate_left(17)).to_ne_bytes())
}

fn as_slice(hash: &Hash) -> &[u8] {
    hash.0.as_slice()
}

/// What a batcher needs to know of its items.
trait Item {
    fn idempotency(&self) -> Option<&Idempotency>;
}

impl Item for Create {
    fn idempotency(&self) -> Option<&Idempotency> {
        self.idempotency.as_ref()
    }
}

impl Item for Extend {
    fn idempotency(&self) -> Option<&Idempotency> {
        self.idempotency.as_ref()
    }
}
