//! The queue: jobs are rows, written by the transaction that causes them.
//!
//! Delivery is at least once, effects are made single by the fencing token: whatever a job writes
//! is written together with [`finish`] in one transaction, or is refused a second time by the state
//! of the record it is about.

mod enqueue;

pub use enqueue::{Columns, NewJob, enqueue};
