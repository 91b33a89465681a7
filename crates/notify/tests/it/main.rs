//! Tests of the pure rules of webhooks.

mod addresses;
mod signatures;
