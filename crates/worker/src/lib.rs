//! The worker tier.
//!
//! What it has so far is the port on which an orchestrator watches it: `/livez`, `/readyz` and
//! `/metrics`, behind the same server as the API's.

mod health;

pub use health::health;
