//! The only crate with SQL: migrations, the append path, and one function a transaction.
//!
//! Architecture invariant: everything that touches the database goes through [`tx`]; nothing
//! outside this crate sees a connection.

pub mod access;
pub mod anchors;
pub mod append;
pub mod audit;
pub mod audit_log;
pub mod audits;
mod checkpoints;
mod clock;
mod config;
mod error;
pub mod events;
mod health;
mod horizon;
pub mod idempotency;
mod installation;
pub mod migrate;
mod pool;
pub mod provision;
pub mod queue;
pub mod random;
pub mod recipe;
pub mod records;
pub mod replicas;
mod response;
mod rows;
pub mod schedules;
mod signer;
mod store;
pub mod transition;
mod tx;
pub mod types;
pub mod upkeep;
pub mod webhooks;

pub use clock::Clock;
pub use config::StoreConfig;
pub use error::{Error, Refusal};
pub use health::DatabaseHealth;
pub use installation::Installation;
pub use signer::Signer;
pub use store::Store;
pub use tx::{Body, Tx};
