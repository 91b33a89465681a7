//! The catalogue and the envelope, signatures and addresses.
#![allow(clippy::unwrap_used)]

mod addresses;
mod catalogue;
mod document;
mod envelope;
mod signatures;
