//! The load generator: one thread, one epoll, prebuilt requests.
//!
//! It shares its cores with the server and the database, so what it spends per request is taken from
//! what it measures: the hot path copies one template, fills two holes, and makes one write and one
//! read.

mod connection;
mod engine;
mod latency;
mod template;

pub(crate) use engine::{Plan, Sample, run};
pub(crate) use latency::{Latency, median};
pub(crate) use template::{Expect, MARKER_HOLE, Template, Workload};
