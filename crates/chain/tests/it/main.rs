//! Tests of the public interface, in one binary.
#![allow(clippy::unwrap_used)]

mod audit;
mod bytes;
mod canonical;
mod cases;
mod entry;
mod forgeries;
mod json;
mod keys;
mod limits;
mod structure;
mod vectors;
mod world;
mod wycheproof;
