//! What the server tells others: how a delivery is signed, and where it may go.
//!
//! Architecture invariant: pure. No I/O, clock or randomness.

pub mod address;
pub mod circuit;
pub mod endpoint;
pub mod signature;
