//! The gate's rules engine: was what was delivered what was asked for?
//!
//! Pure: no I/O, no clock, no randomness, no floats. [`Rules`] are field mappings from the criteria of
//! a record to the evidence of a completion, each with a value type and a tolerance. Applying them
//! gives an [`Outcome`] that says of every mapping what was expected, what was found, the tolerance
//! used and PASS, FAIL or ERROR; the whole is PASS only if every required mapping passed, and ERROR (nobody is
//! judged by what could not be compared) if none failed but one could not be judged.
//!
//! Rules, criteria and evidence all come from customers, so everything is bounded ([`limits`]). The
//! rules' JSON form is described in `docs/gate.md`.

mod decimal;
mod expression;
mod fault;
pub mod limits;
mod outcome;
mod pointer;
mod rule;
mod rules;
mod show;
mod tolerance;

pub use fault::Fault;
pub use outcome::{MappingOutcome, Outcome, Result, Tolerances};
pub use rules::Rules;

/// Version of this engine, part of every outcome. It changes when the same input may be judged differently.
pub const ENGINE: &str = "deed-gate/1";
