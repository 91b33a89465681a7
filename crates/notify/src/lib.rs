//! What the server tells others: the closed list of events, and the form in which each is told.
//!
//! Architecture invariant: pure. No I/O, clock or randomness. `docs/events.md` and the `webhooks` of the
//! OpenAPI document are generated from [`catalogue`].

pub mod catalogue;
mod envelope;
mod schema;

pub use catalogue::{EventType, Group};
pub use envelope::{Event, event_id};
