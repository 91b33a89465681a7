//! The part of HTTP/1.1 (RFC 9112) that a load generator needs, and no more.

mod client;
mod response;

pub(crate) use client::{Client, Reply, Request, TransportError};
pub(crate) use response::{Complete, ResponseReader};
