//! The life of a record as one table: (state, action, role) -> next state.
//!
//! Architecture invariant: pure. No I/O, clock or randomness; what a transition depends on beyond
//! state, action and role is passed in as [`Facts`]. `docs/state-machine.md` is generated from
//! [`TABLE`], and whatever the server allows, refuses or suggests is looked up in it.

mod action;
mod guard;
mod machine;
mod role;
mod state;
mod table;

pub use action::Action;
pub use guard::{Facts, Guard, VerdictMode};
pub use machine::{Denied, allowed, awaited, decide};
pub use role::{Role, Roles};
pub use state::State;
pub use table::{ENTRANCES, Signal, TABLE, Transition};

/// Revisions that a principal may ask for; a record has at most one completion more.
pub const MOST_REVISIONS: i16 = 5;
