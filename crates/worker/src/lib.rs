//! The worker tier: claims jobs from the queue, works on them and settles them, and turns the ticks
//! of the schedules into jobs.
//!
//! Architecture invariant: nothing here trusts the worker's own clock for what others see. Leases,
//! delays and ticks are the database's; this process only measures how much time passes.

mod anchors;
mod health;
mod jobs;
mod kind;
mod replica;
mod runner;
mod schedules;
mod webhooks;

pub use anchors::Anchors;
pub use health::health;
pub use jobs::kinds;
pub use kind::{Backoff, Handler, JobError, Kind};
pub use replica::attend;
pub use runner::{Worker, WorkerConfig};
pub use schedules::SCHEDULES;
pub use webhooks::{WebhookConfig, Webhooks};
