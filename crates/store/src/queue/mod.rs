//! The queue: jobs are rows, written by the transaction that causes them.
//!
//! Delivery is at least once, effects are made single by the fencing token: whatever a job writes
//! is written together with [`finish`] in one transaction, or is refused a second time by the state
//! of the record it is about.

mod claim;
mod enqueue;
mod figures;
mod histogram;
mod inspect;
mod settle;

pub use claim::{Claimed, ClaimedJob, Held, Turn, Wanted};
pub use enqueue::{Columns, NewJob, enqueue};
pub use figures::Figures;
pub use histogram::Histogram;
pub use inspect::{Depth, Job, JobState, replay};
pub use settle::{Failure, finish};

/// Sent before the statements of a claim or settlement. Their plans are made once a connection,
/// perhaps while the table is empty, and must hold when it has 200,000 rows: so, beyond what every
/// session forbids, no bitmap is made of more rows than are wanted. A worker that is stopped in the middle
/// of such a transaction holds rows that the others skip; the server ends it after some seconds.
///
/// Nobody waits for the disk, or for a standby, here. What a crash of the database takes back are claims and
/// settlements alone: their jobs are there as before, and are done again, which delivery at least once
/// allows. An effect that is written with [`finish`] waits for its own commit, and for all before it.
const SETTINGS: &str = "SET LOCAL enable_bitmapscan = off; SET LOCAL synchronous_commit = off; \
    SET LOCAL idle_in_transaction_session_timeout = '3s'";
