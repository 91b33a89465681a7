//! The store against a real PostgreSQL: migrations, the vault's guards, rights, the batchers, the queue.

#![allow(clippy::unwrap_used)]

mod abandoned;
mod anchors;
mod batches;
mod checkpoints;
mod events;
mod figures;
mod migrations;
mod outcome;
mod plans;
mod queue;
mod rights;
mod schedules;
mod support;
mod upkeep;
mod vault;
