//! Tests of the rules engine through its public interface.

mod config;
mod hostile;
mod outcomes;
mod properties;
