//! The outbox, read: in order, without a gap, and no further than a horizon behind which nothing can
//! still be committed.

mod consumers;
mod keep;
mod key;
mod read;
mod tell;
mod told;

pub use read::OutboxRow;
pub use tell::{NewEvent, tell};

pub(crate) use consumers::{advance, claim};
pub(crate) use key::key;
pub(crate) use read::next;
pub(crate) use tell::time;
