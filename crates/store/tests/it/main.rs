//! The store against a real PostgreSQL: migrations, the vault's guards, rights, the batchers.

#![allow(clippy::unwrap_used)]

mod abandoned;
mod batches;
mod migrations;
mod outcome;
mod rights;
mod support;
mod vault;
