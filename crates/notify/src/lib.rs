//! What the server tells others: the closed list of events, the form in which each is told,
//! how a delivery is signed, and where it may go.
//!
//! Architecture invariant: pure. No I/O, clock or randomness. `docs/events.md` and the `webhooks` of the
//! OpenAPI document are generated from [`catalogue`].

pub mod address;
pub mod catalogue;
pub mod circuit;
pub mod endpoint;
mod envelope;
mod schema;
pub mod signature;

pub use catalogue::{EventType, Group};
pub use envelope::{Event, event_id};
