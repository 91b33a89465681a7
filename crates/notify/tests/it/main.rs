//! The catalogue and the envelope.
#![allow(clippy::unwrap_used)]

mod catalogue;
mod envelope;
