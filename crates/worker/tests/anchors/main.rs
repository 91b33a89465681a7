//! Checkpoints on their way into a folder, and what an audit makes of it, against a real PostgreSQL.

#![allow(clippy::unwrap_used)]

mod attacks;
mod audit;
mod uploads;
mod world;
