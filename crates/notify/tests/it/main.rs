//! The catalogue and the envelope.
#![allow(clippy::unwrap_used)]

mod catalogue;
mod document;
mod envelope;
