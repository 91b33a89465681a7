//! The table, walked from end to end.

#![allow(clippy::unwrap_used)]

mod document;
mod walk;
