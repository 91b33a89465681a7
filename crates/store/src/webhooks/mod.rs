//! Webhooks: who is told of which events, the backlog of each endpoint, and the log of what went out.
//!
//! Architecture invariant: the backlog is per endpoint. What a claim costs depends on what it takes,
//! not on how much is pending for this or for another endpoint.

mod claim;
mod fanout;
mod log;
mod manage;
mod replay;
mod retention;
mod seal;
mod settle;
mod told;

use chrono::{DateTime, Utc};
use deed_notify::circuit::{Circuit, Health};
use tokio_postgres::Row;
use uuid::Uuid;

pub use claim::{ClaimedWebhook, HeldWebhook, PendingDelivery};
pub use fanout::FannedOut;
pub use log::{Delivery, DeliveryState};
pub use manage::{Backlog, Rotation, create, delete, pause, resume, rotate, update};
pub use replay::{MOST_REPLAYED, Replayable, Test, replay, replay_range, test};
pub use seal::SecretSealer;
pub use settle::{Attempt, Outcome};

use crate::error::Error;

/// Most webhooks of one organisation.
pub const MOST_WEBHOOKS: i64 = 50;

/// The form of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Plain JSON, as Standard Webhooks describes it.
    Standard,
    /// CloudEvents 1.0 in structured mode.
    CloudEvents,
}

impl Format {
    /// Its name in the database and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::CloudEvents => "cloudevents",
        }
    }

    /// Value of `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Standard => "application/json",
            Self::CloudEvents => "application/cloudevents+json",
        }
    }

    /// The format of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Standard, Self::CloudEvents].into_iter().find(|format| format.as_str() == name)
    }
}

/// How a delivery is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningAlg {
    /// HMAC-SHA256 with a shared secret, as Standard Webhooks describes it.
    Hmac,
    /// Ed25519 with the server's key, as RFC 9421 describes it.
    Ed25519,
}

impl SigningAlg {
    /// Its name in the database and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hmac => "hmac",
            Self::Ed25519 => "ed25519",
        }
    }

    /// The algorithm of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Hmac, Self::Ed25519].into_iter().find(|alg| alg.as_str() == name)
    }
}

/// A webhook and how its endpoint is.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    /// UUIDv7.
    pub id: Uuid,
    /// Whose events it gets.
    pub org_id: Uuid,
    /// API key that made it.
    pub created_by: Uuid,
    /// For people.
    pub description: String,
    /// Where to deliver, as it is requested.
    pub url: String,
    /// Names of types, or `*` alone.
    pub event_types: Vec<String>,
    /// The form of bodies.
    pub format: Format,
    /// How deliveries are signed.
    pub signing_alg: SigningAlg,
    /// Until when deliveries are signed with the secret before the last rotation too.
    pub previous_until: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Since when nothing is delivered.
    pub paused_at: Option<DateTime<Utc>>,
    /// Whether the endpoint is delivered to.
    pub health: Health,
    /// When an open circuit is probed.
    pub probe_at: Option<DateTime<Utc>>,
    /// Last delivery that succeeded.
    pub last_success_at: Option<DateTime<Utc>>,
    /// Last attempt that failed.
    pub last_failure_at: Option<DateTime<Utc>>,
}

/// Columns of `webhooks w JOIN webhook_endpoints e`, as [`Webhook::from_row`] reads them.
const COLUMNS: &str = "w.id, w.org_id, w.created_by, w.description, w.url, w.event_types, w.format,
    w.signing_alg, w.previous_until, w.created_at, e.paused_at, e.circuit, e.failures,
    CASE WHEN e.circuit = 'open' THEN e.due_at END, e.last_success_at, e.last_failure_at";

impl Webhook {
    fn from_row(row: &Row) -> Result<Self, Error> {
        let (format, alg): (&str, &str) = (row.get(6), row.get(7));
        let unknown = |name: &str| Error::Damaged(format!("a webhook has {name}"));
        Ok(Self {
            id: row.get(0),
            org_id: row.get(1),
            created_by: row.get(2),
            description: row.get(3),
            url: row.get(4),
            event_types: row.get(5),
            format: Format::parse(format).ok_or_else(|| unknown(format))?,
            signing_alg: SigningAlg::parse(alg).ok_or_else(|| unknown(alg))?,
            previous_until: row.get(8),
            created_at: row.get(9),
            paused_at: row.get(10),
            health: health(row.get(11), row.get(12))?,
            probe_at: row.get(13),
            last_success_at: row.get(14),
            last_failure_at: row.get(15),
        })
    }
}

fn health(circuit: &str, failures: i32) -> Result<Health, Error> {
    let circuit = Circuit::parse(circuit)
        .ok_or_else(|| Error::Damaged(format!("an endpoint's circuit is {circuit}")))?;
    Ok(Health { circuit, failures: failures.unsigned_abs() })
}

/// Makes an endpoint due that has something to do now: not while a worker has it (which looks again when
/// it settles), nor while it is paused or its circuit is open.
const WAKE: &str = "due_at = CASE WHEN leased OR circuit = 'open' THEN due_at
    WHEN paused_at IS NULL THEN least(due_at, now()) END";
