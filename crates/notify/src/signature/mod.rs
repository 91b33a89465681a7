//! Signatures of deliveries: one that a shared secret makes, and one that the server's key makes.

pub mod http;
pub mod standard;
